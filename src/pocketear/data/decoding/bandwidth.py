"""bandwidth: up to which frequency a recording holds sound, whatever its sample rate says.

Speech of 8 kHz that was resampled to 44.1 kHz, or went through a codec that cuts off its treble,
ends in a steep edge: the long-term spectrum falls by tens of dB within a fifth of an octave and
stays down. Sounds do not end so: air, rooms and microphones fall off by 6 to 24 dB an octave.
So an edge is looked for, not a level, and what a sound is made of moves the figure little.

source: P. D. Welch 1967 (the spectrum); the search for the edge is our own.
"""

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Waveform

N_FFT = 2048  # samples: bins of 21.5 Hz at 44.1 kHz
_AT_ONCE = 256  # blocks: 2 MiB
_BAND = 100.0  # Hz; the median of a band's bins does not see a tone
_LOWEST = 1000.0  # Hz; below it, single sounds have edges of their own
_BELOW, _ABOVE = 0.80, 1.15  # of the edge's frequency: where it is filled, where it is empty
_EDGE_DB = 15.0
_OWN_FILTER = 0.8  # of half the rate: resamplers keep 0.8 to 0.95 of it
_LEAST_POWER = 1e-14  # a bin; 16-bit rounding gives 1e-13 (-101 dBFS over 1024 bins)


class Spectrum:
    """The mean power spectrum of a waveform that comes in pieces (Hann, no overlap)."""

    def __init__(self) -> None:
        self._window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
        self._rest = np.zeros(0, np.float32)
        self._sum = np.zeros(N_FFT // 2 + 1)
        self._blocks = 0

    def add(self, mono: Waveform) -> None:
        """mono: (sample,), the next ones"""
        mono = np.concatenate([self._rest, mono]) if len(self._rest) else mono
        whole = len(mono) // N_FFT * N_FFT
        blocks = mono[:whole].reshape(-1, N_FFT)
        for first in range(0, len(blocks), _AT_ONCE):
            self._take(blocks[first : first + _AT_ONCE])
        self._rest = mono[whole:].copy()

    def _take(self, blocks: NDArray[np.float32]) -> NDArray[np.floating]:
        """blocks: (block, N_FFT). returns: their power spectra, (block, bin)"""
        bins = np.fft.rfft(blocks * self._window, axis=1)
        power = bins.real**2 + bins.imag**2  # (block, bin)
        self._sum += power.sum(axis=0, dtype=np.float64)
        self._blocks += len(blocks)
        return power

    def power(self) -> NDArray[np.float64]:
        """(bin,), a sine of full scale = 1/4; of less than a block, padded with zeros."""
        self._end()
        return self._sum / self._blocks / float(self._window.sum()) ** 2

    def _end(self) -> None:
        if not self._blocks:
            self._take(np.pad(self._rest, (0, N_FFT - len(self._rest)))[None])


def bandwidth(waveform: Waveform, sample_rate: int) -> float:
    """`cutoff` of one waveform, in Hz. waveform: (sample,)"""
    spectrum = Spectrum()
    spectrum.add(waveform)
    return cutoff(spectrum.power(), sample_rate)


def cutoff(power: NDArray[np.float64], sample_rate: int) -> float:
    """The frequency of the steepest edge behind which nothing comes back, in Hz.

    power: (bin,) up to half of sample_rate, as `Spectrum.power`
    returns: half of sample_rate where there is no such edge, as for a tone or for silence, or where
        it is that of the filter which every recording at this rate has gone through
    """
    nyquist = sample_rate / 2
    level, width = _band_levels(power, nyquist / (len(power) - 1))
    count = len(level)
    edges = np.arange(1, count + 1)  # an edge behind so many bands
    first = np.floor(edges * _BELOW).astype(int)
    behind = np.minimum(np.ceil(edges * _ABOVE).astype(int), count)
    sums = np.concatenate([[0.0], np.cumsum(level)])
    filled = (sums[edges] - sums[first]) / (edges - first)
    loudest_from = np.append(np.maximum.accumulate(level[::-1])[::-1], np.inf)
    drop = filled - loudest_from[behind]
    drop[edges * width < _LOWEST] = -np.inf
    steepest = int(np.argmax(drop))
    if drop[steepest] < _EDGE_DB:
        return nyquist
    slope = level[: behind[steepest]] >= filled[steepest] - _EDGE_DB / 2
    edge = float((np.flatnonzero(slope)[-1] + 1) * width)
    return edge if edge < _OWN_FILTER * nyquist else nyquist


def _band_levels(power: NDArray[np.float64], bin_width: float) -> tuple[NDArray[np.float64], float]:
    """The median of the bins in each band of about 100 Hz, in dB. returns: (band,), Hz of a band"""
    bins = max(1, round(_BAND / bin_width))
    whole = (len(power) - 1) // bins * bins
    middle = np.median(power[1 : whole + 1].reshape(-1, bins), axis=1)
    return 10 * np.log10(np.maximum(middle, _LEAST_POWER)), bins * bin_width
