"""audio: a file -> a float32 mono waveform at one sample rate.

Everything goes piece by piece (containers), so that the memory for a file is bounded by its mono
waveform at the sample rate that is wanted, whatever the file declares.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import soxr

from pocketear.base.arrays import Waveform
from pocketear.base.errors import ClipError
from pocketear.data.decoding.containers import pieces
from pocketear.data.decoding.recording import WHOLE, Part
from pocketear.data.decoding.recording import Recording as Recording

LONGEST = 3600.0  # s of one clip: 115 MB at 16 kHz; a longer recording is given as parts
_QUALITY = "HQ"  # soxr's, librosa's default too


class _Resampler:
    """Mono samples by pieces, as soxr makes them of the whole in one call: the same bits."""

    def __init__(self, source: int, target: int) -> None:
        """source, target: Hz"""
        self._stream = None
        if source != target:
            self._stream = soxr.ResampleStream(source, target, 1, dtype="float32", quality=_QUALITY)

    def add(self, mono: Waveform) -> Waveform:
        return self._stream.resample_chunk(mono) if self._stream else mono

    def end(self) -> Waveform:
        rest = np.zeros(0, np.float32)
        return self._stream.resample_chunk(rest, last=True) if self._stream else rest


def read_recording(path: Path, start: float = 0.0, end: float = 0.0) -> Recording:
    """Decode a file, or the part from `start` to `end` seconds, as it is, all in memory.

    raises: ClipError if it is missing, empty, truncated, not audio, or holds NaN or infinity
    """
    part = Part(start, end, LONGEST)
    read = list(pieces(path, part))
    if not read:
        raise no_samples(path, part)
    return replace(read[0], samples=np.concatenate([piece.samples for piece in read]))


def to_waveform(recording: Recording, sample_rate: int) -> Waveform:
    """Mean of the channels, resampled by soxr HQ. returns: (sample,) float32"""
    return np.concatenate(list(resampled(iter([recording]), sample_rate)))


def load_waveform(path: Path, sample_rate: int, start: float = 0.0, end: float = 0.0) -> Waveform:
    """A file, or the part from `start` to `end` seconds, as `to_waveform` makes it.

    raises: ClipError as `read_recording`
    """
    part = Part(start, end, LONGEST)
    made = list(resampled(pieces(path, part), sample_rate))
    if not made:
        raise no_samples(path, part)
    return np.concatenate(made)


def stream_waveform(
    path: Path, sample_rate: int, block: int, part: Part = WHOLE
) -> Iterator[Waveform]:
    """A file of any length and format as mono waveform pieces, decoded and resampled on the way.

    block: samples of the file decoded at a time; the pieces' lengths vary with the resampler
    raises: ClipError as `read_recording`
    """
    return resampled(pieces(path, part, block), sample_rate)


def stream_plain(path: Path, sample_rate: int, block: int, part: Part) -> Iterator[Waveform]:
    """`stream_waveform` of a container that needs no decoder of others' making.

    raises: NotPlainError before the first piece if it needs one; ClipError as `read_recording`
    """
    return resampled(pieces(path, part, block, plain=True), sample_rate)


def resampled(read: Iterator[Recording], sample_rate: int) -> Iterator[Waveform]:
    """Mean of the channels, resampled by soxr HQ, in pieces."""
    resampler: _Resampler | None = None
    for piece in read:
        resampler = resampler or _Resampler(piece.sample_rate, sample_rate)
        yield resampler.add(piece.samples.mean(axis=1, dtype=np.float32))
    if resampler:
        yield resampler.end()


def no_samples(path: Path, part: Part) -> ClipError:
    """The error of a file, or a part of one, without a sample."""
    if part == Part(longest=part.longest):
        return ClipError(f"{path}: holds no samples; record or copy it again")
    return ClipError(
        f"{path}: holds no samples between {part.start:g} s and its end; check start, end"
    )
