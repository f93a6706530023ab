"""signals: the few pieces that every synthetic sound is made of. Plain NumPy, float64.

Filters are real gains over the spectrum, so they need no state and no start-up. Nothing here feeds
back, so that a difference in the last bit stays one and vanishes in 16-bit samples.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.floating]  # (sample,)
Curve = NDArray[np.floating]  # anything over time or frequency
Gain = Callable[[Curve], Curve]  # frequencies in Hz -> factors

_PERIOD = 4096  # points in a table of one period
_TABLES_AN_OCTAVE = 6
_FRAME_SECONDS = 0.02
_ACTIVE = 0.1  # a frame counts as sound from this share of the loudest frame's power on


def curve(values: list[float], samples: int) -> Curve:
    """A smooth line through `values`, evenly spread over `samples`."""
    at = np.linspace(0, len(values) - 1, samples)
    part = at % 1
    eased: Curve = at - part + part * part * (3 - 2 * part)  # level at each value
    return np.interp(eased, np.arange(len(values)), values)


def drift(rng: np.random.Generator, samples: int, per_sample: float) -> Curve:
    """A slow random walk about 0, standard deviation about 1, with `per_sample` turns a sample."""
    points = rng.standard_normal(int(samples * per_sample) + 2)
    at: Curve = np.arange(samples) * per_sample
    walk: Curve = np.interp(at, np.arange(len(points)), points)
    return walk


def band(frequency: Curve, low: float, high: float, order: int = 4) -> Curve:
    """A band-pass gain with soft edges at `low` and `high` Hz."""
    ratio = np.maximum(frequency, 1e-3)
    edges: Curve = (1 + (low / ratio) ** order) * (1 + (ratio / high) ** order)
    return 1 / np.sqrt(edges)


def resonances(frequency: Curve, centres: list[float], width: float) -> Curve:
    """Peaks at `centres` Hz, each `width` of its frequency wide, over a low floor."""
    peaks = [1 / (1 + ((frequency - centre) / (width * centre)) ** 2) for centre in centres]
    total: Curve = np.sum(peaks, axis=0)
    return total + 0.05


def filtered(signal: Signal, gain: Gain, sample_rate: int) -> Signal:
    """`signal` with each frequency multiplied by `gain`."""
    samples = len(signal)
    length = fft_length(samples + sample_rate // 20)  # room for what would come round at the end
    spectrum = np.fft.rfft(signal, length)
    spectrum *= gain(np.fft.rfftfreq(length, 1 / sample_rate))
    return np.fft.irfft(spectrum, length)[:samples]


def fft_length(samples: int) -> int:
    """The next length that a fast transform likes: 5 to 8 times a power of two."""
    block = 1 << max(0, (samples - 1).bit_length() - 3)
    return -(-samples // block) * block


def noise(rng: np.random.Generator, samples: int, gain: Gain, sample_rate: int) -> Signal:
    """Gaussian noise with the given spectrum, RMS 1."""
    return unit(filtered(rng.standard_normal(samples), gain, sample_rate))


def pulses(pitch: Curve, sample_rate: int) -> Signal:
    """A train of pulses at a moving `pitch` (Hz a sample): every harmonic that fits, equally loud.

    Read from a table of one period; a higher pitch reads one with fewer harmonics, so none folds
    back from above half the sample rate.
    """
    top, lowest = 0.47 * sample_rate, pitch.min()
    row = np.ceil(_TABLES_AN_OCTAVE * np.log2(pitch / lowest)).astype(int)
    counts = top / lowest / 2 ** (np.arange(row.max() + 1) / _TABLES_AN_OCTAVE)
    number = np.arange(_PERIOD // 2 + 1)
    spectrum = np.where((number >= 1) & (number <= counts[:, None]), -0.5j * _PERIOD, 0)
    tables = np.fft.irfft(spectrum, _PERIOD)  # (table, phase), a sum of sines
    phase = np.cumsum(pitch) / sample_rate % 1 * _PERIOD
    before = phase.astype(int)
    here: Signal = tables[row, before]
    there: Signal = tables[row, (before + 1) % _PERIOD]
    return blend(here, there, phase - before)


def blend(one: Signal, two: Signal, share: Curve) -> Signal:
    """`one` where `share` is 0, `two` where it is 1, and between them what lies between."""
    return one + (two - one) * share


def unit(signal: Signal) -> Signal:
    """`signal` at RMS 1; silence stays silence."""
    return signal / max(1e-9, float(np.sqrt(np.mean(np.square(signal)))))


def active_level(signal: Signal, sample_rate: int) -> float:
    """RMS of the parts of a signal in which something sounds."""
    frame = round(_FRAME_SECONDS * sample_rate)
    whole = len(signal) // frame * frame
    power = np.mean(np.square(signal[:whole]).reshape(-1, frame), axis=1)
    return float(np.sqrt(np.mean(power[power >= _ACTIVE * power.max()])))


def place(signal: Signal, onto: Signal, at: int) -> None:
    """Add `signal` to `onto`, its first sample at `at`; what lies outside is cut off."""
    first, last = max(0, at), min(len(onto), at + len(signal))
    if first < last:
        onto[first:last] += signal[first - at : last - at]


def mix(sound: Signal, background: Signal, snr_db: float, sample_rate: int) -> Signal:
    """`sound` at an active level of 1 over `background`, `snr_db` below it."""
    level = active_level(sound, sample_rate)
    foreground = sound / level if level else sound
    return foreground + unit(background) * 10 ** (-snr_db / 20)
