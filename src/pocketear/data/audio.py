"""audio: a file -> a float32 mono waveform at one sample rate, and what can be measured of it.

soundfile reads WAV, FLAC, Ogg and MP3; PyAV reads the rest (m4a, 3gp …), which phones record.
"""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from pocketear.base.arrays import Waveform
from pocketear.base.errors import ClipError

_BLOCK_SECONDS = 0.01  # silence is judged in blocks of 10 ms
_INT16 = 32768
_FULL_SCALE = (_INT16 - 1) / _INT16  # the loudest positive 16-bit sample: at or above it, clipped
_QUALITY = "HQ"  # soxr's, librosa's default too
_LONGEST_OGG_PAGE, _OGG_END = 65307, 4  # bytes; the flag of a stream's last page
_AT_ONCE = 1 << 20  # samples that PyAV joins at once
_LOUDEST = 64.0  # a float file beyond this many times full scale is not sound


@dataclass(frozen=True)
class Recording:
    """What a file holds. samples: (sample, channel) float32, full scale = 1."""

    samples: NDArray[np.float32]
    sample_rate: int  # Hz
    subtype: str


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


def read_recording(path: Path, start: float = 0.0, end: float = 0.0) -> Recording:
    """Decode a file, or the part from `start` to `end` seconds (end 0: to its end).

    raises: ClipError if it is missing, empty, truncated, not audio, or holds NaN or infinity
    """
    _check_file(path)
    recording = _read_soundfile(path, start, end) or _read_av(path, start, end)
    if not len(recording.samples):
        raise ClipError(
            f"{path}: holds no samples between {start:g} s and its end; check start, end"
        )
    _check_samples(path, recording.samples)
    return recording


def to_waveform(recording: Recording, sample_rate: int) -> Waveform:
    """Mean of the channels, resampled by soxr HQ. returns: (sample,) float32"""
    mono: Waveform = recording.samples.mean(axis=1, dtype=np.float32)
    if recording.sample_rate == sample_rate:
        return mono
    resampled = soxr.resample(mono, recording.sample_rate, sample_rate, quality=_QUALITY)
    return np.asarray(resampled, np.float32)


def load_waveform(path: Path, sample_rate: int, start: float = 0.0, end: float = 0.0) -> Waveform:
    """`read_recording`, then `to_waveform`."""
    return to_waveform(read_recording(path, start, end), sample_rate)


def decode_clip(
    path: Path, start: float, end: float, sample_rate: int
) -> tuple[NDArray[np.int16], dict[str, Any]]:
    """Decode a file, or a part of it. returns: (sample,), the fields of its Measurement

    raises: ClipError if it cannot be decoded
    """
    recording = read_recording(path, start, end)
    waveform = to_waveform(recording, sample_rate)
    return to_int16(waveform), asdict(measure(recording))


def to_int16(waveform: Waveform) -> NDArray[np.int16]:
    """Round to 16 bits; beyond full scale is cut off."""
    scaled = np.rint(waveform * _INT16)
    return np.clip(scaled, -_INT16, _INT16 - 1).astype("<i2")


def from_int16(samples: NDArray[np.int16]) -> Waveform:
    """16-bit samples -> [-1, 1)"""
    return np.asarray(samples / np.float32(_INT16), np.float32)


def measure(recording: Recording) -> Measurement:
    """Level, peak, clipping, DC and silence of a recording, over all its channels."""
    samples = recording.samples
    power = float(np.mean(np.square(samples, dtype=np.float64)))
    block = max(1, round(recording.sample_rate * _BLOCK_SECONDS))
    quiet = np.abs(samples).max(axis=1) < 1 / _INT16  # below one 16-bit step: digital silence
    whole = len(quiet) // block * block
    blocks = quiet[:whole].reshape(-1, block).all(axis=1) if whole else quiet.all(keepdims=True)
    return Measurement(
        duration=len(samples) / recording.sample_rate,
        sample_rate=recording.sample_rate,
        channels=samples.shape[1],
        subtype=recording.subtype,
        level_dbfs=float(10 * np.log10(max(power, 1e-20))),
        peak=float(np.abs(samples).max()),
        clipped_share=float(np.mean(np.abs(samples) >= _FULL_SCALE)),
        dc_offset=float(np.abs(samples.mean(axis=0, dtype=np.float64)).max()),
        silence_share=float(blocks.mean()),
    )


def stream_waveform(path: Path, sample_rate: int, block: int) -> Iterator[Waveform]:
    """A file of any length and format as mono waveform pieces, decoded and resampled on the way.

    block: samples of the file decoded at a time; the pieces' lengths vary with the resampler
    raises: ClipError as `read_recording`
    """
    _check_file(path)
    resampler, done = None, 0
    for piece in _pieces(path, block):
        _check_samples(path, piece.samples, done)
        done += len(piece.samples)
        mono = piece.samples.mean(axis=1, dtype=np.float32)
        if piece.sample_rate == sample_rate:
            yield mono
            continue
        resampler = resampler or soxr.ResampleStream(
            piece.sample_rate, sample_rate, 1, dtype="float32", quality=_QUALITY
        )
        yield resampler.resample_chunk(mono)
    if resampler:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ClipError(f"{path}: not found")
    if path.stat().st_size == 0:
        raise ClipError(f"{path}: the file is empty; record or copy it again")
    if _is_truncated(path):
        raise ClipError(f"{path}: truncated, its end is missing; copy it again")


