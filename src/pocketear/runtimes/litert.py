"""litert: a .tflite, run by LiteRT on this machine, on one thread as on the phone."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pocketear.base.arrays import FeatureBatch, Runner, WindowBatch
from pocketear.base.errors import RunnerError, first_line
from pocketear.runtimes.card import ModelCard, read_card


@dataclass(frozen=True)
class Model:
    """A .tflite that can be run, and what it says of itself."""

    path: Path
    card: ModelCard
    run: Runner


def open_model(path: Path) -> Model:
    """Open a .tflite made by export_litert.

    raises: RunnerError if it is missing or damaged, or its card does not fit its graph
    """
    if not path.exists():
        raise RunnerError(f"{path}: not found; `dvc repro` makes the models")
    card = read_card(path)
    try:
        model = Model(path, card, litert_runner(path))
        scores = model.run(np.zeros((1, card.window_length), np.float32))
    except (ValueError, RuntimeError) as error:
        raise RunnerError(f"{path}: its card does not fit its graph; export it again") from error
    if scores.shape != (1, len(model.card.labels)):
        raise RunnerError(
            f"{path}: gives {scores.shape[-1]} scores for {len(model.card.labels)} labels; "
            "export it again"
        )
    return model


def litert_runner(path: Path) -> Runner:
    """LiteRT on this machine, one thread, one window at a time as on the phone."""
    interpreter = open_interpreter(path)
    scores = interpreter.get_output_details()[0]["index"]
    return lambda windows: np.asarray(
        [row[0] for (row,) in runs(interpreter, windows, [scores])], np.float32
    )


def open_interpreter(path: Path) -> Any:
    """LiteRT's interpreter of a file.

    raises: RunnerError if it is not one float32 waveform in and one row of scores out
    """
    interpreter = interpreter_of(path, path.read_bytes())
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0]["dtype"] != np.float32:
        raise RunnerError(f"{path}: want one float32 waveform in and one row of scores out")
    return interpreter


def interpreter_of(path: Path, content: bytes) -> Any:
    """LiteRT's interpreter of a file's content, on one thread.

    raises: RunnerError if LiteRT refuses it
    """
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise RunnerError(f"{path}: not a .tflite that can be run: {first_line(error)}") from error
    return interpreter


def runs(
    interpreter: Any, windows: WindowBatch, tensors: list[int]
) -> Iterator[list[FeatureBatch]]:
    source = interpreter.get_input_details()[0]["index"]
    for window in windows:
        interpreter.set_tensor(source, window[np.newaxis])
        interpreter.invoke()
        yield [interpreter.get_tensor(tensor) for tensor in tensors]
