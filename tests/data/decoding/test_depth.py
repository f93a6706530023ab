"""Bits in use: what a recording was made in, after it was saved as sixteen bits."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pocketear.data.decoding.depth import Depth
from sounds import tone

RATE = 16_000


def bits(samples: NDArray[np.floating], pieces: int = 1) -> int:
    """Of the samples as a 16-bit file has them."""
    saved = np.clip(np.rint(samples * 32767), -32768, 32767) / 32768
    depth = Depth()
    for piece in np.array_split(saved.astype(np.float32), pieces):
        depth.add(piece)
    return depth.bits()


def noise(level: float, seconds: float = 1.0) -> NDArray[np.float64]:
    return np.random.default_rng(0).normal(0, level, round(RATE * seconds))


@pytest.mark.parametrize("made_in", [6, 8, 10, 12])
@pytest.mark.parametrize("gain", [1.0, 0.7])
@pytest.mark.parametrize("pieces", [1, 7])
def test_fewer_bits_saved_as_sixteen_are_counted(made_in: int, gain: float, pieces: int) -> None:
    steps = 2 ** (made_in - 1) - 1
    few = np.round(np.clip(noise(0.1), -1, 1) * steps) / steps
    assert bits(gain * few, pieces) == pytest.approx(made_in, abs=gain < 1)


@pytest.mark.parametrize(
    "sound",
    [noise(0.3), noise(1e-4), noise(0.3, 0.2), tone(), 1e-3 * tone(), np.zeros(9), np.sign(tone())],
    ids=["loud", "quiet", "short", "tone", "quiet tone", "silence", "two levels"],
)
def test_sixteen_bits_are_sixteen_at_any_level(sound: NDArray[np.floating]) -> None:
    assert bits(sound) == 16


def test_a_fade_of_a_few_samples_hides_nothing() -> None:
    few = np.round(noise(0.1) * 127) / 127
    few[:100] *= np.linspace(0, 1, 100)
    assert bits(few) == 8
