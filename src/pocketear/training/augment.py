"""augment: training waveforms -> windows that differ every epoch. NumPy only, nothing is exported.

Between-class mixing after Tokozume et al. 2018 (arXiv 1711.10282), with one change: the target is
shared by how loud the two sounds are in the mixture, so a window of silence asks for no label.
"""

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Scores, Waveform, WindowBatch
from pocketear.params import AugmentParams

_SILENCE = 1e-5  # RMS, -100 dB re full scale: below it a window has no level to speak of
_MOST_BOOST = 30.0  # times that mixing raises the quieter of two windows: beyond is noise
_NOISE_RANGE_DB = 30.0  # above the least distance of noise: from there on it is hardly audible
_OCTAVES = 7  # below half the sample rate, in which a drawn microphone has a response of its own


def unchanged(params: AugmentParams) -> AugmentParams:
    """Windows as they were recorded, from where `params` would take them."""
    nothing = dict.fromkeys(
        (
            "mix_share",
            "speed",
            "gain_db",
            "quiet_share",
            "band_share",
            "noise_share",
            "response_db",
        ),
        0.0,
    )
    return params.model_copy(update=nothing)


class Sounds(Protocol):
    """Clips by number, and what each of them is."""

    @property
    def targets(self) -> Scores:
        """(clip, label) of all clips"""

    def waveform(self, clip: int) -> Waveform:
        """(sample,) of one clip"""


def level(waveform: Waveform) -> float:
    """RMS, full scale = 1; never below the silence that 16 bits can hold."""
    return max(_SILENCE, float(np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))))


def cut(waveform: Waveform, start: float, length: int, speed: float = 1.0) -> Waveform:
    """`length` samples from `start`, played at `speed`; zeros where the waveform has ended.

    Pitch moves with speed. Linear interpolation: what it blurs lies near half the sample rate.
    """
    at = start + speed * np.arange(length)
    first = int(start)
    piece = waveform[first : int(at[-1]) + 2]
    place = np.arange(first, first + len(piece))
    return np.asarray(np.interp(at, place, piece, right=0.0), np.float32)


def colour(
    window: Waveform, response_db: float, rng: np.random.Generator, cutoff: float = 0.5
) -> Waveform:
    """Filter `window` by a room and microphone drawn at random, and by a narrow channel.

    response_db: standard deviation of their gain at each octave; between octaves it is a straight
        line over the logarithm of the frequency. The phase stays.
    cutoff: cycles a sample, up to 0.5; nothing is left above it, as after a resampler or a codec
    returns: (sample,) float32
    """
    gain_db = np.interp(
        _octaves(len(window)), range(_OCTAVES + 1), rng.normal(0, response_db, _OCTAVES + 1)
    )
    spectrum = np.fft.rfft(window) * 10 ** (gain_db / 20)
    spectrum[int(2 * cutoff * (len(spectrum) - 1)) + 1 :] = 0
    return np.asarray(np.fft.irfft(spectrum, len(window)), np.float32)


def coloured_noise(length: int, slope: float, rng: np.random.Generator) -> Waveform:
    """Noise of RMS 1 whose power falls as frequency ** -slope: 0 white, 1 pink, 2 brown.

    returns: (length,) float32
    """
    size = length // 2 + 1
    frequency = np.maximum(1, np.arange(size)) / size
    spectrum = frequency ** (-slope / 2) * np.exp(2j * np.pi * rng.random(size))
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), np.float32)


def add_noise(window: Waveform, params: AugmentParams, rng: np.random.Generator) -> Waveform:
    """`window` with noise of a random colour, `params.noise_db` or more below it."""
    ratio_db = rng.uniform(params.noise_db, params.noise_db + _NOISE_RANGE_DB)
    noise = coloured_noise(len(window), rng.uniform(0, 2), rng)
    return np.asarray(window + level(window) * 10 ** (-ratio_db / 20) * noise, np.float32)


@lru_cache(maxsize=1)
def _octaves(samples: int) -> NDArray[np.float64]:
    """(bin,) of each FFT bin: octaves above the lowest that `colour` distinguishes, at least 0."""
    lowest = 0.5 / 2**_OCTAVES  # cycles a sample
    above = np.maximum(np.fft.rfftfreq(samples), lowest) / lowest
    return np.asarray(np.log2(above))


def draw_window(
    waveform: Waveform, length: int, params: AugmentParams, rng: np.random.Generator
) -> Waveform:
    """A window at a random place, speed, level, response and bandwidth. returns: (length,)"""
    speed = (1 + params.speed) ** rng.uniform(-1, 1)
    last = max(0.0, len(waveform) - length * speed) if params.shift else 0.0
    gain = 10 ** (rng.uniform(-params.gain_db, params.gain_db) / 20)
    if rng.random() < params.quiet_share:
        gain *= 10 ** (-rng.uniform(0, params.quiet_db) / 20)
    window = cut(waveform, rng.uniform(0, last), length, speed)
    window = (gain * window).astype(np.float32)
    narrow = rng.random() < params.band_share
    if not (narrow or params.response_db):
        return window
    cutoff = rng.uniform(params.band, 0.5) if narrow else 0.5
    return colour(window, params.response_db, rng, cutoff)


def mix(first: Waveform, second: Waveform, share: float) -> tuple[Waveform, float]:
    """Add two windows so that the first is about `share` of the mixture.

    share: in (0, 1)
    returns: the mixture, as loud as either; the share of the first that came about, which is
             less than asked for where it is much quieter than the second (0 where it is silent)
    """
    louder = np.clip(level(first) / level(second), 1 / _MOST_BOOST, _MOST_BOOST)
    weight = 1 / (1 + louder * (1 - share) / share)
    mixture = (weight * first + (1 - weight) * second) / np.hypot(weight, 1 - weight)
    own, other = weight * level(first), (1 - weight) * level(second)
    return mixture.astype(np.float32), own / (own + other)


def draw_batch(
    sounds: Sounds,
    drawn: tuple[NDArray[np.int64], NDArray[np.int64]],
    params: AugmentParams,
    length: int,
    rng: np.random.Generator,
) -> tuple[WindowBatch, Scores]:
    """A window of each clip that is drawn, some mixed with a window of another.

    drawn: (window,) the clips of the windows; (any,) those that they may be mixed with
    returns: (window, length) and the target of each (window, label), whose rows sum to 1
    """
    targets, (clips, others) = sounds.targets, drawn
    windows = np.empty((len(clips), length), np.float32)
    shares = np.empty((len(clips), targets.shape[1]), np.float32)
    for row, clip in enumerate(clips):
        window, target = draw_window(sounds.waveform(int(clip)), length, params, rng), targets[clip]
        if rng.random() < params.mix_share:
            other = int(others[rng.integers(len(others))])
            second = draw_window(sounds.waveform(other), length, params, rng)
            window, share = mix(window, second, rng.uniform(0.01, 0.99))
            target = share * target + (1 - share) * targets[other]
        noisy = rng.random() < params.noise_share
        windows[row] = add_noise(window, params, rng) if noisy else window
        shares[row] = target
    return windows, shares
