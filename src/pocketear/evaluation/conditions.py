"""conditions: a waveform -> the same sound as another phone, room or channel would give it.

None is drawn: noise and room come from a fixed seed, so a clip gives the same samples every time.
Codecs are in data/decoding/codecs.
"""

from collections.abc import Callable

import numpy as np

from pocketear.base.arrays import Waveform
from pocketear.data.decoding.codecs import AAC, AMR_NB, through_codec
from pocketear.data.decoding.int16 import from_int16, to_int16
from pocketear.training.augment import coloured_noise

_NARROW = 8000  # Hz, the sample rate of a telephone
_RINGS = 0.4  # s until a room's sound has fallen by 60 dB
_DIRECT = 0.5  # share of the energy that comes straight from the source
_LATER = 0.1  # s
_PINK = 1.0  # power falls as 1 / frequency
_SEED = 1

Change = Callable[[Waveform, int], Waveform]  # (sample,) and its sample rate in Hz


def phone_band(waveform: Waveform, sample_rate: int) -> Waveform:
    """Through a channel of 8 kHz: nothing is left above 4 kHz."""
    from scipy.signal import resample_poly

    divisor = int(np.gcd(sample_rate, _NARROW))
    up, down = _NARROW // divisor, sample_rate // divisor
    narrow = resample_poly(waveform, up, down)
    wide = resample_poly(narrow, down, up)[: len(waveform)]
    return np.asarray(np.clip(wide, -1, 1), np.float32)


def louder(decibels: float) -> Change:
    """Changed in level, then clipped at full scale and rounded to 16 bits, as a recorder does."""

    def change(waveform: Waveform, sample_rate: int) -> Waveform:
        return from_int16(to_int16(np.asarray(waveform * 10 ** (decibels / 20), np.float32)))

    return change


def noisy(ratio_db: float) -> Change:
    """With pink noise so many decibels below the clip's RMS."""

    def change(waveform: Waveform, sample_rate: int) -> Waveform:
        noise = coloured_noise(len(waveform), _PINK, np.random.default_rng(_SEED))
        rms = np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))
        mixed = waveform + rms * 10 ** (-ratio_db / 20) * noise
        return np.asarray(np.clip(mixed, -1, 1), np.float32)

    return change


def room(waveform: Waveform, sample_rate: int) -> Waveform:
    """In a room: the direct sound, and a tail of noise that falls exponentially.

    source: Moorer 1979, "About this reverberation business", on exponentially decaying noise
    """
    from scipy.signal import fftconvolve

    seconds = np.arange(int(_RINGS * sample_rate)) / sample_rate
    tail = np.random.default_rng(_SEED).standard_normal(len(seconds)) * 10 ** (
        -3 * seconds / _RINGS
    )
    tail *= np.sqrt((1 - _DIRECT) / np.sum(tail**2))
    tail[0] = np.sqrt(_DIRECT)
    rung = fftconvolve(waveform, tail)[: len(waveform)]
    return np.asarray(np.clip(rung, -1, 1), np.float32)


def later(waveform: Waveform, sample_rate: int) -> Waveform:
    """100 ms later, after silence; what leaves the clip at its end is lost."""
    moved = np.concatenate([np.zeros(int(_LATER * sample_rate), np.float32), waveform])
    return moved[: len(waveform)] if len(waveform) > len(moved) // 2 else moved


CONDITIONS: dict[str, Change] = {
    "phone_band": phone_band,
    "amr": lambda waveform, rate: through_codec(waveform, rate, AMR_NB),
    "aac": lambda waveform, rate: through_codec(waveform, rate, AAC),
    "quiet_30": louder(-30),
    "loud_10": louder(10),
    "noise_20": noisy(20),
    "noise_10": noisy(10),
    "noise_0": noisy(0),
    "room": room,
    "shift": later,
}
