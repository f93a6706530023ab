"""depth: in how many bits a recording was made, whatever the file says.

Eight bits that are saved as sixteen keep their steps: levels that are used lie 256 apart, or as far
as a gain has moved them. Sound that was made in sixteen bits uses neighbouring levels.
"""

import numpy as np
from numpy.typing import NDArray

_BITS = 16  # more are not told apart: a model gets its samples in 16
_LEVELS = 1 << _BITS
_AT_ONCE = 1 << 16  # samples of a piece that are looked at: they show the steps as well as all
_RAREST = 0.01  # share of the samples, on the rarest levels, that may lie anywhere: a fade, an edit
_FEWEST = 5  # levels; fewer are a grid by chance
_OFF = 1  # levels that a step may be off, since a gain leaves no whole number of them
_LEAST_STEP = 8  # levels; finer grids are not told from chance


class Depth:
    """Which of 65536 levels are used, by samples that come in pieces."""

    def __init__(self) -> None:
        self._counts = np.zeros(_LEVELS, np.int64)

    def add(self, samples: NDArray[np.float32]) -> None:
        """samples: of any shape, full scale = 1"""
        some = samples.reshape(-1)[:: max(1, samples.size // _AT_ONCE)]
        levels = np.rint(some * np.float32(_LEVELS // 2)).astype(np.int32)
        np.clip(levels + _LEVELS // 2, 0, _LEVELS - 1, out=levels)
        self._counts += np.bincount(levels, minlength=_LEVELS)

    def bits(self) -> int:
        """16, or fewer where all levels that are used lie on a coarser grid."""
        used = self._often()
        if len(used) < _FEWEST:
            return _BITS
        steps = np.diff(used)
        step = int(steps.min())
        times = np.rint(steps / step)
        on_grid = np.abs(steps - step * times) <= _OFF * times
        return _BITS - round(np.log2(step)) if step >= _LEAST_STEP and on_grid.all() else _BITS

    def _often(self) -> NDArray[np.int64]:
        """(level,) sorted: those that are used, but for the rarest."""
        used = np.flatnonzero(self._counts)
        order = np.argsort(self._counts[used], kind="stable")
        below = np.cumsum(self._counts[used[order]])
        return np.sort(used[order[below > _RAREST * self._counts.sum()]])
