"""landmarks: waveforms -> pairs of clips that may hold the same sound, and at which offset.

A landmark is two spectral peaks: their frequencies and the time between them. Level does not change
it, nor do a codec, another sample rate or a cut elsewhere. Clips that share landmarks at one offset
are found in an index, so no two waveforms are compared for it.
Source: A. Wang, "An industrial-strength audio search algorithm", ISMIR 2003.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from pocketear.base.arrays import Waveform

RATE = 8000  # Hz: what a telephone leaves of a sound is enough
HOP = 128  # samples, 16 ms
_N_FFT = 512  # samples, 64 ms, Hann
_LOW, _HIGH = 8, 224  # FFT bins: 125 to 3500 Hz
_FRAMES = 9  # frames and
_BINS = 15  # bins around a peak, of which it is the highest
_RANGE = 1e-3  # peaks 60 dB below the loudest of a clip are none,
_FLOOR = 1e-4  # nor are those at the level of 16-bit rounding
_AHEAD = (2, 63)  # frames from the first peak to the second
_ASIDE = 31  # bins between them, at most
_FAN = 6  # landmarks that begin at one peak,
_SEARCH = 24  # in so many peaks that follow
_CROWD = 400  # a landmark that more places have says nothing about one recording
_LEAST = 8  # landmarks at one offset; chance gave at most 12 in 80,000 pairs of ESC-10
_BLOCK = 4096  # frames transformed at a time


@dataclass(frozen=True)
class Landmarks:
    """Of one clip. codes: (landmark,) int64; frames: (landmark,) int64, of the first peak."""

    codes: NDArray[np.int64]
    frames: NDArray[np.int64]


@dataclass(frozen=True)
class Candidate:
    """Clips a < b, by number. offset: samples at RATE from the start of a to that of b."""

    a: int
    b: int
    offset: int


def landmarks(waveform: Waveform) -> Landmarks:
    """waveform: (sample,) at RATE, any length"""
    frames, bins = _peaks(_magnitudes(waveform))
    starts, codes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    used = np.zeros(len(frames), np.int64)  # landmarks that begin at each peak so far
    for step in range(1, min(_SEARCH, len(frames))):
        ahead, aside = frames[step:] - frames[:-step], bins[step:] - bins[:-step]
        near = (ahead >= _AHEAD[0]) & (ahead <= _AHEAD[1]) & (np.abs(aside) <= _ASIDE)
        first = np.flatnonzero(near & (used[:-step] < _FAN))
        used[first] += 1
        starts.append(frames[first])
        codes.append((bins[first] * 64 + aside[first] + _ASIDE) * 64 + ahead[first])
    return Landmarks(np.concatenate(codes), np.concatenate(starts))


def candidates(clips: list[Landmarks]) -> Iterator[Candidate]:
    """Pairs of clips with enough landmarks at one offset, each pair once, at its best offset."""
    codes = np.concatenate([np.zeros(0, np.int64), *(clip.codes for clip in clips)])
    frames = np.concatenate([np.zeros(0, np.int64), *(clip.frames for clip in clips)])
    owners = np.repeat(np.arange(len(clips)), [len(clip.codes) for clip in clips])
    order = np.argsort(codes, kind="stable")
    codes, frames, owners = codes[order], frames[order], owners[order]
    for a, clip in enumerate(clips):
        asked, found = _look_up(codes, clip.codes)
        later = owners[found] > a
        asked, found = asked[later], found[later]
        yield from _best(a, owners[found], clip.frames[asked] - frames[found])


def _magnitudes(waveform: Waveform) -> NDArray[np.float32]:
    """(frame, bin) of a short-time Fourier transform."""
    padded = np.pad(waveform, (0, max(0, _N_FFT - len(waveform))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::HOP]
    hann = np.hanning(_N_FFT).astype(np.float32)
    blocks = [
        np.abs(fft.rfft(windows[at : at + _BLOCK] * hann, axis=1)[:, _LOW:_HIGH])
        for at in range(0, len(windows), _BLOCK)
    ]
    return np.concatenate(blocks)


def _peaks(magnitudes: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Frames and bins of the local maxima, by time."""
    highest = ndimage.maximum_filter(magnitudes, (_FRAMES, _BINS))
    floor = max(_FLOOR, float(magnitudes.max()) * _RANGE)
    frames, bins = np.nonzero((magnitudes == highest) & (magnitudes > floor))
    return frames, bins


def _look_up(
    index: NDArray[np.int64], codes: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which code is where in a sorted index, all places of it: numbers of codes, of entries."""
    first = np.searchsorted(index, codes)
    counts = np.searchsorted(index, codes, "right") - first
    counts[counts > _CROWD] = 0
    asked = np.repeat(np.arange(len(codes)), counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return asked, first[asked] + within


def _best(a: int, clips: NDArray[np.int64], offsets: NDArray[np.int64]) -> Iterator[Candidate]:
    """Clips that share enough with clip a at one offset, give or take a frame."""
    wide, zero = 1 << 24, 1 << 23  # frames: more than the longest clip has
    places, counts = np.unique(clips * wide + offsets + zero, return_counts=True)
    shared = counts.copy()
    beside = np.diff(places) == 1
    shared[1:][beside] += counts[:-1][beside]
    shared[:-1][beside] += counts[1:][beside]
    enough = shared >= _LEAST
    places, shared = places[enough], shared[enough]
    best = places[np.lexsort((places, -shared, places // wide))]
    clip, first = np.unique(best // wide, return_index=True)
    for b, place in zip(clip.tolist(), best[first].tolist(), strict=True):
        yield Candidate(a, b, (place % wide - zero) * HOP)
