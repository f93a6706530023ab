"""runner: a model file -> a function from windows to scores, whatever runtime the file is for.

A stage that runs files of one kind imports that runtime instead: then it does not depend on the
others.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pocketear.base.arrays import Runner
from pocketear.base.errors import RunnerError
from pocketear.runtimes import coreml, keras, litert

Opened = TypeVar("Opened")


def open_runner(path: Path) -> Runner:
    """The runner for a .keras, .tflite or .mlpackage.

    raises: RunnerError if the file is missing, damaged, or not one waveform in and scores out
    """
    kinds = {
        ".keras": keras.keras_runner,
        ".tflite": litert.litert_runner,
        ".mlpackage": coreml.windows_runner,
    }
    return pick(path, kinds)


def pick(path: Path, kinds: Mapping[str, Callable[[Path], Opened]]) -> Opened:
    if not path.exists():
        raise RunnerError(f"{path}: not found; `dvc repro` makes it")
    if path.suffix not in kinds:
        raise RunnerError(f"{path}: not a .keras, .tflite or .mlpackage")
    return kinds[path.suffix](path)
