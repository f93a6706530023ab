"""voices: cry, laugh, speech and animals, as harmonics and noise through a vocal tract.

Sources: LaGasse, Neal & Lester 2005 (cry: 300 to 600 Hz, bouts of about a second, breaths between);
Bachorowski, Smoski & Owren 2001 (laugh: about five bursts a second, voiced and unvoiced).
"""

from dataclasses import dataclass, replace

import numpy as np

from pocketear.data.synthesis.signals import (
    Curve,
    Signal,
    band,
    blend,
    curve,
    drift,
    filtered,
    noise,
    place,
    pulses,
    resonances,
    unit,
)

_BABY = [1050.0, 2200.0, 4300.0, 6500.0]  # Hz, formants of a vocal tract of about 8 cm
_VOWELS = [
    [730, 1090, 2440],
    [270, 2290, 3010],
    [300, 870, 2240],
    [530, 1840, 2480],
    [570, 840, 2410],
]


@dataclass(frozen=True)
class Voice:
    """Who makes a sound."""

    pitch: float  # Hz, of an easy cry
    tract: float  # length of the vocal tract, an average baby's = 1
    hoarseness: float  # 0: clear, 1: all noise
    grown: float = 1.0  # divides the pitch and the formants of laughter; a baby's = 1


def larynx(rng: np.random.Generator, pitch: Curve, sample_rate: int) -> Signal:
    """The pulses of a voice that holds this pitch as well as a voice can."""
    return pulses(pitch * (1 + 0.006 * drift(rng, len(pitch), 60 / sample_rate)), sample_rate)


def mouth(source: Signal, formants: list[float], tilt: float, sample_rate: int) -> Signal:
    """Pulses through `formants` (Hz), falling by `tilt` dB an octave; weak below the first."""

    def gain(frequency: Curve) -> Curve:
        falling = (np.maximum(frequency, 200.0) / 1000) ** (-tilt / 6.02)
        radiated = band(frequency, 0.6 * formants[0], 8000)
        return resonances(frequency, formants, 0.2) * falling * radiated

    return unit(filtered(source, gain, sample_rate))


def voiced(
    rng: np.random.Generator, pitch: Curve, formants: list[float], tilt: float, sample_rate: int
) -> Signal:
    """A voice with this pitch and one shape of mouth."""
    return mouth(larynx(rng, pitch, sample_rate), formants, tilt, sample_rate)


def breathy(
    rng: np.random.Generator, samples: int, formants: list[float], sample_rate: int
) -> Signal:
    """Turbulent air through `formants`."""

    def gain(frequency: Curve) -> Curve:
        return resonances(frequency, formants, 0.3) * band(frequency, 600, 7000)

    return noise(rng, samples, gain, sample_rate)


def swell(samples: int, attack: float, release: float) -> Curve:
    """An envelope from 0 to 1 and back; attack and release are shares of its length."""
    time = np.linspace(0, 1, samples)
    rise = np.minimum(time / attack, (1 - time) / release)
    return np.sin(np.pi / 2 * np.clip(rise, 0, 1)) ** 2


