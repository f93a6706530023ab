"""litert: a .tflite, run by LiteRT on this machine, on one thread as on the phone.

It takes a waveform and gives scores; one that takes a chunk at a time takes and gives its state
besides (chunks.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Runner, Waveform
from pocketear.base.errors import RunnerError, first_line
from pocketear.runtimes.card import ModelCard, read_card
from pocketear.runtimes.chunks import ByChunks, State


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
    """LiteRT on this machine, one thread, one inference at a time as on the phone."""
    interpreter = open_interpreter(path)
    run = invoker(interpreter, [sink["index"] for sink in interpreter.get_output_details()])
    shape = state_shape(interpreter)
    if shape is None:
        return lambda windows: np.asarray([run(window)[0][0] for window in windows], np.float32)

    def step(chunk: Waveform, state: State) -> tuple[Waveform, State]:
        scores, following = run(chunk, state)
        return scores[0], following[0]

    return ByChunks(step, sound_length(interpreter), shape)


def sound_length(interpreter: Any) -> int:
    """Samples that one inference takes: of a chunk, or of a window."""
    return int(interpreter.get_input_details()[0]["shape"][-1])


def state_shape(interpreter: Any) -> tuple[int, ...] | None:
    """Of the state that it takes and gives; None where it takes windows."""
    states = interpreter.get_input_details()[1:]
    return tuple(map(int, states[0]["shape"][1:])) if states else None


def invoker(interpreter: Any, tensors: list[int]) -> Callable[..., list[NDArray[np.float32]]]:
    """A function from the graph's inputs, without their batch axis, to `tensors` as they are."""
    sources = [source["index"] for source in interpreter.get_input_details()]

    def invoke(*inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        for source, value in zip(sources, inputs, strict=True):
            interpreter.set_tensor(source, value[np.newaxis])
        interpreter.invoke()
        return [interpreter.get_tensor(tensor) for tensor in tensors]

    return invoke


def open_interpreter(path: Path) -> Any:
    """LiteRT's interpreter of a file.

    raises: RunnerError if it is not a float32 waveform in and a row of scores out, with a state
        beside both or beside none
    """
    interpreter = interpreter_of(path, path.read_bytes())
    sources, sinks = interpreter.get_input_details(), interpreter.get_output_details()
    floats = all(tensor["dtype"] == np.float32 for tensor in (*sources, *sinks))
    shapes = [[*tensor["shape"]] for tensor in (*sources[1:], *sinks[1:])]
    if not floats or len(sources) != len(sinks) or shapes not in ([], shapes[:1] * 2):
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
