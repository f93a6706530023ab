"""The evaluator of ML Programs against TensorFlow, Keras, NumPy and coremltools' own tools."""

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import coreml_cases
from pocketear.base.errors import RunnerError
from pocketear.runtimes import coreml

pytestmark = pytest.mark.slow  # coremltools and TensorFlow take half a minute to load
WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
MODEL = "Data/com.apple.CoreML/model.mlmodel"
INPUTS = tuple(coreml_cases.INPUTS.values())


@pytest.fixture(scope="module")
def ct():
    return coreml.import_coremltools()


@pytest.fixture(scope="module")
def mb(ct):
    from coremltools.converters.mil import Builder

    return Builder


@pytest.fixture(scope="module")
def cases(mb):
    import tensorflow as tf

    return coreml_cases.cases(mb, tf)


def package(ct, mb, path, build, shapes, **options):
    """Write `build(*inputs)` as an .mlpackage, with no op optimised away."""
    target = options.pop("target", ct.target.iOS16)
    specs = [mb.TensorSpec(shape=shape) for shape in shapes]
    by_inputs = {  # the builder takes the inputs' names from the signature
        1: lambda first: build(first),
        3: lambda first, second, third: build(first, second, third),
    }
    model = ct.convert(
        mb.program(input_specs=specs, opset_version=target)(by_inputs[len(specs)]),
        convert_to="mlprogram",
        compute_precision=ct.precision.FLOAT32,
        minimum_deployment_target=target,
        pass_pipeline=ct.PassPipeline.EMPTY,
        skip_model_load=True,
        **options,
    )
    model.save(str(path))
    return model


def run(path, *inputs):
    program = coreml.load_program(path)
    outputs = coreml.evaluate(program, dict(zip(program.inputs, inputs, strict=True)))
    return [outputs[name] for name in program.outputs]


@pytest.fixture(scope="module")
def every_case(ct, mb, cases, tmp_path_factory):
    """One program with an output for each case."""
    path = tmp_path_factory.mktemp("cases") / "cases.mlpackage"
    package(
        ct, mb, path,
        lambda *inputs: tuple(build(*inputs) for build, _ in cases.values()),
        coreml_cases.SHAPES.values(),
    )  # fmt: skip
    return path


