"""A model of chunks as a runner of windows: the state is carried only where it is the window's."""

import numpy as np
import pytest

from pocketear.base.arrays import Waveform
from pocketear.runtimes.chunks import ByChunks, State

HOP, CHUNKS = 4, 3


class Sums:
    """The sum of a window, of the sums of its chunks; counts its steps, of which one may fail."""

    def __init__(self) -> None:
        self.steps = self.fails_at = 0

    def __call__(self, chunk: Waveform, state: State) -> tuple[Waveform, State]:
        self.steps += 1
        if self.steps == self.fails_at:
            raise RuntimeError("no memory")
        seen = np.concatenate([state, chunk.sum(keepdims=True)[None]])
        return seen.sum(axis=0), seen[1:]


def windows(stream: Waveform) -> list[Waveform]:
    return [stream[at : at + CHUNKS * HOP] for at in range(0, len(stream) - CHUNKS * HOP + 1, HOP)]


def test_of_a_stream_each_chunk_is_run_once() -> None:
    stream = np.random.default_rng(0).integers(-9, 9, 40).astype(np.float32)
    step = Sums()
    found = ByChunks(step, HOP, (CHUNKS - 1, 1))(np.stack(windows(stream)))
    assert found[:, 0].tolist() == [window.sum() for window in windows(stream)]
    assert step.steps == len(stream) // HOP


def test_a_window_after_one_that_failed_is_run_from_the_beginning() -> None:
    stream = np.arange(20, dtype=np.float32)
    first, second, _ = windows(stream)
    step = Sums()
    run = ByChunks(step, HOP, (CHUNKS - 1, 1))
    run(first[None])
    step.fails_at = step.steps + 1
    with pytest.raises(RuntimeError):
        run(-first[None])
    assert run(second[None])[0, 0] == second.sum()
