"""The exported .mlpackage against the Keras model that it came from, on sounds and extremes."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exported_project import working_in
from places import ROOT
from pocketear.base.archive import read_folder
from pocketear.base.errors import ExportError, RunnerError
from pocketear.contracts.normalisation import Normalisation
from pocketear.params import load_params
from pocketear.runtimes import coreml
from pocketear.runtimes.card import card_for, card_from, card_json
from pocketear.stages import export_coreml

pytestmark = pytest.mark.slow
# The floor to which MEAN and SCALE below belong: they are of a network that was trained with it.
_TEXT = (ROOT / "params.yaml").read_text().replace("floor: 1.0e-9", "floor: 1.0e-7")
_WRITTEN = load_params(ROOT / "params.yaml")
PARAMS = _WRITTEN.model_copy(
    update={"frontend": _WRITTEN.frontend.model_copy(update={"floor": 1e-7})}
)
LABELS = ("background", "crying_baby", "laughing")
VARIANTS = ("fp32", "fp16", "int8")
HOP = PARAMS.listener.hop_length
STATE = [PARAMS.frontend.window_length // HOP - 1, 192]
_MELS = PARAMS.frontend.n_mels
MEAN, SCALE = np.linspace(-40, -60, _MELS), np.linspace(9, 14, _MELS)
LISTENER = {
    "hop_length": 8_000, "smoothing": 2, "hysteresis": 0.1, "min_seconds": 0.5,
    "refractory_seconds": 1.0, "background": ["background"],
    "thresholds": {"crying_baby": 0.6, "laughing": 0.7},
}  # fmt: skip


def build():
    """The project's model, normalising as a trained one does, never two channels alike."""
    import keras

    from pocketear.training import network

    keras.utils.set_random_seed(11)
    constants = Normalisation(mean=tuple(MEAN.tolist()), scale=tuple(SCALE.tolist()))
    whole = network.build(PARAMS.frontend, PARAMS.model, LABELS, constants, HOP)
    rng = np.random.default_rng(12)
    norms = [x for x in whole.layers if isinstance(x, keras.layers.BatchNormalization)]
    for layer in norms:
        layer.gamma.assign(rng.uniform(0.6, 1.4, layer.gamma.shape))
        layer.beta.assign(rng.normal(0, 0.3, layer.beta.shape))
    levels = 10 ** rng.uniform(-4, 0, (16, 1))
    sounds = (levels * rng.uniform(-1, 1, (16, PARAMS.frontend.window_length))).astype(np.float32)
    for _ in range(40):  # until the moving averages have settled
        whole(sounds, training=True)
    return whole


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project folder with what the stage reads."""
    from pocketear.training import network

    root = tmp_path_factory.mktemp("project")
    (root / "params.yaml").write_text(_TEXT)
    keras = root / "models" / "keras"
    keras.mkdir(parents=True)
    network.save(build(), keras / "model.keras")
    card = card_for(PARAMS, LABELS, LISTENER, "fp32", {"dataset": "5f70bf18"})
    (root / "card.json").write_text(card_json(card), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def exported(project):
    """Variant -> the package that the stage wrote."""
    with working_in(project):
        export_coreml.main(Path("models/keras"), Path("card.json"), Path("models/coreml"))
    name = PARAMS.package.name
    return {v: project / "models" / "coreml" / f"{name}_{v}.mlpackage" for v in VARIANTS}


@pytest.fixture(scope="module")
def networks(project, exported):
    """The same with the front-end left to Swift."""
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace(": in_model", ": accelerate"))
    out = project / "models" / "networks"
    with working_in(project):
        export_coreml.main(Path("models/keras"), Path("card.json"), out)
    (project / "params.yaml").write_text(text)
    return {v: out / path.name for v, path in exported.items()}


@pytest.fixture(scope="module")
def keras_scores(project):
    from pocketear.runtimes.keras import keras_runner

    return keras_runner(project / "models" / "keras" / "model.keras")


def extremes():
    """Windows that break front-ends."""
    length, rng = PARAMS.frontend.window_length, np.random.default_rng(0)
    noise, impulse = rng.uniform(-1, 1, length), np.zeros(length)
    impulse[length // 2] = 1
    return np.stack(
        [np.zeros(length), noise, 1e-4 * noise, np.sign(noise), np.ones(length), impulse]
    ).astype(np.float32)


@pytest.fixture(scope="module")
def real_windows(esc10):
    """One window of clips of every label."""
    from pocketear.data.decoding.audio import load_waveform
    from pocketear.data.windows import cut_windows

    rows = list(csv.DictReader((esc10 / "clips.csv").open()))[::40]
    waveforms = (load_waveform(esc10 / row["file"], PARAMS.frontend.sample_rate) for row in rows)
    length = PARAMS.frontend.window_length
    return np.concatenate([cut_windows(waveform, length, length)[:1] for waveform in waveforms])


@pytest.mark.parametrize(("variant", "limit"), [("fp32", 1e-5), ("fp16", 1e-2), ("int8", 5e-2)])
def test_extremes_score_as_in_keras(exported, keras_scores, variant, limit):
    windows = extremes()
    scores = coreml.windows_runner(exported[variant])(windows)
    limits = np.full((len(windows), 1), limit)
    # a constant leaves every mel but leakage, whose last digits are a matter of the order of a sum:
    # it is held to the gate's own limit
    limits[windows.min(axis=1) == 1] = max(limit, PARAMS.gate.max_fp32_error)
    assert (np.abs(scores - keras_scores(windows)) <= limits).all()


@pytest.mark.parametrize(("variant", "limit"), [("fp32", 1e-5), ("fp16", 1e-2), ("int8", 5e-2)])
def test_real_sounds_score_as_in_keras(exported, keras_scores, real_windows, variant, limit):
    expected = keras_scores(real_windows)
    assert np.ptp(expected, axis=0).max() > 0.1  # the sounds do not all score alike
    np.testing.assert_allclose(
        coreml.windows_runner(exported[variant])(real_windows), expected, atol=limit
    )


def test_the_front_end_is_librosas_and_the_same_in_every_variant(exported):
    """It counts in fp32 with exact constants also where the network does not."""
    from pocketear.frontend.librosa_features import reference
    from pocketear.runtimes.tensors import coreml_tensors

    windows = extremes()
    features = {
        variant: coreml_tensors(path)(windows)["normalise"][:, 0]  # of each chunk
        for variant, path in exported.items()
    }
    rounded = features["fp32"].astype(np.float16)  # the network is given fp16, once computed
    for variant in ("fp16", "int8"):
        np.testing.assert_array_equal(features[variant], rounded)
    chunks = windows.reshape(-1, HOP)
    expected = np.stack([reference(chunk, PARAMS.chunk) for chunk in chunks])
    decibels = features["fp32"] * SCALE + MEAN
    np.testing.assert_allclose(decibels, expected, atol=2e-2)


def test_the_network_counts_in_fp16_and_its_weights_in_eight_bits(exported):
    texts = {v: str(specification(path).mlProgram) for v, path in exported.items()}
    assert "FLOAT16" not in texts["fp32"]
    assert texts["fp16"].count("FLOAT16") > 20
    assert "constexpr" not in texts["fp16"]
    assert "constexpr_affine_dequantize" in texts["int8"]
    sizes = {v: sum(map(len, read_folder(path).values())) for v, path in exported.items()}
    assert sizes["fp32"] > sizes["fp16"] > sizes["int8"]


def specification(path):
    return coreml.import_coremltools().models.utils.load_spec(str(path))


def test_the_signature_is_a_sound_classifiers(exported):
    for path in exported.values():
        description = specification(path).description
        shapes = {one.name: list(one.type.multiArrayType.shape) for one in description.input}
        assert shapes == {"audioSamples": [HOP], "state_in": STATE}
        assert {one.type.multiArrayType.dataType for one in description.input} == {65568}  # FLOAT32
        outputs = {output.name: output.type for output in description.output}
        assert list(outputs["state_out"].multiArrayType.shape) == STATE
        assert outputs["classLabel"].WhichOneof("Type") == "stringType"
        probabilities = outputs["classLabel_probs"].dictionaryType
        assert probabilities.WhichOneof("KeyType") == "stringKeyType"
        assert description.predictedFeatureName == "classLabel"
        assert description.predictedProbabilitiesName == "classLabel_probs"
        assert description.metadata.userDefined["sampleRate"] == str(PARAMS.frontend.sample_rate)
        assert coreml.load_program(path).labels == LABELS


@pytest.mark.parametrize(("variant", "limit"), [("fp32", 1e-5), ("fp16", 1e-2), ("int8", 5e-2)])
def test_without_the_front_end_sounds_score_as_in_keras(networks, keras_scores, variant, limit):
    windows = extremes()
    limits = np.full((len(windows), 1), limit)
    limits[windows.min(axis=1) == 1] = max(limit, PARAMS.gate.max_fp32_error)  # as above
    scores = coreml.windows_runner(networks[variant])(windows)
    assert (np.abs(scores - keras_scores(windows)) <= limits).all()


def test_a_sample_that_is_not_a_number_gives_no_score_wherever_the_front_end_is(exported, networks):
    """Listeners count such a window out; half of it would be a score of another sound."""
    window = extremes()[1:2].copy()
    window[0, 100] = np.nan
    for path in (exported["fp16"], networks["fp16"]):
        assert np.isnan(coreml.windows_runner(path)(window)).all()


def test_what_takes_features_says_so_and_holds_no_front_end(exported, networks):
    from pocketear.frontend.layer import n_frames

    shapes = {"features": [n_frames(PARAMS.chunk), _MELS], "state_in": STATE}
    for variant, path in networks.items():
        found = specification(path)
        inputs = {one.name: one for one in found.description.input}
        found_shapes = {n: list(one.type.multiArrayType.shape) for n, one in inputs.items()}
        assert found_shapes == shapes
        source = inputs["features"]
        assert source.type.multiArrayType.dataType == 65568  # FLOAT32
        assert "front-end of pocketear.json" in source.shortDescription
        assert "sampleRate" not in found.description.metadata.userDefined  # SoundAnalysis has none
        assert "front_end" not in str(found.mlProgram)
        card = coreml.load_program(path).metadata["pocketear.json"]
        assert card == coreml.load_program(exported[variant]).metadata["pocketear.json"]
        sizes = [sum(map(len, read_folder(p).values())) for p in (path, exported[variant])]
        assert sizes[1] - sizes[0] > 100_000


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"frontend":', '"front":', "no front-end for its features: pocketear.json inside"),
        ('"n_mels": 64', '"n_mels": 0', "no front-end for its features: 1 validation error"),
        ('"n_mels": 64', '"n_mels": 40', r"takes features \(24, 64\), its .* makes \(24, 40\)"),
    ],
)
def test_a_card_that_does_not_make_the_features_is_refused(networks, tmp_path, old, new, message):
    path = Path(shutil.copytree(networks["fp32"], tmp_path / "x.mlpackage"))
    found = specification(path)
    metadata = found.description.metadata.userDefined
    assert old in metadata["pocketear.json"]
    metadata["pocketear.json"] = metadata["pocketear.json"].replace(old, new)
    (path / "Data/com.apple.CoreML/model.mlmodel").write_bytes(found.SerializeToString())
    with pytest.raises(RunnerError, match=message) as caught:
        coreml.windows_runner(path)
    assert "\n" not in str(caught.value)


def test_the_one_for_windows_is_what_sound_analysis_opens(exported, keras_scores):
    """One waveform in, a classifier out; the same scores."""
    path = exported["fp16"].with_name(exported["fp16"].name.replace("fp16", "fp16_window"))
    (source,) = specification(path).description.input
    assert (source.name, list(source.type.multiArrayType.shape)) == ("audioSamples", [24_000])
    outputs = [output.name for output in specification(path).description.output]
    assert outputs == ["classLabel", "classLabel_probs"]
    windows = extremes()
    by_chunks = coreml.windows_runner(exported["fp16"])(windows)
    np.testing.assert_allclose(coreml.windows_runner(path)(windows), by_chunks, atol=1e-3)


def test_the_package_says_what_it_is_and_not_when_it_was_made(exported):
    for variant, path in exported.items():
        metadata = specification(path).description.metadata
        assert metadata.versionString == PARAMS.package.version
        assert metadata.license == PARAMS.package.licence
        card = card_from(coreml.load_program(path).metadata["pocketear.json"])
        assert (card.variant, card.labels) == (variant, LABELS)
        assert card.window_length == PARAMS.frontend.window_length
        assert card.listener.thresholds == LISTENER["thresholds"]
        assert card.made_from["dataset"] == "5f70bf18"
        assert not [key for key in metadata.userDefined if "date" in key]


def test_coremltools_opens_the_package(exported):
    """The manifest is ours; its reader, which is Apple's own code, must find both items."""
    ct = coreml.import_coremltools()
    for path in exported.values():
        model = ct.models.MLModel(str(path), skip_model_load=True)
        assert Path(model.weights_dir, "weight.bin").is_file()
        assert model.get_spec() == specification(path)  # as messages: their bytes have no order


