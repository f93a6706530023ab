"""backgrounds: what a room sounds like when nobody cries or laughs."""

import numpy as np

from pocketear.data.synthesis.signals import Signal, band, drift, filtered, noise, place, unit
from pocketear.data.synthesis.voices import Voice, speech

_KNOCK_SECONDS = 0.08


def pink(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """Noise that falls by 2 to 5 dB an octave, as of wind, traffic or a fan."""
    slope = rng.uniform(2, 5) / 6.02
    hiss = noise(rng, samples, lambda f: np.maximum(f, 40.0) ** -slope, sample_rate)
    return hiss * (1 + 0.25 * np.clip(drift(rng, samples, 2 / sample_rate), -2, 2))


def hum(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """Mains hum or a motor: steady harmonics over a little noise."""
    base = rng.choice([50.0, 60.0, 100.0, 120.0, rng.uniform(70, 240)])
    number = np.arange(1, int(rng.integers(4, 24)))
    level = rng.uniform(0.2, 1, len(number)) / number ** rng.uniform(0.3, 1.2)
    phase = rng.uniform(0, 2 * np.pi, len(number))
    time = np.arange(samples) / sample_rate
    tones = [
        a * np.sin(2 * np.pi * base * n * time + p)
        for n, a, p in zip(number, level, phase, strict=True)
    ]
    return unit(np.sum(tones, axis=0)) + 0.2 * pink(rng, voice, samples, sample_rate)


def rain(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """Drops, hundreds to thousands a second, over a hiss."""
    drops = np.zeros(samples)
    count = int(samples / sample_rate * 10 ** rng.uniform(2.3, 3.7))
    np.add.at(drops, rng.integers(0, samples, count), rng.standard_exponential(count) ** 1.5)
    low = rng.uniform(300, 1500)
    fall = unit(filtered(drops, lambda f: band(f, low, 6500), sample_rate))
    return fall + rng.uniform(0.1, 0.8) * pink(rng, voice, samples, sample_rate)


def ticks(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """A clock, steps or knocking: short decaying rings, regular or nearly so."""
    out = np.zeros(samples)
    period, sway = rng.uniform(0.3, 1.1), rng.choice([0.0, 0.03, 0.25])
    ring, decay = (
        rng.choice([rng.uniform(250, 900), rng.uniform(1500, 5500)]),
        rng.uniform(0.002, 0.02),
    )
    time = np.arange(round(_KNOCK_SECONDS * sample_rate)) / sample_rate
    at = rng.uniform(0, period)
    while at * sample_rate < samples:
        tone = np.sin(2 * np.pi * ring * rng.uniform(0.9, 1.1) * time)
        click = (tone + 0.5 * rng.standard_normal(len(time))) * np.exp(-time / decay)
        place(click * rng.uniform(0.5, 1), out, round(at * sample_rate))
        at += period * (1 + sway * rng.uniform(-1, 1))
    return out


def babble(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """Several people at once, none of them near."""
    people = [speech(rng, voice, samples, sample_rate) for _ in range(int(rng.integers(3, 6)))]
    return unit(np.sum([unit(person) * rng.uniform(0.4, 1) for person in people], axis=0))


def silence(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """Nothing: only the room's own noise is left."""
    return np.zeros(samples)
