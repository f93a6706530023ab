"""recording: what a decoder gives, which part of it is wanted, and the limits that hold for all."""

import re
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketear.base.errors import ClipError

# What a header may ask for, checked before anything is decoded. `validation` is stricter, but it
# judges what was measured; these are for what must not be measured at all.
_MOST_CHANNELS = 64  # a microphone array has as many
_SAMPLE_RATES = (1000, 1_000_000)  # Hz; resampling from fewer makes much memory of a small file
MOST_AT_ONCE = 1 << 21  # samples of all channels that are in memory at once: 8 MiB as float32
_INTEGERS = re.compile(r"PCM_[SU]?(\d+)")  # libsndfile's samples without compression
_FLOATS = {"FLOAT": 32, "DOUBLE": 64}
_AV_PCM = re.compile(r"pcm_([suf])(\d+)")
# one name a codec, whoever reads it
_SHORT = {"mpeg_layer_iii": "mp3", "mp3float": "mp3", "pcm_mulaw": "ulaw", "pcm_alaw": "alaw"}


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


def check_header(path: Path, channels: int, sample_rate: int) -> None:
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


def too_long(path: Path, what: str, part: Part) -> ClipError:
    return ClipError(f"{path}: {what}, want at most {part.longest:g} s; cut it into parts")


def truncated(path: Path, found: str = "its end is missing") -> ClipError:
    return ClipError(f"{path}: truncated, {found}; copy it again")


def coding(container: str, subtype: str) -> Coding:
    """In libsndfile's words. The subtype of a FLAC is that of its samples."""
    integers = _INTEGERS.match(subtype)
    bits = int(integers[1]) if integers else _FLOATS.get(subtype, 0)
    kind = "pcm" if integers else "float" if bits else subtype
    codec = "flac" if container == "FLAC" else kind.lower()
    return Coding(container.lower(), _SHORT.get(codec, codec), bits)


def av_coding(container: str, codec: str) -> Coding:
    """In FFmpeg's words: several names of a container, of which the first is taken."""
    name, samples = container.partition(",")[0], _AV_PCM.match(codec)
    if samples:
        return Coding(name, "float" if samples[1] == "f" else "pcm", int(samples[2]))
    return Coding(name, _SHORT.get(codec, codec))
