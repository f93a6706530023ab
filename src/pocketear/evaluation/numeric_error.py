"""numeric_error: probes with known extremes, and how far one runtime is from another."""

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import FeatureBatch
from pocketear.frontend.librosa_features import mel_matrix
from pocketear.params import FrontEndParams

PROBES = ("digital silence", "full-scale noise", "noise at -80 dBFS", "clipped sine", "impulse")
# Of a frame's amplitude (-54 dB). 1e-4 of a power there is 1e-7 of the frame's amplitude, which is
# as exact as float32 is (2**-23), however a frame is transformed (docs/decisions/0002).
QUIET = 2e-3
MOST_SNR_DB = 200.0  # stands for no error
Powers: TypeAlias = NDArray[np.floating[Any]]
Errors: TypeAlias = NDArray[np.float64]


def probes(frontend: FrontEndParams, seed: int) -> dict[str, NDArray[np.float32]]:
    """Windows with known extremes, by name. Each (window_length,) float32."""
    length, rng = frontend.window_length, np.random.default_rng(seed)
    noise = rng.uniform(-1, 1, length)
    impulse = np.zeros(length)
    impulse[length // 2] = 1.0
    sine = np.sin(2 * np.pi * 440 * np.arange(length) / frontend.sample_rate)
    sounds = (np.zeros(length), noise, noise * 1e-4, np.clip(10 * sine, -1, 1), impulse)
    return {name: sound.astype(np.float32) for name, sound in zip(PROBES, sounds, strict=True)}


def power_error(values: Powers, expected: Powers, loudest: Powers, floor: float) -> Errors:
    """Relative error of each power; one far below its frame is judged as if it were QUIET.

    It is taken of amplitudes, where a DFT's rounding is the same for loud and quiet bins, and
    doubled, which makes it the power's own.

    values, expected: (…, frame, power); loudest: (…, frame, 1) the most that the frame could give
    floor: the power that the logarithm starts from; what is less is judged as if it were that
    """
    found, wanted, whole = (
        np.sqrt(np.asarray(powers, np.float64)) for powers in (values, expected, loudest)
    )
    scale = np.maximum(wanted, np.maximum(QUIET * whole, math.sqrt(floor)))
    return np.asarray(2 * np.abs(found - wanted) / scale)


def row_error(values: FeatureBatch, expected: FeatureBatch) -> Errors:
    """Error of each value relative to the largest of its row (the last axis)."""
    largest = np.abs(expected.astype(np.float64)).max(axis=-1, keepdims=True)
    error = np.abs(values.astype(np.float64) - expected)
    return np.asarray(error / np.maximum(largest, np.finfo(np.float32).tiny))


def powers_of(log_mel: FeatureBatch, frontend: FrontEndParams) -> NDArray[np.float64]:
    """The mel powers under a log-mel, dB or nepers; of mel magnitudes, their squares."""
    scale = math.log(10) / 10 if frontend.log == "db" else 1.0
    return as_powers(np.exp(log_mel.astype(np.float64) * scale), frontend)


def as_powers(mels: Powers, frontend: FrontEndParams) -> NDArray[np.float64]:
    """Mels as powers: squared if they are sums of magnitudes."""
    powers = np.asarray(mels, np.float64)
    return powers if frontend.spectrum == "power" else np.square(powers)


def floor_power(frontend: FrontEndParams) -> float:
    """The floor of the logarithm as `as_powers` has it."""
    return frontend.floor if frontend.spectrum == "power" else frontend.floor**2


def loudest_mel(frame_power: Powers, frontend: FrontEndParams) -> Powers:
    """The most power that a frame of `frame_power` could give any mel, as `as_powers` has it."""
    filters = mel_matrix(frontend)
    most = filters.max() if frontend.spectrum == "power" else np.square(filters).sum(axis=0).max()
    return np.asarray(frame_power * most)


def snr_db(values: FeatureBatch, expected: FeatureBatch) -> float:
    """Signal to error ratio over everything; MOST_SNR_DB where there is no error."""
    error = float(np.square(values.astype(np.float64) - expected).sum())
    signal = float(np.square(expected, dtype=np.float64).sum())
    if error == 0 or signal == 0:
        return MOST_SNR_DB if error == 0 else -MOST_SNR_DB
    return min(MOST_SNR_DB, 10 * math.log10(signal / error))
