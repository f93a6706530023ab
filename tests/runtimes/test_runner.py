"""A model file of any runtime: opened by its ending, or one line that says why not."""

from pathlib import Path

import numpy as np
import pytest

from pocketear.base.errors import RunnerError, first_line
from pocketear.runtimes import tensors
from pocketear.runtimes.clip_scores import clip_scores
from pocketear.runtimes.keras import load_keras
from pocketear.runtimes.runner import open_runner
from tiny_model import WINDOW, tiny_tflite


@pytest.mark.parametrize("opened", [open_runner, tensors.open_tensor_runner])
@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("none.tflite", None, "not found; `dvc repro` makes it"),
        ("x.onnx", b"", "not a .keras, .tflite or .mlpackage"),
        ("x.tflite", b"\x1c\0\0\0TFL3" + bytes(64), "not a .tflite that can be run"),
        pytest.param(  # loads coremltools
            "x.mlpackage", b"", "not an .mlpackage, which is a folder", marks=pytest.mark.slow
        ),
        ("x.keras", b"PK", "not a Keras model that can be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_one_line(
    tmp_path: Path, opened, name: str, content: bytes | None, why: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RunnerError, match=why) as refused:
        opened(tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: ")
    assert "\n" not in str(refused.value)


def test_a_keras_file_with_code_in_it_is_refused(tmp_path: Path) -> None:
    import keras

    waveform = keras.Input((4,))
    model = keras.Model(waveform, keras.layers.Lambda(lambda x: x + 1)(waveform))
    model.save(tmp_path / "code.keras")
    with pytest.raises(RunnerError, match=r"code.keras: not a Keras model that can be read"):
        load_keras(tmp_path / "code.keras")


def test_every_window_is_scored_as_if_it_were_alone(tmp_path: Path) -> None:
    (tmp_path / "x.tflite").write_bytes(tiny_tflite())
    run = open_runner(tmp_path / "x.tflite")
    windows = np.random.default_rng(0).uniform(-1, 1, (5, WINDOW)).astype(np.float32)
    alone = np.concatenate([run(window[None]) for window in windows])
    np.testing.assert_array_equal(run(windows), alone)
    np.testing.assert_array_equal(run(windows[::-1]), alone[::-1])


def test_a_clips_scores_are_the_mean_of_its_own_windows_wherever_it_stands() -> None:
    """The label of a made-up model is the number in a window's first sample."""

    def run(windows: np.ndarray) -> np.ndarray:
        return np.asarray(np.eye(10)[windows[:, 0].astype(int)], np.float32)

    long = np.repeat(np.arange(1, 5), 4).astype(np.float32)  # windows of 8 at 0, 4 and 8
    short = np.full(3, 7, np.float32)  # one window, padded
    scores = clip_scores(run, [short, long, short], 8, 4)
    expected = np.zeros((3, 10))
    expected[[0, 2], 7] = 1
    expected[1, 1:4] = 1 / 3
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_a_step_is_found_under_the_names_that_converters_give_it() -> None:
    """The last of each, and only where all ops that were joined belong to it."""
    names = [
        "model/front_end_1/power/Square",
        "model/front_end_1/power/add;model/front_end_1/power/Square_1",
        "model_front_end_mel_MatMul_0",
        "model/normalise/sub;model/front_end/mel/Log",
        "model_1/logits_1/BiasAdd",
        "model_1/scores/Softmax",
    ]
    found = {"power": names[1], "mel": names[2], "logits": names[4]}
    assert tensors._named(names) == found


def test_what_a_library_says_in_many_lines_is_its_first() -> None:
    assert first_line(ValueError("\n what\n why ")) == "what"
    assert first_line(KeyError()) == "KeyError"
