"""noise: what goes on in a recording all the time: its noise floor, and the hum of the mains.

Both are of the recording, not of the sound, as far as they can be measured: the floor is what each
octave keeps above for nine tenths of the time, so a sound with pauses, or with gaps between its
partials, shows what is below it.

source: R. Martin 2001, "Noise power spectral density estimation based on optimal smoothing and
minimum statistics" (floors by band); P. D. Welch 1967 (the spectrum of the hum)
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Waveform
from pocketear.data.decoding.bandwidth import N_FFT, Spectrum

_PERCENTILE = 10  # of the blocks
_LOWEST_BIN = 2  # below it, the Hann window leaks the DC offset
_MOST_BINS = 64  # of an octave that are looked at: more make its median no surer
_SILENCE = 1 / 32768  # below one 16-bit step
_IN_A_ROW = 64  # samples below it: digital silence, not a quiet noise
_MEDIAN_OF_NOISE = np.log(2)  # of a power spectrum's bin, as a share of its mean

_LOW_RATE = 1000  # Hz, about: the least that holds the sixth harmonic of 60 Hz
_SEGMENT, _SHORTEST = 2.0, 0.8  # s: lines are 1 Hz wide in the one and 2.5 Hz in the other
_HUM_FFT = 8192  # a bin each 1/8 Hz at 1 kHz
_MAINS = (50.0, 60.0)  # Hz
_HARMONICS, _STRONGEST = 6, 3
_OFF = 0.4  # Hz by which a line may be off
_ASIDE = (2.5, 12.0)  # Hz from a line, on both sides: what it stands out from
_MOST_DB = 30.0
_AT_ONCE = 64  # segments
_LEAST_POWER = 1e-14


class SpectrumAndFloor(Spectrum):
    """A spectrum that also keeps each block's octaves: for a clip, whose end is known."""

    def __init__(self) -> None:
        super().__init__()
        self._levels: list[NDArray[np.float64]] = []  # (block, octave) each
        self._sounding: list[NDArray[np.bool_]] = []  # (block,) without a part of digital silence

    def _take(self, blocks: NDArray[np.float32]) -> NDArray[np.floating]:
        power = super()._take(blocks)
        rows = np.abs(blocks).reshape(len(blocks), -1, _IN_A_ROW)
        self._levels.append(_octaves(power))
        self._sounding.append((rows.max(axis=2) >= _SILENCE).all(axis=1))
        return power

    def floor(self) -> float:
        """The power of what goes on all the time, full scale = 1: a sine of full scale = 1/2.

        Blocks that are silent in part are asked only where there are no others.
        """
        self._end()
        levels, sounding = np.concatenate(self._levels), np.concatenate(self._sounding)
        own = levels[sounding] if sounding.any() else levels[levels.any(axis=1)]
        bins = float(np.percentile(own, _PERCENTILE, axis=0).sum()) if len(own) else 0.0
        return 2 * bins / (N_FFT * float(np.square(self._window).sum()))


def _octaves(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """(block, bin) -> (block, octave) of the noise's power: a median does not see a partial."""
    bins = power.shape[1] - 1
    edges = [_LOWEST_BIN, *(bins >> shift for shift in range(7, -1, -1))]
    levels = np.empty((len(power), len(edges) - 1))
    for octave, (first, last) in enumerate(pairwise(edges)):
        some = power[:, first : last : max(1, (last - first) // _MOST_BINS)]
        middle = some.shape[1] // 2
        levels[:, octave] = np.partition(some, middle, axis=1)[:, middle] * (last - first)
    return np.asarray(levels / _MEDIAN_OF_NOISE)


class Hum:
    """How far the harmonics of the mains stand out, in a waveform that comes in pieces."""

    def __init__(self, sample_rate: int) -> None:
        """sample_rate: Hz, 1000 or more"""
        self._step = max(1, sample_rate // _LOW_RATE)
        self._rate = sample_rate / self._step
        self._mean = np.full(self._step, 1 / self._step, np.float32)
        self._rest = np.zeros(0, np.float32)
        self._low: list[Waveform] = []

    def add(self, mono: Waveform) -> None:
        """mono: (sample,), the next ones"""
        mono = np.concatenate([self._rest, mono]) if len(self._rest) else mono
        whole = len(mono) // self._step * self._step
        # the mean of a block passes least of what would be taken for a low frequency
        self._low.append(mono[:whole].reshape(-1, self._step) @ self._mean)
        self._rest = mono[whole:].copy()

    def prominence(self) -> float:
        """The mean of the strongest harmonics over what is beside them, in dB, of 50 or 60 Hz.

        Of noise, some 6; 0 for a clip of less than 0.8 s, which holds too few periods to say.
        """
        low = np.concatenate(self._low)
        if len(low) < _SHORTEST * self._rate:
            return 0.0
        power = self._power(low)
        bin_width = self._rate / (2 * (len(power) - 1))
        return max(_comb(power, bin_width, mains) for mains in _MAINS)

    def _power(self, low: Waveform) -> NDArray[np.float64]:
        """(bin,) the mean power spectrum of segments that overlap by half."""
        size = min(len(low), int(_SEGMENT * self._rate))
        segments = np.lib.stride_tricks.sliding_window_view(low, size)[:: max(1, size // 2)]
        window, total = np.hanning(size), np.zeros(_HUM_FFT // 2 + 1)
        for first in range(0, len(segments), _AT_ONCE):
            some = segments[first : first + _AT_ONCE]
            bins = np.fft.rfft((some - some.mean(axis=1, keepdims=True)) * window, _HUM_FFT, axis=1)
            total += np.square(np.abs(bins)).sum(axis=0)
        return np.maximum(total / len(segments), _LEAST_POWER)


def _comb(power: NDArray[np.float64], bin_width: float, mains: float) -> float:
    """The mean of the strongest harmonics of `mains` over what is beside them, in dB."""
    hertz = np.arange(len(power)) * bin_width
    found = []
    for number in range(1, _HARMONICS + 1):
        off = np.abs(hertz - number * mains)
        beside = power[(off >= _ASIDE[0]) & (off <= _ASIDE[1])]
        found.append(10 * np.log10(power[off <= _OFF].max() / np.median(beside)))
    strongest = np.sort(np.clip(found, 0.0, _MOST_DB))[-_STRONGEST:]
    return float(strongest.mean())