def _check_samples(path: Path, samples: NDArray[np.float32], first: int = 0) -> None:
    """first: the number in the file of the first of `samples`"""
    finite = np.isfinite(samples).all(axis=1)
    if not finite.all():
        bad = first + int(np.argmin(finite))
        raise ClipError(f"{path}: sample {bad} is NaN or infinite; export the clip again")
    loudest = np.abs(samples).max(initial=0.0)
    if loudest > _LOUDEST:
        raise ClipError(f"{path}: samples reach {loudest:.3g}; want [-1, 1]")


def _is_truncated(path: Path) -> bool:
    """Whether a WAV is shorter than its header says, or the last Ogg page does not end a stream.

    libsndfile reads both without a word. A WAV that was written to a pipe declares no length.
    source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF); RFC 3533 (Ogg)
    """
    with path.open("rb") as file:
        head = file.read(8)
        size = file.seek(0, os.SEEK_END)
        if head[:4] == b"RIFF":
            declared = int.from_bytes(head[4:], "little")
            return (
                declared not in (0, 0xFFFFFFFF) and declared + 8 > size + 1
            )  # a pad byte may lack
        if head[:4] == b"OggS":
            file.seek(max(0, size - _LONGEST_OGG_PAGE))
            last = file.read().rpartition(b"OggS")[2]
            return len(last) > 1 and not last[1] & _OGG_END
    return False


def _read_soundfile(path: Path, start: float, end: float) -> Recording | None:
    """None where the format is not soundfile's."""
    try:
        with soundfile.SoundFile(path) as file:
            declared = file.frames
            first = min(round(start * file.samplerate), declared)
            last = min(round(end * file.samplerate), declared) if end else declared
            file.seek(first)
            samples = file.read(max(0, last - first), dtype="float32", always_2d=True)
            subtype = str(file.subtype)
            rate = int(file.samplerate)
    except soundfile.LibsndfileError:
        return None
    _check_length(path, len(samples), last - first)
    return Recording(samples, rate, subtype)


def _check_length(path: Path, there: int, declared: int) -> None:
    if there < declared:
        found = f"{there} of {declared} samples are there"
        raise ClipError(f"{path}: truncated, {found}; copy it again")


def _read_av(path: Path, start: float, end: float) -> Recording:
    pieces = list(_pieces_av(path, _AT_ONCE))
    if not pieces:
        return Recording(np.zeros((0, 1), np.float32), 1, "")
    samples = np.concatenate([piece.samples for piece in pieces])
    rate = pieces[0].sample_rate
    last = round(end * rate) if end else len(samples)
    part = np.ascontiguousarray(samples[round(start * rate) : last])
    return Recording(part, rate, pieces[0].subtype)


def _pieces(path: Path, block: int) -> Iterator[Recording]:
    """A file in pieces of about `block` samples."""
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError:
        yield from _pieces_av(path, block)
        return
    with file:
        there, rate, subtype = 0, int(file.samplerate), str(file.subtype)
        try:
            # not file.blocks, which repeats what it read last where a file ends too early
            while len(samples := file.read(block, dtype="float32", always_2d=True)):
                there += len(samples)
                yield Recording(samples, rate, subtype)
        except soundfile.LibsndfileError as error:
            raise ClipError(f"{path}: damaged after {there} samples; copy it again") from error
        _check_length(path, there, file.frames)


def _pieces_av(path: Path, block: int) -> Iterator[Recording]:
    import av  # 0.1 s and only for what soundfile cannot read

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ClipError(f"{path}: holds no sound; remove it or give the right file")
            stream = container.streams.audio[0]
            rate, subtype = int(stream.rate), str(stream.codec_context.name).upper()
            planar = av.AudioResampler(format="fltp")
            held: list[NDArray[np.float32]] = []  # (channel, sample) each, a few hundredths of 1 s
            count = 0
            for decoded in container.decode(stream):
                for frame in planar.resample(decoded):
                    held.append(np.asarray(frame.to_ndarray(), np.float32))
                    count += frame.samples
                if count >= block:
                    yield Recording(np.concatenate(held, axis=1).T, rate, subtype)
                    held, count = [], 0
            if held:
                yield Recording(np.concatenate(held, axis=1).T, rate, subtype)
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise ClipError(
            f"{path}: not a sound file that can be read ({_reason(error)}); "
            "convert it to WAV or FLAC, or copy it again"
        ) from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
