"""Sounds with known answers, written to real files in every format that a phone or a person has."""

from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import soundfile
from numpy.typing import NDArray


def tone(seconds: float = 1.0, sample_rate: int = 16_000, hz: float = 440.0) -> NDArray[np.float32]:
    """A sine at half of full scale, (sample,)."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    return (0.5 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def write(
    path: Path,
    samples: NDArray[np.floating[Any]] | None = None,
    sample_rate: int = 16_000,
    subtype: str | None = None,
) -> Path:
    """Write a tone, or `samples`, by soundfile; the name's ending is the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        path, tone(sample_rate=sample_rate) if samples is None else samples, sample_rate, subtype
    )
    return path


def write_by_phone(
    path: Path,
    codec: str = "aac",
    sample_rate: int = 44_100,
    samples: NDArray[np.float32] | None = None,
) -> Path:
    """Write a second of the tone, or `samples`, as phones do: AAC or AMR in .m4a or .3gp."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = tone(1.0, sample_rate) if samples is None else samples
    pcm = np.rint(sound * 32767).astype("<i2")[None, :]
    with av.open(str(path), "w") as container:
        stream = cast(av.AudioStream, container.add_stream(codec, rate=sample_rate, layout="mono"))
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = sample_rate
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return path


def halved(path: Path) -> Path:
    """Cut off the second half of a file."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def write_with(path: Path, value: float) -> Path:
    """Write a tone whose sample 7 is `value`, NaN or infinite for instance."""
    samples = tone()
    samples[7] = value
    return write(path, samples, subtype="FLOAT")


def silence(path: Path, seconds: int, sample_rate: int, channels: int) -> Path:
    """Write digital silence second by second: much of it, in few bytes where it is FLAC."""
    second = np.zeros((sample_rate, channels), np.int16)
    with soundfile.SoundFile(path, "w", sample_rate, channels, "PCM_16") as file:
        for _ in range(seconds):
            file.write(second)
    return path


def declaring(path: Path, samples: int) -> Path:
    """Have the header of a FLAC declare `samples` a channel, below 2^36; 0: unknown (RFC 9639)."""
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | samples >> 32
    content[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(content)
    return path
