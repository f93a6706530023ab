"""checkpoint: where a training stands after an epoch, so that one that was killed goes on.

An epoch depends on the state it begins with and on its number alone. So the model has the same
bytes as one that was trained in one go.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pocketear.base.files import replacing

_ROWS = "rows"  # beside the numbered tensors


class Reached(NamedTuple):
    """What a training has made so far.

    rows: of each epoch, its figures; best_epoch, best_weights: of the least validation loss
    """

    rows: list[dict[str, float]]
    best_epoch: int
    best_weights: list[NDArray[np.float32]]


class Checkpoint:
    """A file that holds the last whole epoch of one training."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, network: Any, reached: Reached) -> None:
        """Put the state of a compiled network and what it reached in the file's place."""
        tensors = [*map(np.asarray, _state(network)), *reached.best_weights]
        said = json.dumps({"rows": reached.rows, "best_epoch": reached.best_epoch}).encode()
        named: dict[str, Any] = {str(number): tensor for number, tensor in enumerate(tensors)}
        named[_ROWS] = np.frombuffer(said, np.uint8)
        with replacing(self._path) as fresh, fresh.open("wb") as file:
            np.savez(file, allow_pickle=False, **named)

    def restore(self, network: Any) -> Reached | None:
        """Give a compiled network, built alike, the state that was saved; None if none was."""
        try:
            with self._path.open("rb") as opened, np.load(opened) as file:
                said = json.loads(file[_ROWS].tobytes())
                tensors = [file[str(number)] for number in range(len(file) - 1)]
        except (OSError, ValueError, KeyError, BadZipFile):  # there is none, or a disk lost it
            return None
        variables = [*_state(network)]
        for variable, tensor in zip(variables, tensors, strict=False):
            variable.assign(tensor)
        return Reached(said["rows"], said["best_epoch"], tensors[len(variables) :])

    def discard(self) -> None:
        """Remove the file: the training is done."""
        self._path.unlink(missing_ok=True)


def _state(network: Any) -> Iterator[Any]:
    """Weights, seeds of what is random, and what the optimizer remembers."""
    yield from network.variables
    network.optimizer.build(network.trainable_variables)
    yield from network.optimizer.variables
