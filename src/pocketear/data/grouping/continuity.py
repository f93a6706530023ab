"""continuity: the ends of clips -> which clip goes on where another one stops.

The end of a clip is extended by linear prediction over the cut and compared with how the other
begins, and the other way round. It finds the cuts through tones (a voice, a bird, a horn), about
one in six of a voice; noise cannot be predicted.
Source: J. Burg, "Maximum entropy spectral analysis", 1975.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Waveform

RATE = 16000  # Hz
_SPOILT = 8  # samples at each end that the resampler made with zeros beyond the end
_LOST = 2 * _SPOILT + 1  # differences between samples across a cut that no clip has
_COMPARED = 32  # samples, 2 ms
_ORDER = 96  # of the prediction
_FITTED = 1000  # samples that it is fitted to
_SPECTRUM = 1024  # samples
_EDGES = np.unique(np.geomspace(4, 500, 25).astype(int))  # FFT bins: 60 Hz to 7.8 kHz
_LEAST_LEVEL_DB = -75.0  # of the differences between samples: below is silence
_LEVEL_DB = 12.0  # by which the level may change at a cut
_SPECTRUM_DB = 6.0  # by which bands may change, root mean square
_LEAST_GAIN = (
    0.55  # share of the power that is predicted; chance gave 0.52 in 1800 pieces of ESC-10
)
_ROWS = 512  # clips compared with all others at a time


@dataclass(frozen=True)
class Ends:
    """Of one clip: how it begins and stops, and what was predicted to be before and after."""

    begins: NDArray[np.float32]  # (_COMPARED,)
    stops: NDArray[np.float32]  # (_COMPARED,)
    before: NDArray[np.float32]  # (_COMPARED,) across the cut
    after: NDArray[np.float32]  # (_COMPARED,) across the cut
    first_bands: NDArray[np.float32]  # (band,) dB
    last_bands: NDArray[np.float32]  # (band,) dB
    levels: tuple[float, float]  # dB, at the start and at the end


@dataclass(frozen=True)
class Continuation:
    """Clip b goes on where clip a stops. gain: share of the power at the cut that is predicted."""

    a: int
    b: int
    gain: float


def ends(waveform: Waveform) -> Ends | None:
    """waveform: (sample,) at RATE. returns: None where it is too short"""
    steps = np.diff(waveform.astype(np.float64))[_SPOILT:-_SPOILT]  # so that hum does not count
    if len(steps) < _SPECTRUM:
        return None
    back = steps[::-1]
    return Ends(
        begins=steps[:_COMPARED].astype(np.float32),
        stops=steps[-_COMPARED:].astype(np.float32),
        before=_extended(back[-_FITTED:])[::-1].astype(np.float32),
        after=_extended(steps[-_FITTED:]).astype(np.float32),
        first_bands=_bands(steps[:_SPECTRUM]),
        last_bands=_bands(steps[-_SPECTRUM:]),
        levels=(_decibels(steps[:_FITTED]), _decibels(steps[-_FITTED:])),
    )


def continuations(clips: list[Ends | None]) -> Iterator[Continuation]:
    """Clips that go on in each other, each in the one that fits best, if that fits it best too."""
    known = [number for number, clip in enumerate(clips) if clip]
    there = [clip for clip in clips if clip]
    if not there:
        return
    gains = [_gains(there, at) for at in range(0, len(there), _ROWS)]
    best_next = np.concatenate([gain.argmax(axis=1) for gain in gains])
    highest = np.concatenate([gain.max(axis=1) for gain in gains])
    of_next = np.max([gain.max(axis=0) for gain in gains], axis=0)
    for row in np.flatnonzero(highest > _LEAST_GAIN):
        column = best_next[row]
        if highest[row] == of_next[column]:
            yield Continuation(known[row], known[column], float(highest[row]))


def _gains(clips: list[Ends], at: int) -> NDArray[np.float32]:
    """(row, clip): how well clip `at + row` goes on in each clip, -inf where it does not."""
    rows = clips[at : at + _ROWS]
    forth = _gain(np.array([a.after for a in rows]), np.array([b.begins for b in clips]))
    back = _gain(np.array([a.stops for a in rows]), np.array([b.before for b in clips]))
    ended = np.array([a.levels[1] for a in rows])[:, np.newaxis]
    began = np.array([b.levels[0] for b in clips])
    bands = _square_distance(
        np.array([a.last_bands for a in rows]), np.array([b.first_bands for b in clips])
    ) / (len(_EDGES) - 1)
    fits = (np.minimum(ended, began) > _LEAST_LEVEL_DB) & (np.abs(ended - began) < _LEVEL_DB)
    fits &= bands < _SPECTRUM_DB**2
    fits[np.arange(len(rows)), at + np.arange(len(rows))] = False  # itself
    return np.where(fits, np.minimum(forth, back), -np.inf)


def _gain(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    larger = np.maximum.outer(np.square(a).sum(axis=1), np.square(b).sum(axis=1))
    return np.asarray(1 - _square_distance(a, b) / (larger + np.float32(1e-12)), np.float32)


def _square_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """(row, column) of the rows of a and of b."""
    squares = np.square(a).sum(axis=1)[:, np.newaxis] + np.square(b).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * a @ b.T, 0), np.float32)


def _bands(steps: NDArray[np.float64]) -> NDArray[np.float32]:
    power = np.square(np.abs(np.fft.rfft(steps * np.hanning(_SPECTRUM))))
    sums = np.add.reduceat(power[: _EDGES[-1] + 1], _EDGES[:-1])
    return np.asarray(10 * np.log10(sums / np.diff(_EDGES) + 1e-8), np.float32)


def _decibels(steps: NDArray[np.float64]) -> float:
    return float(10 * np.log10(np.mean(np.square(steps)) + 1e-12))


def _extended(steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """(_COMPARED,): what follows `steps` behind the cut, where both sides are spoilt."""
    weights = _burg(steps, _ORDER)[::-1]
    made = np.concatenate([steps[-_ORDER:], np.zeros(_LOST + _COMPARED)])
    for at in range(_ORDER, len(made)):
        made[at] = weights @ made[at - _ORDER : at]
    return made[-_COMPARED:]


def _burg(steps: NDArray[np.float64], order: int) -> NDArray[np.float64]:
    """Weights of the last samples, latest first, that predict the next one; as librosa.lpc."""
    weights = np.zeros(0)
    forth, back = steps[1:], steps[:-1]
    for _ in range(order):
        power = float(forth @ forth + back @ back)
        reflection = 2 * float(forth @ back) / max(power, 1e-30)
        weights = np.append(weights - reflection * weights[::-1], reflection)
        forth, back = (forth - reflection * back)[1:], (back - reflection * forth)[:-1]
    return weights
