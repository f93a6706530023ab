"""thresholds: thresholds for a stated rate of false alarms, and what any threshold costs.

Measured as a phone would meet it: on long recordings, made of clips joined end to end or named by
the user, through the listener with its smoothing, hysteresis and pauses.
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pocketear.base.arrays import Scores, Waveform
from pocketear.base.errors import RunnerError
from pocketear.contracts.metrics import Alarms
from pocketear.listening.listener import EventDecoder, Run, SoundEvent, WindowBuffer, window_scores
from pocketear.runtimes.card import ListenerSettings, ModelCard

if TYPE_CHECKING:
    from pocketear.params import ListenerParams

# Candidate thresholds, highest first. None is below 0.5: a few hours of validation cannot vouch
# for an alarm at a label that is less likely than not.
_GRID = tuple(percent / 100 for percent in range(99, 49, -1))
_NOT_CHOSEN = 1.0
_SECONDS_PER_HOUR = 3600.0
_CONFIDENCE = 0.95


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


class Scored(NamedTuple):
    """What `listen` would see of a recording; see Stream."""

    scores: Scores
    peaks: Waveform
    samples: int


@dataclass(frozen=True)
class Stream:
    """A long recording, scored: what the model said and what truly sounds.

    scores: (window, label) at the listener's hop_length, first window at sample 0
    peaks: (window,) the largest magnitude in each
    """

    scores: Scores
    peaks: Waveform
    sounds: tuple[Sound, ...]
    labels: tuple[str, ...]
    sample_rate: int
    window_length: int
    seconds: float


def joined_clips(
    lengths: Sequence[int], labels: Sequence[str], sample_rate: int, seed: int
) -> tuple[list[int], tuple[Sound, ...]]:
    """The seeded order in which clips are joined to one recording, and where each then sounds.

    lengths: of the clips, samples
    """
    order = np.random.default_rng(seed).permutation(len(lengths)).tolist()
    sounds, start = [], 0
    for index in order:
        end = start + lengths[index]
        sounds.append(Sound(labels[index], start / sample_rate, end / sample_rate))
        start = end
    return order, tuple(sounds)


def score_stream(
    run: Run,
    blocks: Iterable[Waveform],
    window_length: int,
    settings: ListenerSettings,
    labels: Sequence[str],
) -> Scored:
    """What `listen` would see of a recording in blocks.

    raises: RunnerError if it has no whole window
    """
    buffer = WindowBuffer(window_length, settings.hop_length)
    rows, peaks, samples = [], [], 0
    for block in blocks:
        samples += len(block)
        for window in buffer.push(block):
            rows.append(window_scores(run, window, settings, len(labels)))
            peaks.append(np.abs(window).max())
    if not rows:
        raise RunnerError(f"listener: a recording of {samples} samples has no whole window")
    return Scored(np.stack(rows), np.asarray(peaks, np.float32), samples)


def scored_recording(
    run: Run, card: ModelCard, blocks: Iterable[Waveform], sounds: tuple[Sound, ...]
) -> Stream:
    """A recording in blocks, scored as the listener of `card` would. sounds: what truly sounds

    raises: RunnerError if it has no whole window
    """
    window, labels, rate = card.window_length, card.labels, card.sample_rate
    scores, peaks, samples = score_stream(run, blocks, window, card.listener, labels)
    return Stream(scores, peaks, sounds, labels, rate, window, samples / rate)


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


def stream_events(stream: Stream, settings: ListenerSettings) -> list[SoundEvent]:
    """Every event of a scored stream, once over."""
    decoder = EventDecoder(settings, stream.labels, stream.sample_rate, stream.window_length)
    events = [event for scores in stream.scores for event in decoder.push(scores)]
    return [event for event in (*events, *decoder.finish()) if event.ended]


def misses_and_false_alarms(
    streams: Sequence[Stream], settings: ListenerSettings, thresholds: Sequence[float] = _GRID
) -> list[Point]:
    """The curve of every label that can sound, over all `streams`, at each threshold in turn."""
    points = []
    for threshold in thresholds:
        listened = _events(streams, _all_at(settings, threshold))
        points += [_point(listened, label, threshold) for label in settings.thresholds]
    return points


def alarms_of(streams: Sequence[Stream], settings: ListenerSettings) -> Alarms:
    """What `settings` cost over all `streams`.

    False are the events that meet no sound of any label that can sound: to take one of those for
    another is a confusion, which accuracy judges; how often they follow each other in a recording
    made of test clips says nothing of an hour in the field.
    """
    listened = _events(streams, settings)
    points = [_point(listened, label, limit) for label, limit in settings.thresholds.items()]
    false, quiet_hours = 0, 0.0
    for stream, events in listened:
        sounds = [sound for sound in stream.sounds if sound.label in settings.thresholds]
        false += sum(not any(_meet(sound, event) for sound in sounds) for event in events)
        quiet_hours += _hours_without(stream, sounds)
    silent = [stream.peaks for stream in streams if not stream.sounds]
    return Alarms(
        asleep=float(np.mean(np.concatenate(silent) <= settings.quiet_peak)) if silent else None,
        misses={point.label: point.misses for point in points if point.misses is not None},
        false_alarms=false,
        quiet_hours=quiet_hours,
        false_alarms_per_hour_high=poisson_high(false) / quiet_hours if quiet_hours > 0 else None,
    )


def poisson_high(count: int) -> float:
    """The mean that a Poisson process with `count` events stays below, with 95 % confidence.

    source: Garwood, Fiducial limits for the Poisson distribution, Biometrika 28 (1936)
    """
    from scipy.special import gammaincinv

    return float(gammaincinv(count + 1, _CONFIDENCE))


def choose_thresholds(
    stream: Stream, settings: ListenerSettings, false_alarms_per_hour: float
) -> ListenerSettings:
    """`settings` with, per label, a threshold that keeps to the rate on `stream`.

    It and every higher one keep to it. Of those that miss the fewest sounds it is the middle one:
    a few minutes cannot tell them apart, and it is furthest from both kinds of error. Where none
    keeps to the rate, the lowest of those with the fewest false alarms: a label that is shut off
    helps nobody, and evaluate says what it costs. With a stream shorter than an hour / rate, to
    keep to it means no false alarm at all.
    """
    points = misses_and_false_alarms([stream], settings)
    chosen = {
        label: _threshold([p for p in points if p.label == label], false_alarms_per_hour)
        for label in settings.thresholds
    }
    return replace(settings, thresholds=chosen)


def choose_quiet_peak(
    stream: Stream, settings: ListenerSettings, margin_db: float | None
) -> ListenerSettings:
    """`settings` with the level below which a window is not run.

    It lies `margin_db` below the quietest window of `stream` in which a label can begin or go on
    sounding at any threshold that may be chosen: no event on `stream` is another by it. The margin
    is for sounds from further away than these, and for microphones less sensitive. Without such a
    window, or a margin, only digital silence is not run.
    """
    sounding = [stream.labels.index(label) for label in settings.thresholds]
    likely = (stream.scores[:, sounding] >= _GRID[-1] - settings.hysteresis).any(axis=1)
    if margin_db is None or not likely.any():
        return replace(settings, quiet_peak=0.0)
    level = float(stream.peaks[likely].min()) * 10 ** (-margin_db / 20)
    return replace(settings, quiet_peak=float(np.float32(level)))


def _threshold(points: Sequence[Point], rate: float) -> float:
    """points: of one label, the highest threshold first"""
    quiet = list(itertools.takewhile(lambda point: point.false_alarms_per_hour <= rate, points))
    if quiet:
        misses = min(point.misses or 0.0 for point in quiet)
        best = [point.threshold for point in quiet if (point.misses or 0.0) == misses]
        return best[len(best) // 2]
    fewest = min(point.false_alarms_per_hour for point in points)
    return min(point.threshold for point in points if point.false_alarms_per_hour == fewest)


def _all_at(settings: ListenerSettings, threshold: float) -> ListenerSettings:
    return replace(settings, thresholds=dict.fromkeys(settings.thresholds, threshold))


def _events(
    streams: Sequence[Stream], settings: ListenerSettings
) -> list[tuple[Stream, list[SoundEvent]]]:
    return [(stream, stream_events(stream, settings)) for stream in streams]


def _point(
    listened: Iterable[tuple[Stream, list[SoundEvent]]], label: str, threshold: float
) -> Point:
    missed = sounding = false = 0
    hours = 0.0
    for stream, events in listened:
        own = [event for event in events if event.label == label]
        sounds = [sound for sound in stream.sounds if sound.label == label]
        missed += sum(not any(_meet(sound, event) for event in own) for sound in sounds)
        false += sum(not any(_meet(sound, event) for sound in sounds) for event in own)
        sounding += len(sounds)
        hours += _hours_without(stream, sounds)
    rate = false / hours if hours > 0 else 0.0
    return Point(label, threshold, missed / sounding if sounding else None, rate)


def _hours_without(stream: Stream, sounds: Iterable[Sound]) -> float:
    quiet = stream.seconds - sum(sound.end_s - sound.start_s for sound in sounds)
    return max(0.0, quiet) / _SECONDS_PER_HOUR


def _meet(sound: Sound, event: SoundEvent) -> bool:
    return event.start_s < sound.end_s and sound.start_s < event.end_s
