"""containers: a file of sound -> its samples, piece by piece, within fixed limits.

soundfile reads WAV, FLAC, Ogg and MP3; PyAV reads the rest (m4a, 3gp …), which phones record.
Only containers that hold the sound themselves are opened: a playlist would name other files.
"""

import errno
import os
import re
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from pocketear.base.errors import ClipError

# What a header may ask for, checked before anything is decoded. `validation` is stricter, but it
# judges what was measured; these are for what must not be measured at all.
_MOST_CHANNELS = 64  # a microphone array has as many
_SAMPLE_RATES = (1000, 1_000_000)  # Hz; resampling from fewer makes much memory of a small file
MOST_AT_ONCE = 1 << 21  # samples of all channels that are in memory at once: 8 MiB as float32
_UNKNOWN = 1 << 62  # samples; beyond it, libsndfile says that the header gives no length
_LONGEST_OGG_PAGE, _OGG_END = 65307, 4  # bytes; the flag of a stream's last page
_LOUDEST = 64.0  # a float file beyond this many times full scale is not sound
# FFmpeg's demuxers of containers that people and devices store sound in. None opens another file,
# unlike hls, dash, concat, sdp, image2 and about 300 that nobody needs here.
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,loas,amr,amrnb,amrwb,asf,asf_o,caf,wav,w64,aiff,au,"
    "flac,mp3,ogg,ac3,eac3,dts,dtshd,truehd,mlp,ape,wv,tta,tak,mpc,mpc8,dsf,iff,voc,rm,avi,flv,"
    "mpegts,mpeg,qcp,dss,xwma,sox,ircam,nistsphere,oma,shn"
)
_INTEGERS = re.compile(r"PCM_[SU]?(\d+)")  # libsndfile's samples without compression
_FLOATS = {"FLOAT": 32, "DOUBLE": 64}
_AV_PCM = re.compile(r"pcm_([suf])(\d+)")
# one name a codec, whoever reads it
_SHORT = {"mpeg_layer_iii": "mp3", "mp3float": "mp3", "pcm_mulaw": "ulaw", "pcm_alaw": "alaw"}
# What libsndfile reads without the decoders of Ogg, MP3 and FFmpeg: WAV and AIFF that hold samples
# as they are, and FLAC.
_PLAIN_HEADS = (b"RIFF", b"RF64", b"fLaC", b"FORM")
_PLAIN_SUBTYPES = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_OPTIONS = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}


class NotPlainError(ClipError):
    """A file needs a decoder that should run in a process of its own."""


@dataclass(frozen=True)
class Coding:
    """How a file holds its samples. bit_depth: of one sample, 0 where the codec has none."""

    container: str = ""  # wav, flac, ogg, mp3, mov …
    codec: str = ""  # pcm, flac, vorbis, mp3, aac …
    bit_depth: int = 0


@dataclass(frozen=True)
class Recording:
    """What a file or a piece of it holds. samples: (sample, channel) float32, full scale = 1."""

    samples: NDArray[np.float32]
    sample_rate: int  # Hz
    subtype: str
    coding: Coding = Coding()


@dataclass(frozen=True)
class Part:
    """From `start` to `end` seconds of a file (end 0: to its end), at most `longest` seconds."""

    start: float = 0.0
    end: float = 0.0
    longest: float = inf

    def samples(self, sample_rate: int) -> tuple[int, float]:
        """The number of its first sample, and of the first one behind it."""
        return round(self.start * sample_rate), round(self.end * sample_rate) if self.end else inf


WHOLE = Part()


class _SoundFile(soundfile.SoundFile):
    """Read from its start to its end, without a seek to where it is already after each block."""

    def seekable(self) -> bool:
        return False


