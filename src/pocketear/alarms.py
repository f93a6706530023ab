"""alarms: thresholds for a stated rate of false alarms, and what any threshold costs.

Measured as a phone would meet it: on a long recording, made of clips joined end to end, through
the listener with its smoothing, hysteresis and pauses.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pocketear.arrays import Scores, Waveform
from pocketear.errors import RunnerError
from pocketear.listener import Event, Listener, Run
from pocketear.model_file import ListenerSettings

if TYPE_CHECKING:
    from pocketear.params import ListenerParams

# Candidate thresholds, highest first. None is below 0.5: a few hours of validation cannot vouch
# for an alarm at a label that is less likely than not.
_GRID = tuple(percent / 100 for percent in range(99, 49, -1))
_NOT_CHOSEN = 1.0
_BATCH = 64  # windows scored at once
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Sound:
    """What truly sounds from start_s to end_s, in seconds of a stream."""

    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Point:
    """One point of a label's curve: what a threshold costs.

    misses: share of the label's sounds with no event; None without such a sound
    false_alarms_per_hour: events that meet none of the label's sounds, an hour without it
    """

    label: str
    threshold: float
    misses: float | None
    false_alarms_per_hour: float


@dataclass(frozen=True)
class Stream:
    """A long recording, scored: what the model said and what truly sounds.

    scores: (window, label) at the listener's hop_length, first window at sample 0
    """

    scores: Scores
    sounds: tuple[Sound, ...]
    labels: tuple[str, ...]
    sample_rate: int
    window_length: int
    seconds: float


def mixed_recording(
    waveforms: Sequence[Waveform], labels: Sequence[str], sample_rate: int, seed: int
) -> tuple[Waveform, tuple[Sound, ...]]:
    """Clips joined in a seeded order, and where each sounds."""
    order = np.random.default_rng(seed).permutation(len(waveforms)).tolist()
    sounds, start = [], 0
    for index in order:
        end = start + len(waveforms[index])
        sounds.append(Sound(labels[index], start / sample_rate, end / sample_rate))
        start = end
    return np.concatenate([waveforms[index] for index in order]), tuple(sounds)


def score_stream(run: Run, waveform: Waveform, window_length: int, hop_length: int) -> Scores:
    """(window, label): what `listen` would see of a recording of at least one window."""
    if len(waveform) < window_length:
        raise RunnerError(f"listener: a recording of {len(waveform)} samples has no whole window")
    windows = np.lib.stride_tricks.sliding_window_view(waveform, window_length)[::hop_length]
    starts = range(0, len(windows), _BATCH)
    scores = np.concatenate([run(windows[start : start + _BATCH]) for start in starts])
    scores[~windows.any(axis=1)] = 0
    return scores


def settings_for(p: "ListenerParams", labels: Sequence[str]) -> ListenerSettings:
    """The settings of params.listener, every threshold still at 1: for `choose_thresholds`."""
    sounding = [label for label in labels if label not in p.background]
    return ListenerSettings(
        hop_length=p.hop_length,
        smoothing=p.smoothing,
        hysteresis=p.hysteresis,
        min_seconds=p.min_seconds,
        refractory_seconds=p.refractory_seconds,
        thresholds=dict.fromkeys(sounding, _NOT_CHOSEN),
        background=tuple(label for label in labels if label in p.background),
    )


def stream_events(stream: Stream, settings: ListenerSettings) -> list[Event]:
    """Every event of a scored stream, once over."""
    listener = Listener(settings, stream.labels, stream.sample_rate, stream.window_length)
    told = [event for scores in stream.scores for event in listener.push(scores)]
    return [event for event in (*told, *listener.finish()) if event.ended]


def misses_and_false_alarms(
    stream: Stream, settings: ListenerSettings, thresholds: Sequence[float] = _GRID
) -> list[Point]:
    """The curve of every label that can sound, at each of `thresholds` in turn."""
    points = []
    for threshold in thresholds:
        events = stream_events(stream, _all_at(settings, threshold))
        points += [_point(stream, events, label, threshold) for label in settings.thresholds]
    return points


def choose_thresholds(
    stream: Stream, settings: ListenerSettings, false_alarms_per_hour: float
) -> ListenerSettings:
    """`settings` with, per label, the lowest threshold that keeps to the rate on `stream`.

    It and every higher one keep to it. Where none does, the lowest of those with the fewest false
    alarms: a label that is shut off helps nobody, and evaluate says what it costs. With a stream
    shorter than an hour / rate, to keep to it means no false alarm at all.
    """
    points = misses_and_false_alarms(stream, settings)
    chosen = {
        label: _lowest([p for p in points if p.label == label], false_alarms_per_hour)
        for label in settings.thresholds
    }
    return replace(settings, thresholds=chosen)


def _lowest(points: Sequence[Point], rate: float) -> float:
    """points: of one label, the highest threshold first"""
    quiet = list(itertools.takewhile(lambda point: point.false_alarms_per_hour <= rate, points))
    if quiet:
        return quiet[-1].threshold
    fewest = min(point.false_alarms_per_hour for point in points)
    return min(point.threshold for point in points if point.false_alarms_per_hour == fewest)


def _all_at(settings: ListenerSettings, threshold: float) -> ListenerSettings:
    return replace(settings, thresholds=dict.fromkeys(settings.thresholds, threshold))


def _point(stream: Stream, events: Iterable[Event], label: str, threshold: float) -> Point:
    own = [event for event in events if event.label == label]
    sounds = [sound for sound in stream.sounds if sound.label == label]
    missed = sum(not any(_meet(sound, event) for event in own) for sound in sounds)
    false = sum(not any(_meet(sound, event) for sound in sounds) for event in own)
    quiet = stream.seconds - sum(sound.end_s - sound.start_s for sound in sounds)
    rate = false * _SECONDS_PER_HOUR / quiet if quiet > 0 else 0.0
    return Point(label, threshold, missed / len(sounds) if sounds else None, rate)


def _meet(sound: Sound, event: Event) -> bool:
    return event.start_s < sound.end_s and sound.start_s < event.end_s
