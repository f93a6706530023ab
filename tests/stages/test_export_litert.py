import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from exported_project import working_in
from mediapipe_client import mediapipe_classifier, mediapipe_scores
from pocketear.base.errors import ExportError
from pocketear.runtimes import litert_export
from pocketear.runtimes.card import read_card
from pocketear.runtimes.runner import open_runner
from pocketear.stages import export_litert

VARIANTS = ("fp32", "int8")


@pytest.fixture(params=VARIANTS)
def shipped(request: pytest.FixtureRequest, exported: Path) -> Path:
    return exported / "models" / "litert" / f"cry_laugh_{request.param}.tflite"


def test_a_waveform_goes_in_and_probabilities_come_out(shipped: Path) -> None:
    interpreter = Interpreter(str(shipped))
    assert interpreter.get_signature_list() == {
        "serving_default": {
            "inputs": ["state_in", "waveform"],
            "outputs": ["scores", "state_out"],
        }
    }
    sources, sinks = interpreter.get_input_details(), interpreter.get_output_details()
    shapes = [(tensor["name"], list(tensor["shape"])) for tensor in (*sources, *sinks)]
    state = [1, 2, 192]
    assert shapes == [
        ("waveform", [1, 8000]), ("state_in", state), ("scores", [1, 3]), ("state_out", state),
    ]  # fmt: skip
    assert {tensor["dtype"] for tensor in (*sources, *sinks)} == {np.float32}
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 8000)).astype(np.float32)
    fresh = np.zeros(state, np.float32)
    found = interpreter.get_signature_runner()(waveform=noise, state_in=fresh)
    assert np.isclose(found["scores"].sum(), 1, atol=1e-5)


@pytest.fixture(scope="module")
def window_file(exported: Path) -> Path:
    """The variant that ships, for whole windows."""
    return exported / "models" / "litert" / "cry_laugh_int8_window.tflite"


def test_a_stream_by_chunks_scores_as_its_windows_do(exported: Path, window_file: Path) -> None:
    """int8 too: to the bit, since both have the same ranges."""
    stream = np.random.default_rng(8).normal(0, 0.1, 80_000).astype(np.float32)
    windows = np.stack([stream[start : start + 24000] for start in range(0, 56_001, 8_000)])
    by_chunks = open_runner(of_chunks(window_file))(windows)
    np.testing.assert_array_equal(by_chunks, open_runner(window_file)(windows))
    alone = [open_runner(of_chunks(window_file))(windows[n : n + 1])[0] for n in (3, 0, 7)]
    np.testing.assert_array_equal(by_chunks[[3, 0, 7]], alone)


def of_chunks(window_file: Path) -> Path:
    return window_file.with_name(window_file.name.replace("_window", ""))


def test_only_builtin_ops_ship(shipped: Path) -> None:
    names = {one["op_name"] for one in Interpreter(str(shipped))._get_ops_details()}
    assert not {name for name in names if name.startswith(("Flex", "CUSTOM", "Custom"))}


def test_the_network_is_integer_and_the_front_end_float(exported: Path) -> None:
    path = exported / "models" / "litert" / "cry_laugh_int8.tflite"
    interpreter = Interpreter(str(path), experimental_preserve_all_tensors=True)
    details = {one["index"]: one for one in interpreter.get_tensor_details()}
    outputs = [index for one in interpreter._get_ops_details() for index in one["outputs"]]
    kinds = [(details[i]["name"], details[i]["dtype"]) for i in outputs if i in details]
    assert {kind for name, kind in kinds if "front_end" in name} == {np.float32}
    assert {kind for name, kind in kinds if name.endswith("/convolution")} == {np.int8}
    assert {kind for name, kind in kinds if "statistics" in name} == {np.float32}


def test_mediapipe_opens_the_one_for_windows_and_its_scores_equal_litert(window_file: Path) -> None:
    windows = np.random.default_rng(4).uniform(-0.5, 0.5, (6, 24000)).astype(np.float32)
    with mediapipe_classifier(window_file) as client:
        found = mediapipe_scores(client, windows.reshape(-1), read_card(window_file))
    np.testing.assert_array_equal(found, open_runner(of_chunks(window_file))(windows))


def test_scores_are_those_of_keras(exported: Path) -> None:
    models = exported / "models"
    windows = np.random.default_rng(1).uniform(-0.5, 0.5, (8, 24000)).astype(np.float32)
    expected = open_runner(models / "keras" / "model.keras")(windows)
    fp32 = open_runner(models / "litert" / "cry_laugh_fp32.tflite")(windows)
    np.testing.assert_allclose(fp32, expected, atol=1e-5)


def test_the_card_says_what_the_file_needs(shipped: Path) -> None:
    card = read_card(shipped)
    assert card.labels == ("background", "cry", "laugh")
    assert (card.sample_rate, card.window_length) == (16000, 24000)
    assert set(card.listener.thresholds) == {"cry", "laugh"}
    code = {"training code", "export code"}
    assert set(card.made_from) == {"dataset", "weights", "params"} | code
    assert card.variant in shipped.name


@pytest.mark.slow
def test_another_process_makes_the_same_bytes(exported: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pocketear.stages.export_litert", "--keras", "models/keras"]
    subprocess.run(
        [*command, "--features", "data/features", "--out", str(tmp_path / "again")],
        cwd=exported, check=True, env={"PYTHONHASHSEED": "7", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    names = (*(f"cry_laugh_{name}.tflite" for name in ("fp32", "int8", "int8_window")), "card.json")
    for name in names:
        first = (exported / "models" / "litert" / name).read_bytes()
        assert (tmp_path / "again" / name).read_bytes() == first, name


@pytest.mark.slow
def test_an_op_that_may_not_ship_is_refused() -> None:
    import tensorflow as tf

    class Spectrum(keras.layers.Layer):  # type: ignore[misc]
        def call(self, waveform):
            return tf.math.digamma(tf.abs(waveform) + 1)  # no such op in LiteRT

    source = keras.Input((100,), name="waveform")
    model = keras.Model(source, keras.layers.Dense(2, activation="softmax")(Spectrum()(source)))
    with pytest.raises(ExportError, match=r"(?i)digamma"):
        litert_export.convert(model)


def test_thresholds_keep_the_stated_rate_on_validation(exported: Path) -> None:
    from pocketear.data.store import open_store
    from pocketear.listening import thresholds
    from pocketear.params import load_params
    from pocketear.runtimes.litert import litert_runner

    with working_in(exported):
        params, store = load_params(), open_store(Path("data/features"))
        run = litert_runner(Path("models/litert/cry_laugh_fp32.tflite"))
        labels = ("background", "cry", "laugh")
        stream = export_litert.validation_stream(run, store, labels, params)
        settings = read_card(Path("models/litert/cry_laugh_int8.tflite")).listener
    for label, threshold in settings.thresholds.items():
        if threshold < 1:
            points = thresholds.misses_and_false_alarms([stream], settings, [threshold])
            rate = next(p.false_alarms_per_hour for p in points if p.label == label)
            assert rate <= params.listener.false_alarms_per_hour
