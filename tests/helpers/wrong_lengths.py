"""Every container and codec that is opened, and each way in which its length may be wrong."""

from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from sounds import write_by_phone

Kind = tuple[str, str, int]  # libsndfile's format or a file's name, codec, Hz
SECONDS = 2
# libsndfile's that people have; those of samplers and of MATLAB are as libsndfile reads them
FORMATS = ("AIFF", "AU", "CAF", "FLAC", "MP3", "NIST", "OGG", "RF64", "VOC", "W64", "WAV", "WAVEX")
RATES = {"OPUS": 48_000, "GSM610": 8000, "MPEG_LAYER_III": 44_100}
# what nothing here reads, and what libsndfile lists but does not write
LEFT_OUT = {
    *(("WAV", f"NMS_ADPCM_{bits}") for bits in (16, 24, 32)),
    *(("MP3", f"MPEG_LAYER_{layer}") for layer in ("I", "II")),
    ("WAV", "MPEG_LAYER_III"),
    ("AIFF", "DWVW_12"),
}
BY_FFMPEG = [
    ("a.m4a", "aac", 44_100),
    ("b.m4a", "alac", 44_100),
    ("a.3gp", "libopencore_amrnb", 8000),
    ("a.amr", "libopencore_amrnb", 8000),
    ("a.aac", "aac", 44_100),
    ("a.mka", "aac", 48_000),
    ("b.mka", "pcm_s16le", 44_100),
    ("a.webm", "libopus", 48_000),
    ("a.ac3", "ac3", 48_000),
    ("b.caf", "alac", 44_100),
    ("a.ts", "aac", 48_000),
    ("a.avi", "aac", 48_000),
    ("a.flv", "aac", 44_100),
    ("a.asf", "aac", 44_100),
    ("b.mp3", "libmp3lame", 44_100),
    ("a.mp2", "mp2", 44_100),
    ("c.wav", "libmp3lame", 44_100),
    ("a.tta", "tta", 44_100),
    ("a.wv", "wavpack", 44_100),
]


def noise(rate: int) -> NDArray[np.float32]:
    """Two seconds that no codec makes small. Seed 1"""
    return (0.2 * np.random.default_rng(1).standard_normal(SECONDS * rate)).clip(-1, 1).astype("f4")


def by_soundfile() -> list[Kind]:
    return [
        (fmt, subtype, RATES.get(subtype, 16_000))
        for fmt in FORMATS
        for subtype in soundfile.available_subtypes(fmt)
        if soundfile.check_format(fmt, subtype) and (fmt, subtype) not in LEFT_OUT
    ]


def made(folder: Path, kind: Kind) -> Path:
    """A whole file of a kind: two seconds."""
    name, how, rate = kind
    if "." in name:
        return write_by_phone(folder / name, how, rate, noise(rate))
    path = folder / f"a.{name.lower()}"
    soundfile.write(path, noise(rate), rate, how, format=name)
    return path


def variants(content: bytes, cut: int = 61) -> dict[str, tuple[bytes, float]]:
    """What may have become of a file: its bytes, and how often the sound is in it, 0: not whole.

    cut: % of the file that is left of one that is cut
    """
    return {
        "whole": (content, 1),
        "cut": (content[: len(content) * cut // 100], 0),
        "joined": (2 * content, 2),
        "junk before": (b"\0junk" * 40 + content, 1),
        "junk behind": (content + b"junk!\1\2" * 99, 1),
        "a tag behind": (content + b"TAG" + bytes(125), 1),
        "zeros behind": (content + bytes(4096), 1),
    }


KINDS: list[Kind] = [*by_soundfile(), *BY_FFMPEG]