def cry(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """Bouts of crying with a breath drawn in before each next one."""
    out = np.zeros(samples)
    formants = [formant / voice.tract for formant in _BABY]
    style = rng.uniform([0.65, 1.0, 0.95, 0.85, 0.5], [1.0, 1.35, 1.45, 1.2, 0.95])
    seconds, pause = rng.uniform(0.35, 1.5), rng.uniform(0.15, 0.5)
    at = round(rng.uniform(-0.4, 0.4) * sample_rate)
    while at < samples:
        length = round(seconds * rng.uniform(0.75, 1.25) * sample_rate)
        place(_bout(rng, voice, style, length, sample_rate) * rng.uniform(0.6, 1), out, at)
        gap = round(pause * rng.uniform(0.7, 1.3) * sample_rate)
        breath = breathy(rng, gap, [1.3 * formant for formant in formants], sample_rate)
        place(breath * swell(gap, 0.6, 0.3) * rng.uniform(0.02, 0.25), out, at + length)
        at += length + gap
    return out


def _bout(
    rng: np.random.Generator, voice: Voice, style: Curve, samples: int, sample_rate: int
) -> Signal:
    """One breath's worth of crying: a pitch that arches, tremor, and hoarse stretches."""
    arch = curve(list(style * rng.uniform(0.93, 1.07, len(style))), samples)
    time = np.arange(samples) / sample_rate
    tremor = 1 + rng.uniform(0.002, 0.03) * np.sin(2 * np.pi * rng.uniform(4, 9) * time)
    pitch = voice.pitch * arch * tremor
    open_mouth = rng.uniform(0.85, 1.2)
    formants = [open_mouth * formant / voice.tract for formant in _BABY]
    tone = voiced(rng, pitch, formants, rng.uniform(5, 11), sample_rate)
    air = breathy(rng, samples, formants, sample_rate)
    rough = np.clip(voice.hoarseness + 0.35 * drift(rng, samples, 3 / sample_rate), 0.02, 0.9)
    return blend(tone, air, rough) * swell(samples, 0.12, rng.uniform(0.1, 0.4))


def laugh(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """Runs of short bursts near five a second, pitch and loudness falling, a breath at the end."""
    out = np.zeros(samples)
    at = round(rng.uniform(-0.3, 0.6) * sample_rate)
    grown = replace(voice, grown=rng.uniform(0.9, 1.9))  # from a baby's voice to a woman's
    while at < samples:
        at = laugh_once(rng, grown, out, at, sample_rate)
        at += round(rng.uniform(0.1, 0.8) * sample_rate)
    return out


def laugh_once(
    rng: np.random.Generator, voice: Voice, out: Signal, at: int, sample_rate: int
) -> int:
    """Put one run of laughter at `at`; gives where it ends."""
    period = sample_rate / rng.uniform(3.8, 6.2)
    count = int(rng.integers(3, 10))
    formants = [rng.uniform(0.85, 1.15) * formant / voice.tract / voice.grown for formant in _BABY]
    high = voice.pitch / voice.grown * rng.uniform(0.85, 1.5)
    fall, voicing, share = rng.uniform(0.5, 0.95), rng.random(), rng.uniform(0.35, 0.75)
    for number in range(count):
        length = round(period * share * rng.uniform(0.8, 1.2))
        pitch = high * fall ** (number / count) * curve([0.92, 1.05, 0.85], length)
        air = breathy(rng, length, formants, sample_rate)
        tone = (
            voiced(rng, pitch, formants, 5, sample_rate)
            if rng.random() < voicing + 0.25
            else 0 * air
        )
        burst = tone * swell(length, 0.3, 0.5) + air * swell(length, 0.15, 0.8) * rng.uniform(
            0.1, 0.5
        )
        place(burst * 0.9**number * rng.uniform(0.6, 1), out, at)
        at += round(period * rng.uniform(0.9, 1.1))
    breath = round(rng.uniform(0.15, 0.4) * sample_rate)
    place(breathy(rng, breath, formants, sample_rate) * swell(breath, 0.6, 0.3) * 0.15, out, at)
    return at + breath


def speech(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """Syllables of a man, a woman or a child: a vowel that moves to another, some with a hiss."""
    out = np.zeros(samples)
    grown = rng.uniform(1.0, 2.0)
    pitch_now = float(np.interp(grown, [1.0, 2.0], [voice.pitch * 0.9, 105]))
    at = round(rng.uniform(-0.2, 0.3) * sample_rate)
    while at < samples:
        length = round(rng.uniform(0.1, 0.32) * sample_rate)
        one, two = (np.array(_VOWELS[i]) * 1.9 / grown / 1.05 for i in rng.integers(0, 5, 2))
        pitch = pitch_now * rng.uniform(0.85, 1.2) * curve([1.0, 1.06, 0.9], length)
        source = larynx(rng, pitch, sample_rate)
        start, end = (mouth(source, list(vowel), 9, sample_rate) for vowel in (one, two))
        vowels = blend(start, end, np.linspace(0, 1, length))
        place(vowels * swell(length, 0.2, 0.3), out, at)
        if rng.random() < 0.4:
            hiss = round(rng.uniform(0.05, 0.12) * sample_rate)
            sound = noise(rng, hiss, lambda f: band(f, 3000, 7500), sample_rate)
            place(sound * swell(hiss, 0.3, 0.3) * 0.25, out, at - hiss // 2)
        pause = rng.uniform(0.2, 0.5) if rng.random() < 0.15 else rng.uniform(0.0, 0.06)
        at += length + round(pause * sample_rate)
    return out


def meow(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """A cat or two: one long arch, near a cry in pitch, mouth opening and closing."""
    out = np.zeros(samples)
    at = round(rng.uniform(0, 0.6) * sample_rate)
    base = rng.uniform(450, 800)
    while at < samples:
        length = round(rng.uniform(0.4, 1.1) * sample_rate)
        pitch = base * curve(list(rng.uniform([0.7, 1.0, 0.7], [0.9, 1.2, 0.9])), length)
        source = larynx(rng, pitch, sample_rate)
        closed = mouth(source, [700, 2400], 12, sample_rate)
        opened = mouth(source, [1700, 3400, 6000], 5, sample_rate)
        place(blend(closed, opened, swell(length, 0.5, 0.5)) * swell(length, 0.2, 0.3), out, at)
        at += length + round(rng.uniform(0.5, 1.5) * sample_rate)
    return out


def bark(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """A dog: hoarse bursts, one to three a second, the pitch of each falling."""
    out = np.zeros(samples)
    at, period = round(rng.uniform(0, 0.4) * sample_rate), rng.uniform(0.35, 0.9)
    formants = [rng.uniform(0.7, 1.5) * formant for formant in (550.0, 1200.0, 2400.0)]
    base, length = rng.uniform(150, 450), round(rng.uniform(0.12, 0.3) * sample_rate)
    while at < samples:
        tone = voiced(rng, base * curve([0.8, 1.15, 0.6], length), formants, 6, sample_rate)
        air = breathy(rng, length, formants, sample_rate)
        place((tone + air * rng.uniform(0.3, 0.9)) * swell(length, 0.12, 0.7), out, at)
        at += round(period * rng.uniform(0.8, 1.3) * sample_rate)
    return out


def chirp(rng: np.random.Generator, voice: Voice, samples: int, sample_rate: int) -> Signal:
    """A bird: short whistles that sweep, in groups."""
    out = np.zeros(samples)
    at, base = round(rng.uniform(0, 0.4) * sample_rate), rng.uniform(1800, 4500)
    while at < samples:
        length = round(rng.uniform(0.03, 0.15) * sample_rate)
        sweep = base * curve(list(rng.uniform(0.75, 1.3, 3)), length)
        whistle = np.sin(2 * np.pi * np.cumsum(sweep) / sample_rate)
        place(whistle * swell(length, 0.3, 0.4) * rng.uniform(0.4, 1), out, at)
        at += length + round(rng.choice([0.04, 0.12, 0.5]) * rng.uniform(0.7, 1.3) * sample_rate)
    return filtered(out, lambda f: band(f, 500, 7500), sample_rate)