def pieces(
    path: Path, part: Part = WHOLE, block: int = MOST_AT_ONCE, *, plain: bool = False
) -> Iterator[Recording]:
    """A part of a file in pieces of about `block` samples a channel, fewer if there are many.

    plain: only WAV, AIFF and FLAC that libsndfile reads without another library
    raises: ClipError if it is missing, empty, truncated, not sound, beyond the limits, or holds
        NaN or infinity; NotPlainError, before the first piece, if it is not `plain`
    """
    _check_file(path)
    done = 0
    for piece in _read_plain(path, part, block) if plain else _read(path, part, block):
        first, _ = part.samples(piece.sample_rate)
        _check_samples(path, piece.samples, first + done)
        done += len(piece.samples)
        if done > part.longest * piece.sample_rate:
            raise _too_long(path, f"lasts {part.longest:g} s and more", part)
        yield piece


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ClipError(f"{path}: not found")
    if path.stat().st_size == 0:
        raise ClipError(f"{path}: the file is empty; record or copy it again")
    if _is_truncated(path):
        raise ClipError(f"{path}: truncated, its end is missing; copy it again")


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


def _check_samples(path: Path, samples: NDArray[np.float32], first: int) -> None:
    """first: the number in the file of the first of `samples`"""
    loudest = max(samples.max(initial=0.0), -samples.min(initial=0.0))  # NaN if there is one
    if not np.isfinite(loudest):
        bad = first + int(np.argmin(np.isfinite(samples).all(axis=1)))
        raise ClipError(f"{path}: sample {bad} is NaN or infinite; export the clip again")
    if loudest > _LOUDEST:
        raise ClipError(f"{path}: samples reach {loudest:.3g}; want [-1, 1]")


def _check_header(path: Path, channels: int, sample_rate: int) -> None:
    if not 1 <= channels <= _MOST_CHANNELS:
        raise ClipError(
            f"{path}: has {channels} channels, want 1 to {_MOST_CHANNELS}; export fewer"
        )
    lowest, highest = _SAMPLE_RATES
    if not lowest <= sample_rate <= highest:
        raise ClipError(
            f"{path}: has a sample rate of {sample_rate} Hz, want {lowest} to {highest}; "
            "export it at another"
        )


def _too_long(path: Path, what: str, part: Part) -> ClipError:
    return ClipError(f"{path}: {what}, want at most {part.longest:g} s; cut it into parts")


def _reason(error: Exception) -> str:
    if getattr(error, "errno", None) == errno.EINVAL:  # FFmpeg's word for a demuxer not on the list
        return "not a container that holds sound itself"
    return str(getattr(error, "strerror", None) or error).lower()


def _read(path: Path, part: Part, block: int) -> Iterator[Recording]:
    """By soundfile, or by PyAV where the format is not soundfile's."""
    with path.open("rb") as raw:
        try:  # by its number: libsndfile then neither judges the name nor looks for files beside it
            file = _SoundFile(raw.fileno(), closefd=False)
        except soundfile.LibsndfileError:
            file = None
        if file:
            with file:
                if (yield from _read_soundfile(path, file, part, block)):
                    return
    yield from _read_av(path, part, block)


def _read_plain(path: Path, part: Part, block: int) -> Iterator[Recording]:
    """By soundfile, if it is one of _PLAIN_HEADS and _PLAIN_SUBTYPES."""
    with path.open("rb", buffering=0) as raw:  # libsndfile goes on where the file stands
        if raw.read(4) in _PLAIN_HEADS:
            raw.seek(0)
            with (
                suppress(soundfile.LibsndfileError),
                _SoundFile(raw.fileno(), closefd=False) as file,
            ):
                plain = file.subtype in _PLAIN_SUBTYPES
                if plain and (yield from _read_soundfile(path, file, part, block)):
                    return
    raise NotPlainError(f"{path}: needs a decoder")