def test_every_op_agrees_with_tensorflow(every_case, cases):
    computed = dict(zip(cases, run(every_case, *INPUTS), strict=True))
    for name, (_, reference) in cases.items():
        expected = np.asarray(reference(*INPUTS))
        assert computed[name].dtype == np.float32, name
        np.testing.assert_allclose(computed[name], expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_every_op_that_is_covered_has_a_case(ct, every_case):
    program = ct.models.MLModel(str(every_case), skip_model_load=True).get_spec().mlProgram
    function = program.functions["main"]
    tried = {op.type for op in function.block_specializations[function.opset].operations}
    elsewhere = {"classify"} | {op for op in coreml.COVERED if op.startswith("constexpr_")}
    assert tried == coreml.COVERED - elsewhere


def test_intermediate_tensors_can_be_asked_for(ct, mb, tmp_path):
    def build(x):
        return mb.square(x=mb.add(x=x, y=1.0, name="my_layer_add"), name="squared")

    package(ct, mb, tmp_path / "x.mlpackage", build, [(3,)])
    program = coreml.load_program(tmp_path / "x.mlpackage")
    (name,) = (name for name in program.tensors if "my_layer" in name)
    outputs = coreml.evaluate(program, {"first": np.array([0.0, 1.0, 2.0])}, keep=(name,))
    np.testing.assert_array_equal(outputs[name], [1, 2, 3])
    np.testing.assert_array_equal(outputs["squared"], [1, 4, 9])
    with pytest.raises(RunnerError, match="computes no tensor 'nothing'"):
        coreml.evaluate(program, {"first": np.zeros(3)}, keep=("nothing",))


def test_an_evaluation_leaves_nothing_behind_for_the_next(every_case):
    first = run(every_case, *INPUTS)
    program = coreml.load_program(every_case)
    for inputs in ([np.zeros_like(x) for x in INPUTS], INPUTS):
        outputs = coreml.evaluate(program, dict(zip(program.inputs, inputs, strict=True)))
    for name, expected in zip(program.outputs, first, strict=True):
        np.testing.assert_array_equal(outputs[name], expected)


def test_fp16_is_rounded_after_every_op_as_numpy_rounds(ct, mb, tmp_path):
    """Also beyond what fp16 holds, where a front-end that counts in it would die."""
    scale = np.float16(1.1)

    def build(x):
        half = mb.cast(x=x, dtype="fp16")
        product = mb.mul(x=half, y=scale)
        return tuple(mb.cast(x=y, dtype="fp32") for y in (half, product, mb.square(x=product)))

    package(ct, mb, tmp_path / "x.mlpackage", build, [(20_001,)])
    x = np.linspace(-300, 300, 20_001).astype(np.float32) ** 3 / 300
    with np.errstate(over="ignore"):
        half = x.astype(np.float16)
        expected = (half, half * scale, np.square(half * scale))
    for computed, reference in zip(run(tmp_path / "x.mlpackage", x), expected, strict=True):
        np.testing.assert_array_equal(computed, reference.astype(np.float32))
    assert np.isinf(expected[2]).any()


def compressed(optimise, kind, model):
    """`model` with its weights compressed in one of coremltools' ways."""
    if kind == "linear int8":
        return optimise.linear_quantize_weights(model, _config(optimise, "Linear", mode="linear"))
    if kind == "palette of 64":
        config = _config(optimise, "Palettizer", mode="uniform", nbits=6)
        return optimise.palettize_weights(model, config)
    if kind == "sparse":
        config = _config(optimise, "MagnitudePruner", target_sparsity=0.5)
        return optimise.prune_weights(model, config)
    config = _config(optimise, "Linear", dtype="int4", granularity="per_block", block_size=4)
    return optimise.linear_quantize_weights(model, config)


def _config(optimise, kind, **options):
    name = {"Linear": "OpLinearQuantizerConfig"}.get(kind, f"Op{kind}Config")
    threshold = {"weight_threshold": 0}
    return optimise.OptimizationConfig(
        global_config=getattr(optimise, name)(**options, **threshold)
    )


@pytest.mark.parametrize(
    ("kind", "op"),
    [
        ("linear int8", "constexpr_affine_dequantize"),
        ("palette of 64", "constexpr_lut_to_dense"),
        ("sparse", "constexpr_sparse_to_dense"),
        ("int4 in blocks", "constexpr_blockwise_shift_scale"),
    ],
)
def test_compressed_weights_are_unpacked_as_coremltools_unpacks_them(ct, mb, tmp_path, kind, op):
    import coremltools.optimize.coreml as optimise

    weight = coreml_cases.weights(16, 8, 3, 3)

    def build(x):
        return mb.conv(x=x, weight=weight, pad_type="same")

    target = ct.target.iOS18 if kind == "int4 in blocks" else ct.target.iOS16
    model = package(ct, mb, tmp_path / "p.mlpackage", build, [(1, 8, 9, 9)], target=target)
    small = compressed(optimise, kind, model)
    assert op in str(small.get_spec())
    small.save(str(tmp_path / "small.mlpackage"))
    optimise.decompress_weights(small).save(str(tmp_path / "large.mlpackage"))

    x = np.random.default_rng(1).uniform(-1, 1, (1, 8, 9, 9)).astype(np.float32)
    plain, unpacked, packed = (
        run(tmp_path / f"{name}.mlpackage", x)[0] for name in ("p", "large", "small")
    )
    np.testing.assert_allclose(packed, unpacked, rtol=1e-6, atol=1e-6)
    assert np.abs(packed - plain).max() > 0


@pytest.fixture
def classifier(ct, mb, tmp_path):
    """A sound classifier of three labels: softmax(dense(waveform))."""
    weight = coreml_cases.weights(3, 1_000)

    def build(x):
        return mb.softmax(x=mb.linear(x=mb.expand_dims(x=x, axes=[0]), weight=weight))

    config = ct.ClassifierConfig(["b", "a", "c"], predicted_feature_name="classLabel")
    path = tmp_path / "x.mlpackage"
    package(ct, mb, path, build, [(1_000,)], classifier_config=config)
    return path, weight


def test_a_classifier_says_label_and_probabilities_as_core_ml_does(classifier):
    import tensorflow as tf

    path, weight = classifier
    windows = np.random.default_rng(2).uniform(-1, 1, (5, 1_000)).astype(np.float32)
    expected = tf.nn.softmax(windows @ weight.T).numpy()
    np.testing.assert_allclose(coreml.windows_runner(path)(windows), expected, atol=1e-6)
    assert coreml.windows_runner(path)(windows[:0]).shape == (0, 3)

    program = coreml.load_program(path)
    outputs = coreml.evaluate(program, {"first": windows[0]})
    assert program.labels == ("b", "a", "c")
    assert outputs["classLabel"] == program.labels[expected[0].argmax()]
    assert list(outputs[program.probabilities]) == ["b", "a", "c"]


def test_a_program_that_is_no_sound_classifier_is_refused_as_runner(every_case):
    with pytest.raises(RunnerError, match="want one waveform or features in, label prob"):
        coreml.windows_runner(every_case)


def test_an_input_of_another_shape_or_name_is_refused(classifier):
    program = coreml.load_program(classifier[0])
    with pytest.raises(RunnerError, match=r"takes \{'first': \(1000,\)\}, was given"):
        coreml.evaluate(program, {"first": np.zeros(999)})
    with pytest.raises(RunnerError, match=r"was given \{'waveform'"):
        coreml.evaluate(program, {"waveform": np.zeros(1_000)})


def shorten(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no weights": (lambda p: (p / WEIGHTS).unlink(), "Could not open"),
    "half the weights": (lambda p: shorten(p / WEIGHTS, 0.5), "the program cannot be read"),
    "no bytes of weights": (lambda p: shorten(p / WEIGHTS, 0), "the program cannot be read"),
    "zeros as weights": (
        lambda p: (p / WEIGHTS).write_bytes(bytes(4_096)),
        "the program cannot be read",
    ),
    "half the program": (lambda p: shorten(p / MODEL, 0.5), "not a whole .mlpackage"),
    "no program": (lambda p: (p / MODEL).unlink(), "not a whole .mlpackage"),
    "no manifest": (lambda p: (p / "Manifest.json").unlink(), "not a whole .mlpackage"),
    "half a manifest": (lambda p: shorten(p / "Manifest.json", 0.5), "not a whole .mlpackage"),
    "not there": (shutil.rmtree, "not an .mlpackage, which is a folder"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_package_is_refused_in_one_line(classifier, damage):
    path = classifier[0]
    spoil, message = DAMAGES[damage]
    spoil(path)
    with pytest.raises(RunnerError) as caught:
        coreml.load_program(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def edited(ct, path, edit):
    """Change the specification of a package in place."""
    specification = ct.models.utils.load_spec(str(path))
    edit(specification)
    (path / MODEL).write_bytes(specification.SerializeToString())


def first_operation(specification, kind):
    function = specification.mlProgram.functions["main"]
    operations = function.block_specializations[function.opset].operations
    return next(operation for operation in operations if operation.type == kind)


def test_an_op_that_is_not_covered_is_named(ct, mb, tmp_path):
    weight = coreml_cases.weights(4, 2, 3, 3)
    path = tmp_path / "x.mlpackage"
    package(
        ct, mb, path, lambda x: mb.conv_transpose(x=x, weight=weight, name="up"), [(1, 4, 5, 5)]
    )
    with pytest.raises(RunnerError, match=r"the op conv_transpose \(up\) is not covered"):
        coreml.load_program(path)


def test_an_op_that_nobody_knows_is_named(ct, classifier):
    path = classifier[0]
    edited(ct, path, lambda s: setattr(first_operation(s, "softmax"), "type", "hardmax"))
    with pytest.raises(RunnerError, match="the op hardmax"):
        coreml.load_program(path)


def test_weights_of_a_kind_that_is_not_covered_are_named(ct, classifier):
    path = classifier[0]
    edited(ct, path, lambda s: setattr(first_operation(s, "const"), "type", "constexpr_zip"))
    with pytest.raises(RunnerError, match="the op constexpr_zip"):
        coreml.load_program(path)


def test_a_variant_of_an_op_that_is_not_covered_is_named(ct, mb, tmp_path):
    def build(x):
        return mb.max_pool(
            x=x, kernel_sizes=[2], strides=[2], pad_type="valid", ceil_mode=True, name="pool"
        )

    package(ct, mb, tmp_path / "x.mlpackage", build, [(1, 2, 5)])
    with pytest.raises(RunnerError, match="max_pool pool: ceil_mode is not covered"):
        run(tmp_path / "x.mlpackage", np.zeros((1, 2, 5)))


def test_a_model_that_is_no_ml_program_is_refused(ct, classifier):
    path = classifier[0]
    edited(ct, path, lambda s: s.neuralNetwork.SetInParent())
    with pytest.raises(RunnerError, match="holds a neuralNetwork, want an ML Program"):
        coreml.load_program(path)


def test_off_macos_apples_runtime_is_refused_in_one_line(classifier, monkeypatch):
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    with pytest.raises(RunnerError, match="Core ML itself runs on macOS only"):
        coreml.compare_on_apple(classifier[0], *(np.zeros((1, n), np.float32) for n in (1_000, 3)))


@pytest.mark.skipif(platform.system() != "Darwin", reason="macOS only")
def test_on_macos_apples_runtime_agrees(classifier):
    windows = np.random.default_rng(3).uniform(-1, 1, (5, 1_000)).astype(np.float32)
    expected = coreml.windows_runner(classifier[0])(windows)
    figures = coreml.compare_on_apple(classifier[0], windows, expected)
    assert figures["max_abs"] < 1e-3
    assert figures["flips"] == 0
