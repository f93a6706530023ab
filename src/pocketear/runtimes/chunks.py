"""chunks: a model that takes one chunk at a time -> a runner of whole windows.

Beside the chunk it takes a state, what it kept of the chunks before. A window is run from zeros,
chunk by chunk. Where its first chunks are the last of the window before, as in a stream, the state
is there already and only the newest chunk is run: the same scores, to the bit.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Scores, Waveform, WindowBatch

State: TypeAlias = NDArray[np.float32]  # (chunk, statistic)
Step: TypeAlias = Callable[[Waveform, State], tuple[Waveform, State]]


class ByChunks:
    """A runner: windows (window, sample) -> scores (window, label).

    step: (chunk (hop_length,), state) -> (scores (label,), next state)
    """

    def __init__(self, step: Step, hop_length: int, state_shape: tuple[int, ...]) -> None:
        self._step, self._hop = step, hop_length
        self._fresh = np.zeros(state_shape, np.float32)
        self._state = self._fresh
        self._last: Waveform | None = None

    def __call__(self, windows: WindowBatch) -> Scores:
        """Run them in order."""
        return np.asarray([self._window(window) for window in windows], np.float32)

    def _window(self, window: Waveform) -> Waveform:
        chunks = window.reshape(-1, self._hop)
        if self._last is not None and np.array_equal(self._last[self._hop :], window[: -self._hop]):
            chunks = chunks[-1:]
        else:
            self._state, self._last = self._fresh, None  # and stays so if a step fails
        for chunk in chunks:
            scores, self._state = self._step(chunk, self._state)
        self._last = window.copy()
        return scores