def _read_soundfile(
    path: Path, file: soundfile.SoundFile, part: Part, block: int
) -> Generator[Recording, None, bool]:
    """returns (by `yield from`): False if it turns out at once that this cannot be decoded"""
    rate, declared = int(file.samplerate), int(file.frames)
    _check_header(path, file.channels, rate)
    coding = _coding(str(file.format), str(file.subtype))
    first, last = (min(one, declared) for one in part.samples(rate))
    wanted = max(0, int(last) - int(first))
    if wanted > part.longest * rate and declared < _UNKNOWN:
        raise _too_long(path, f"declares {wanted / rate:.0f} s", part)
    there, block = 0, max(1, min(block, MOST_AT_ONCE // file.channels))
    try:
        file.seek(first)
        while len(samples := file.read(min(block, wanted - there), "float32", always_2d=True)):
            there += len(samples)
            yield Recording(samples, rate, str(file.subtype), coding)
    except soundfile.LibsndfileError as error:
        if not there:
            return False
        raise ClipError(f"{path}: damaged after {there} samples; copy it again") from error
    if there < wanted and declared < _UNKNOWN:
        found = f"{there} of {wanted} samples are there"
        raise ClipError(f"{path}: truncated, {found}; copy it again")
    return True


def _coding(container: str, subtype: str) -> Coding:
    """In libsndfile's words. The subtype of a FLAC is that of its samples."""
    integers = _INTEGERS.match(subtype)
    bits = int(integers[1]) if integers else _FLOATS.get(subtype, 0)
    kind = "pcm" if integers else "float" if bits else subtype
    codec = "flac" if container == "FLAC" else kind.lower()
    return Coding(container.lower(), _SHORT.get(codec, codec), bits)


def _av_coding(container: str, codec: str) -> Coding:
    """In FFmpeg's words: several names of a container, of which the first is taken."""
    name, samples = container.partition(",")[0], _AV_PCM.match(codec)
    if samples:
        return Coding(name, "float" if samples[1] == "f" else "pcm", int(samples[2]))
    return Coding(name, _SHORT.get(codec, codec))


def _read_av(path: Path, part: Part, block: int) -> Iterator[Recording]:
    import av  # 0.1 s and only for what soundfile cannot read

    try:  # "file:", or a folder called `http:` would be an address
        with av.open(f"file:{path}", options=_OPTIONS) as container:
            stream = _sound(path, container, part)
            rate, codec = int(stream.rate), str(stream.codec_context.name)
            coding = _av_coding(str(container.format.name), codec)
            first, last = part.samples(rate)
            there = 0
            for samples in _joined(container, stream, block):
                piece = samples[
                    max(0, first - there) : int(max(0, min(len(samples), last - there)))
                ]
                there += len(samples)
                if len(piece):
                    yield Recording(piece, rate, codec.upper(), coding)
                if there >= last:
                    return
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise ClipError(
            f"{path}: not a sound file that can be read ({_reason(error)}); "
            "convert it to WAV or FLAC, or copy it again"
        ) from error


def _sound(path: Path, container: Any, part: Part) -> Any:
    """The first stream of sound in PyAV's container, if its header keeps the limits."""
    if not container.streams.audio:
        raise ClipError(f"{path}: holds no sound; remove it or give the right file")
    stream = container.streams.audio[0]
    if not stream.codec_context:
        raise ClipError(f"{path}: is in a format without a decoder; convert it to WAV or FLAC")
    _check_header(path, stream.codec_context.channels, int(stream.rate or 0))
    declared = (container.duration or 0) / 1e6  # microseconds
    if not part.end and declared - part.start > part.longest:
        raise _too_long(path, f"declares {declared - part.start:.0f} s", part)
    return stream


def _joined(container: Any, stream: Any, block: int) -> Iterator[NDArray[np.float32]]:
    """Decoded frames (a few hundredths of a second), joined to (sample, channel) of a block."""
    import av

    planar = av.AudioResampler(format="fltp")
    held: list[NDArray[np.float32]] = []  # (channel, sample) each
    count, block = 0, max(1, min(block, MOST_AT_ONCE // stream.codec_context.channels))
    for decoded in container.decode(stream):
        for frame in planar.resample(decoded):
            held.append(np.asarray(frame.to_ndarray(), np.float32))
            count += frame.samples
        if count >= block:
            yield np.ascontiguousarray(np.concatenate(held, axis=1).T)
            held, count = [], 0
    if held:
        yield np.ascontiguousarray(np.concatenate(held, axis=1).T)