def test_another_process_writes_the_same_bytes(project, exported, tmp_path):
    subprocess.run(
        [sys.executable, "-m", "pocketear.stages.export_coreml",
         "--keras", "models/keras", "--card", "card.json", "--out", str(tmp_path / "again")],
        cwd=project, check=True, env=os.environ | {"PYTHONHASHSEED": "4711"},
    )  # fmt: skip
    for path in exported.values():
        files = read_folder(path)
        assert len(files) == 3
        assert read_folder(tmp_path / "again" / path.name) == files


def test_what_the_field_builds_networks_of_converts_and_scores_as_in_keras():
    """Depthwise, dilated and strided convolutions, residuals, gates, pools, attention, norms."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(13)
    waveform = keras.Input((4_000,), name="waveform")
    x = layers.Reshape((50, 80), name="front_end")(waveform)
    x = layers.Conv1D(24, 5, dilation_rate=2, padding="same", activation="softplus")(x)
    x = layers.LayerNormalization()(x)
    x = layers.MultiHeadAttention(2, 8)(x, x) + x
    x = layers.Reshape((50, 24, 1))(x)
    x = layers.Conv2D(16, 3, 2, "same", activation="relu6")(x)
    x = layers.BatchNormalization(beta_initializer="random_normal")(layers.ZeroPadding2D(1)(x))
    x = layers.DepthwiseConv2D(3, padding="same", activation="hard_swish")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    x = x * layers.Conv2D(16, 1, activation="hard_sigmoid")(gate)
    x = layers.SeparableConv2D(16, 3, padding="same", activation="silu")(x) + x
    x = layers.AveragePooling2D(3, 2, "same")(layers.MaxPooling2D(2, padding="same")(x))
    x = layers.Conv2D(16, 3, groups=1, padding="valid", activation="elu")(x)
    x = layers.Concatenate()([layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)])
    model = keras.Model(waveform, layers.Dense(3, activation="softmax")(layers.Dense(8, "tanh")(x)))

    windows = np.random.default_rng(14).uniform(-1, 1, (8, 4_000)).astype(np.float32)
    expected = model.predict(windows, verbose=0)
    frozen = export_coreml.freeze(model)
    for precision, limit in (("fp32", 1e-5), ("fp16", 1e-2)):
        scores = converted_runner(frozen, precision)(windows)
        np.testing.assert_allclose(scores, expected, atol=limit)


def converted_runner(frozen, precision):
    """Convert and run, without the project's metadata."""
    import tempfile

    model = export_coreml.convert(frozen, LABELS, precision)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.mlpackage"
        model.save(str(path))
        return coreml.windows_runner(path)


