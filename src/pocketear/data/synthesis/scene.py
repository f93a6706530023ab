"""scene: who makes a sound, in which room, through which microphone."""

from dataclasses import dataclass

import numpy as np

from pocketear.data.synthesis.recipe import Recipe
from pocketear.data.synthesis.signals import Signal, band, fft_length, filtered, noise
from pocketear.data.synthesis.voices import Voice

_AGC_SECONDS = 0.25  # over which the gain control looks at the level
_AGC_TARGET = 0.1  # the level that it works towards
_AGC_REACH = 8.0  # its largest factor, both ways


@dataclass(frozen=True)
class Scene:
    """What the clips of one group have in common."""

    voice: Voice
    room: Signal  # impulse response, (sample,)
    low_cut: float  # Hz, of the microphone
    high_cut: float  # Hz
    presence: float  # height of its resonance
    presence_hz: float
    agc: float  # 0: none, 1: everything equally loud


def draw_scene(recipe: Recipe, rng: np.random.Generator) -> Scene:
    """A voice, a room and a microphone within the recipe's ranges."""
    return Scene(
        voice=Voice(
            pitch=rng.uniform(*recipe.pitch_hz),
            tract=rng.uniform(*recipe.tract),
            hoarseness=rng.uniform(*recipe.hoarseness),
        ),
        room=draw_room(rng, rng.uniform(*recipe.reverberation_seconds), recipe.sample_rate),
        low_cut=rng.uniform(*recipe.microphone_low_hz),
        high_cut=rng.uniform(*recipe.microphone_high_hz),
        presence=rng.uniform(0, 1.5),
        presence_hz=rng.uniform(1500, 5000),
        agc=rng.uniform(*recipe.agc),
    )


def draw_room(rng: np.random.Generator, seconds: float, sample_rate: int) -> Signal:
    """An impulse response: the direct sound, then noise that has decayed by 60 dB at `seconds`."""
    samples = max(2, round(seconds * sample_rate))
    tail = noise(rng, samples, lambda f: band(f, 80, rng.uniform(2500, 6000), 2), sample_rate)
    tail *= 10 ** (-3 * np.linspace(0, 1, samples))
    tail *= rng.uniform(0.1, 0.7) / np.sqrt(np.sum(np.square(tail)))
    tail[0] = 1
    return tail


def reverberate(signal: Signal, room: Signal) -> Signal:
    """`signal` with the reverberation of `room`, cut to its own length."""
    length = fft_length(len(signal) + len(room))
    spectrum = np.fft.rfft(signal, length) * np.fft.rfft(room, length)
    return np.fft.irfft(spectrum, length)[: len(signal)]


def record(signal: Signal, scene: Scene, overdrive: float, sample_rate: int) -> Signal:
    """`signal` through the microphone: its band and resonance, gain control, soft clipping."""
    recorded = filtered(
        signal,
        lambda f: (
            band(f, scene.low_cut, scene.high_cut)
            * (1 + scene.presence / (1 + ((f - scene.presence_hz) / 800) ** 2))
        ),
        sample_rate,
    )
    levelled = recorded * gain_control(recorded, scene.agc, sample_rate)
    return np.tanh(overdrive * levelled) / overdrive


def gain_control(signal: Signal, strength: float, sample_rate: int) -> Signal:
    """The factors by which an automatic gain control brings a signal towards one level."""
    span = round(_AGC_SECONDS * sample_rate)
    total = np.concatenate([np.zeros(span), np.cumsum(np.square(signal))])
    level = np.sqrt(np.maximum(total[span:] - total[:-span], 0) / span) + 1e-4
    wanted: Signal = np.clip(_AGC_TARGET / level, 1 / _AGC_REACH, _AGC_REACH)
    return wanted**strength
