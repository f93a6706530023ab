"""evidence: decoded clips and their names -> the joins that say which are of one recording.

Each clip is looked at once. Waveforms are compared only for the few pairs that an index gives.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.arrays import Waveform
from pocketear.base.parallel import in_threads
from pocketear.data.decoding.audio import Recording, to_waveform
from pocketear.data.decoding.int16 import from_int16
from pocketear.data.grouping import continuity, landmarks
from pocketear.data.grouping.clip_names import named_alike
from pocketear.data.grouping.copies import are_copies, outline, outlines_alike
from pocketear.data.grouping.recordings import Join, pairs_of_equal
from pocketear.data.grouping.same_sound import Overlap, overlap

_BANDS = np.unique(
    np.geomspace(4, 500, 41).astype(int)
)  # FFT bins of continuity.RATE: 60 Hz to 7.8 kHz
_N_FFT, _HOP = 1024, 512  # samples
_ALIKE_DB = 4.0  # root mean square between spectra of clips that a common name joins
_FAR_DB = 20.0  # how far apart clips are that are not alike at all
_DIGITS = 4
_TINY = 1e-12

Waveforms = Callable[[int], Waveform]  # number of a clip -> (sample,) at landmarks.RATE


@dataclass(frozen=True)
class Traits:
    """What joins are found by, of one clip. spectrum: (band,) dB, mean 0."""

    landmarks: landmarks.Landmarks
    outline: NDArray[np.float32]
    ends: continuity.Ends | None
    spectrum: NDArray[np.float32]


def traits(samples: NDArray[np.int16], sample_rate: int) -> Traits:
    """samples: (sample,), as the waveform cache has them"""
    waveform = resampled(samples, sample_rate, continuity.RATE)
    low = resampled(samples, sample_rate, landmarks.RATE)
    return Traits(
        landmarks=landmarks.landmarks(low),
        outline=outline(low),
        ends=continuity.ends(waveform),
        spectrum=spectrum(waveform),
    )


def resampled(samples: NDArray[np.int16], source: int, target: int) -> Waveform:
    """(sample,) at `target` Hz"""
    return to_waveform(Recording(from_int16(samples)[:, np.newaxis], source, ""), target)


def spectrum(waveform: Waveform) -> NDArray[np.float32]:
    """The median spectrum over time, in bands, without its level: room, microphone and noise."""
    padded = np.pad(waveform, (0, max(0, _N_FFT - len(waveform))))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP]
    power = np.square(np.abs(np.fft.rfft(windows * np.hanning(_N_FFT).astype(np.float32))))
    bands = np.add.reduceat(power[:, : _BANDS[-1] + 1], _BANDS[:-1], axis=1)
    sounding = bands.sum(axis=1) > _TINY
    decibels = 10 * np.log10(
        np.median(bands[sounding] if sounding.any() else bands, axis=0) + _TINY
    )
    return np.asarray(decibels - decibels.mean(), np.float32)


def find_joins(table: pd.DataFrame, clips: list[Traits], read: Waveforms) -> list[Join]:
    """All joins between clips, sorted. table: the clip table; clips: the traits of each row"""
    joins = [
        *(Join(a, b, "same_file") for a, b in pairs_of_equal(table["sha256"].to_list())),
        *_copies(table, clips, read),
        *_same_sound(clips, read),
        *_continuing(clips),
        *_named(table["path"].to_list(), clips),
    ]
    by_strength = sorted(joins, key=lambda join: (join.copy, join.strength))
    strongest = {(join.a, join.b, join.kind): join for join in by_strength}
    return [strongest[key] for key in sorted(strongest)]


def _copies(table: pd.DataFrame, clips: list[Traits], read: Waveforms) -> Iterator[Join]:
    """Clips of equal samples, each with the next, and others that are copies; silences are none."""
    silent = np.array([not clip.outline.any() for clip in clips], bool)
    sounds = table["sound"].mask(silent, "").to_list()

    def compared(pair: tuple[int, int]) -> bool:
        return are_copies(read(pair[0]), read(pair[1]), landmarks.RATE)

    outlines = np.array([clip.outline for clip in clips]).reshape(len(clips), -1)
    alike = outlines_alike(outlines, table["duration"].to_numpy())
    pairs = [(a, b) for a, b in alike if sounds[a] != sounds[b]]
    copies = [pair for pair, same in zip(pairs, in_threads(compared, pairs), strict=True) if same]
    for a, b in [*pairs_of_equal(sounds), *copies]:
        yield Join(a, b, "same_sound", share=1.0, copy=True)


def _same_sound(clips: list[Traits], read: Waveforms) -> Iterator[Join]:
    def compared(pair: landmarks.Candidate) -> Overlap | None:
        return overlap(read(pair.a), read(pair.b), pair.offset)

    pairs = list(landmarks.candidates([clip.landmarks for clip in clips]))
    for pair, found in zip(pairs, in_threads(compared, pairs), strict=True):
        if found:
            strength = round(found.correlation, _DIGITS)
            yield Join(pair.a, pair.b, "same_sound", strength, found.share)


def _continuing(clips: list[Traits]) -> Iterator[Join]:
    for found in continuity.continuations([clip.ends for clip in clips]):
        a, b = sorted((found.a, found.b))
        yield Join(a, b, "continues", round(found.gain, _DIGITS))


def _named(paths: list[str], clips: list[Traits]) -> Iterator[Join]:
    """Clips whose names are enough, and clips of one name that sound alike, each with the next."""
    for named in named_alike(paths):
        for a, b in pairwise(named.clips) if named.enough else combinations(named.clips, 2):
            far = float(np.sqrt(np.mean(np.square(clips[a].spectrum - clips[b].spectrum))))
            if named.enough or far < _ALIKE_DB:
                yield Join(a, b, "name", 1.0 if named.enough else round(1 - far / _FAR_DB, _DIGITS))