def test_a_channel_of_zeros_survives_eight_bits():
    """A channel that training has killed has no range to divide by."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(15)
    waveform = keras.Input((1_600,))
    x = layers.Reshape((20, 80, 1))(waveform)
    x = layers.Conv2D(16, 5, 2, activation="relu")(x)
    x = layers.Conv2D(32, 5, 2, activation="relu", name="deep")(x)
    scores = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(waveform, scores)
    kernel, bias = model.get_layer("deep").get_weights()
    kernel[..., 3] = 0
    model.get_layer("deep").set_weights([kernel, bias])

    windows = np.random.default_rng(16).uniform(-1, 1, (4, 1_600)).astype(np.float32)
    small = export_coreml.quantise(
        export_coreml.convert(export_coreml.freeze(model), LABELS, "fp16")
    )
    assert "constexpr_affine_dequantize" in str(small.get_spec().mlProgram)
    small.save(path := "zeros.mlpackage")
    np.testing.assert_allclose(
        coreml.windows_runner(Path(path))(windows), model.predict(windows, verbose=0), atol=5e-2
    )


def test_what_core_ml_has_no_op_for_is_refused_by_name():
    """Keras's exact GELU becomes TensorFlow's Erfc."""
    import keras
    from keras import layers

    waveform = keras.Input((512,))
    x = layers.Dense(8, activation="gelu")(waveform)
    model = keras.Model(waveform, layers.Dense(3, activation="softmax")(x))
    with pytest.raises(ExportError, match=r"Core ML cannot convert the model: .*Erfc"):
        export_coreml.convert(export_coreml.freeze(model), LABELS, "fp32")


def test_scores_that_are_not_numbers_are_refused():
    """As from a front-end without a floor under its logarithm."""
    import keras
    from keras import layers, ops

    waveform = keras.Input((512,))
    x = layers.Lambda(lambda x: ops.log(x) - ops.log(x))(waveform)
    model = keras.Model(waveform, layers.Dense(3, activation="softmax")(x))
    export_coreml.convert(export_coreml.freeze(model), LABELS, "fp32").save("nan.mlpackage")
    with pytest.raises(ExportError, match=r"nan.mlpackage: silence or full scale gives scores"):
        export_coreml.check_package(Path("nan.mlpackage"), 512)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
