"""measure: what can be measured of a recording while it is decoded, piece by piece.

`validate` judges clips by it, and data/audit asks whether it tells the labels apart. Apart from
audio.py, so that another measure reruns no model.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import fsum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Waveform
from pocketear.data.decoding.audio import LONGEST, no_samples, resampled, to_waveform
from pocketear.data.decoding.bandwidth import cutoff
from pocketear.data.decoding.containers import pieces
from pocketear.data.decoding.depth import Depth
from pocketear.data.decoding.int16 import to_int16
from pocketear.data.decoding.noise import Hum, SpectrumAndFloor
from pocketear.data.decoding.recording import Part, Recording

_BLOCK_SECONDS = 0.01  # silence is judged in blocks of 10 ms
_INT16 = 32768
_FULL_SCALE = (_INT16 - 1) / _INT16  # the loudest positive 16-bit sample: at or above it, clipped
_SILENCE = 1 / _INT16  # below one 16-bit step
_LEAST_POWER = 1e-20  # -200 dBFS stands for nothing


@dataclass(frozen=True)
class Measurement:
    """What `validate` judges a clip by; units as in clips.COLUMNS."""

    duration: float
    sample_rate: int
    channels: int
    subtype: str
    container: str
    codec: str
    bit_depth: int
    level_dbfs: float
    peak: float
    clipped_share: float
    dc_offset: float
    silence_share: float
    leading_silence: float
    trailing_silence: float
    noise_floor_dbfs: float
    bandwidth: float
    bits_in_use: int
    hum: float


class Meter:
    """All of a Measurement, of a recording that comes in pieces.

    Level and silence are of what a model gets: the mean of the channels at its sample rate. Peak,
    clipping, DC and bits are of all channels, the noise floor, the hum and the bandwidth of their
    mean at the file's rate.
    """

    def __init__(self, first: Recording, sample_rate: int) -> None:
        """first: the first piece, which `add` is given too; sample_rate: the model's, in Hz"""
        self._first, self._rate = first, sample_rate
        self._channels = first.samples.shape[1]
        self._count, self._clipped, self._peak = 0, 0, 0.0
        self._given = 0  # samples of the model
        self._powers: list[float] = []  # of the model's pieces: sums of squares
        self._sums: list[NDArray[np.float64]] = []  # of the pieces: a sum a channel
        self._blocks = _Blocks(max(1, round(sample_rate * _BLOCK_SECONDS)))
        self._spectrum = SpectrumAndFloor()
        self._depth, self._hum = Depth(), Hum(first.sample_rate)

    def add(self, samples: NDArray[np.float32]) -> None:
        """samples: (sample, channel), the next ones"""
        loudness = np.abs(samples)
        self._count += len(samples)
        self._peak = max(self._peak, float(loudness.max(initial=0.0)))
        self._clipped += int(np.count_nonzero(loudness >= _FULL_SCALE))
        self._sums.append(samples.sum(axis=0, dtype=np.float64))
        mono = samples[:, 0]
        if self._channels > 1:
            mono = samples.mean(axis=1, dtype=np.float32)
        self._spectrum.add(mono)
        self._hum.add(mono)
        self._depth.add(samples)

    def add_given(self, waveform: Waveform) -> None:
        """waveform: (sample,), the next ones that a model gets"""
        self._given += len(waveform)
        self._powers.append(float(np.sum(np.square(waveform, dtype=np.float64))))
        self._blocks.add(np.abs(waveform) < _SILENCE)

    def measurement(self) -> Measurement:
        """Of what was added."""
        rate, coding = self._first.sample_rate, self._first.coding
        power = fsum(self._powers) / max(1, self._given)
        means = np.sum(self._sums, axis=0) / self._count
        duration = self._count / rate
        leading, trailing, share = self._blocks.silence()
        block = self._blocks.length / self._rate
        return Measurement(
            duration=duration,
            sample_rate=rate,
            channels=self._channels,
            subtype=self._first.subtype,
            container=coding.container,
            codec=coding.codec,
            bit_depth=coding.bit_depth,
            level_dbfs=_dbfs(power),
            peak=self._peak,
            clipped_share=self._clipped / (self._count * self._channels),
            dc_offset=float(np.abs(means).max()),
            silence_share=share,
            leading_silence=min(duration, leading * block),
            trailing_silence=min(duration, trailing * block),
            noise_floor_dbfs=_dbfs(self._spectrum.floor()),
            bandwidth=cutoff(self._spectrum.power(), rate),
            bits_in_use=self._depth.bits(),
            hum=self._hum.prominence(),
        )


class _Blocks:
    """Which blocks of a recording are digital silence."""

    def __init__(self, length: int) -> None:
        """length: samples of a block"""
        self.length = length
        self._rest = np.zeros(0, np.bool_)  # behind the last whole block
        self._silent: list[NDArray[np.bool_]] = []

    def add(self, quiet: NDArray[np.bool_]) -> None:
        """quiet: (sample,), below a 16-bit step"""
        quiet = np.concatenate([self._rest, quiet])
        whole = len(quiet) // self.length * self.length
        self._silent.append(np.asarray(quiet[:whole].reshape(-1, self.length).all(axis=1)))
        self._rest = quiet[whole:].copy()

    def silence(self) -> tuple[int, int, float]:
        """returns: silent blocks before and behind all others, and the share of all that are"""
        silent = np.concatenate(self._silent)
        if not len(silent):  # of a recording shorter than a block, what there is
            silent = np.array([self._rest.all()])
        if silent.all():
            return len(silent), len(silent), 1.0
        leading, trailing = int(np.argmin(silent)), int(np.argmin(silent[::-1]))
        return leading, trailing, float(np.count_nonzero(silent) / len(silent))


def measure(recording: Recording, sample_rate: int = 0) -> Measurement:
    """All that is measured of a recording in memory. sample_rate: the model's, 0: its own"""
    rate = sample_rate or recording.sample_rate
    meter = Meter(recording, rate)
    meter.add(recording.samples)
    meter.add_given(to_waveform(recording, rate))
    return meter.measurement()


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
            meter = meter or Meter(piece, sample_rate)
            meter.add(piece.samples)
            yield piece

    made = []
    for waveform in resampled(measured(), sample_rate):
        if meter:
            meter.add_given(waveform)
        made.append(to_int16(waveform))
    if not meter:
        raise no_samples(path, part)
    samples = np.concatenate(made)
    sound = hashlib.sha256(samples.tobytes()).hexdigest()
    return samples, {**asdict(meter.measurement()), "sound": sound}


def _dbfs(power: float) -> float:
    return float(10 * np.log10(max(power, _LEAST_POWER)))
