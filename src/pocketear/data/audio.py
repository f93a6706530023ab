"""audio: a file -> a float32 mono waveform at one sample rate, and what can be measured of it.

Everything goes piece by piece (data/containers), so that the memory for a file is bounded by its
mono waveform at the sample rate that is wanted, whatever the file declares.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import fsum
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from pocketear.base.arrays import Waveform
from pocketear.base.errors import ClipError
from pocketear.data.containers import WHOLE, Part, pieces
from pocketear.data.containers import Recording as Recording

LONGEST = 3600.0  # s of one clip: 115 MB at 16 kHz; a longer recording is given as parts
_BLOCK_SECONDS = 0.01  # silence is judged in blocks of 10 ms
_INT16 = 32768
_FULL_SCALE = (_INT16 - 1) / _INT16  # the loudest positive 16-bit sample: at or above it, clipped
_SILENCE = 1 / _INT16  # below one 16-bit step in all channels
_QUALITY = "HQ"  # soxr's, librosa's default too


@dataclass(frozen=True)
class Measurement:
    """What `validate` judges a clip by; units as in clips.COLUMNS."""

    duration: float
    sample_rate: int
    channels: int
    subtype: str
    level_dbfs: float
    peak: float
    clipped_share: float
    dc_offset: float
    silence_share: float


class Meter:
    """Level, peak, clipping, DC and silence of a recording, over all its channels, by pieces."""

    def __init__(self, first: Recording) -> None:
        """first: the first piece, which `add` is given too"""
        self._rate, self._subtype = first.sample_rate, first.subtype
        self._channels = first.samples.shape[1]
        self._block = max(1, round(self._rate * _BLOCK_SECONDS))
        self._count, self._clipped, self._peak = 0, 0, 0.0
        self._powers: list[float] = []  # of the pieces: sums of squares
        self._sums: list[NDArray[np.float64]] = []  # of the pieces: a sum a channel
        self._rest = np.zeros((0, self._channels), np.float32)  # behind the last whole block
        self._blocks, self._silent = 0, 0

    def add(self, samples: NDArray[np.float32]) -> None:
        """samples: (sample, channel), the next ones"""
        loudness = np.abs(samples)
        self._count += len(samples)
        self._peak = max(self._peak, float(loudness.max(initial=0.0)))
        self._clipped += int(np.count_nonzero(loudness >= _FULL_SCALE))
        self._powers.append(float(np.sum(np.square(samples, dtype=np.float64))))
        self._sums.append(samples.sum(axis=0, dtype=np.float64))
        blocks = np.concatenate([self._rest, loudness]) if len(self._rest) else loudness
        whole = len(blocks) // self._block * self._block
        loudest = blocks[:whole].reshape(-1, self._block * self._channels).max(axis=1)
        self._blocks += len(loudest)
        self._silent += int(np.count_nonzero(loudest < _SILENCE))
        self._rest = blocks[whole:].copy()

    def measurement(self) -> Measurement:
        """Of what was added."""
        power = fsum(self._powers) / (self._count * self._channels)
        means = np.sum(self._sums, axis=0) / self._count
        rest = float(self._rest.max(initial=0.0) < _SILENCE)
        return Measurement(
            duration=self._count / self._rate,
            sample_rate=self._rate,
            channels=self._channels,
            subtype=self._subtype,
            level_dbfs=float(10 * np.log10(max(power, 1e-20))),
            peak=self._peak,
            clipped_share=self._clipped / (self._count * self._channels),
            dc_offset=float(np.abs(means).max()),
            silence_share=self._silent / self._blocks if self._blocks else rest,
        )


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
        raise _no_samples(path, part)
    samples = np.concatenate([piece.samples for piece in read])
    return Recording(samples, read[0].sample_rate, read[0].subtype)


def to_waveform(recording: Recording, sample_rate: int) -> Waveform:
    """Mean of the channels, resampled by soxr HQ. returns: (sample,) float32"""
    return np.concatenate(list(_waveform(iter([recording]), sample_rate)))


def load_waveform(path: Path, sample_rate: int, start: float = 0.0, end: float = 0.0) -> Waveform:
    """A file, or the part from `start` to `end` seconds, as `to_waveform` makes it.

    raises: ClipError as `read_recording`
    """
    part = Part(start, end, LONGEST)
    made = list(_waveform(pieces(path, part), sample_rate))
    if not made:
        raise _no_samples(path, part)
    return np.concatenate(made)


def decode_clip(
    path: Path, start: float, end: float, sample_rate: int
) -> tuple[NDArray[np.int16], dict[str, Any]]:
    """Decode a file, or a part of it.

    returns: (sample,), the fields of its Measurement and `sound`, the SHA-256 of the samples

    raises: ClipError if it cannot be decoded
    """
    part = Part(start, end, LONGEST)
    meter: Meter | None = None

    def measured() -> Iterator[Recording]:
        nonlocal meter
        for piece in pieces(path, part):
            meter = meter or Meter(piece)
            meter.add(piece.samples)
            yield piece

    made = [to_int16(waveform) for waveform in _waveform(measured(), sample_rate)]
    if not meter:
        raise _no_samples(path, part)
    samples = np.concatenate(made)
    sound = hashlib.sha256(samples.tobytes()).hexdigest()
    return samples, {**asdict(meter.measurement()), "sound": sound}


def to_int16(waveform: Waveform) -> NDArray[np.int16]:
    """Round to 16 bits; beyond full scale is cut off."""
    scaled = np.rint(waveform * _INT16)
    return np.clip(scaled, -_INT16, _INT16 - 1).astype("<i2")


def from_int16(samples: NDArray[np.int16]) -> Waveform:
    """16-bit samples -> [-1, 1)"""
    return np.asarray(samples / np.float32(_INT16), np.float32)


def measure(recording: Recording) -> Measurement:
    """Level, peak, clipping, DC and silence of a recording, over all its channels."""
    meter = Meter(recording)
    meter.add(recording.samples)
    return meter.measurement()


def stream_waveform(
    path: Path, sample_rate: int, block: int, part: Part = WHOLE
) -> Iterator[Waveform]:
    """A file of any length and format as mono waveform pieces, decoded and resampled on the way.

    block: samples of the file decoded at a time; the pieces' lengths vary with the resampler
    raises: ClipError as `read_recording`
    """
    return _waveform(pieces(path, part, block), sample_rate)


def stream_plain(path: Path, sample_rate: int, block: int, part: Part) -> Iterator[Waveform]:
    """`stream_waveform` of a container that needs no decoder of others' making.

    raises: NotPlainError before the first piece if it needs one; ClipError as `read_recording`
    """
    return _waveform(pieces(path, part, block, plain=True), sample_rate)


def _waveform(read: Iterator[Recording], sample_rate: int) -> Iterator[Waveform]:
    """Mean of the channels, resampled by soxr HQ, in pieces."""
    resampler: _Resampler | None = None
    for piece in read:
        resampler = resampler or _Resampler(piece.sample_rate, sample_rate)
        yield resampler.add(piece.samples.mean(axis=1, dtype=np.float32))
    if resampler:
        yield resampler.end()


def _no_samples(path: Path, part: Part) -> ClipError:
    return ClipError(
        f"{path}: holds no samples between {part.start:g} s and its end; check start, end"
    )
