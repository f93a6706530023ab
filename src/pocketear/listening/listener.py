"""listener: a stream of sound -> events, by the same small algorithm on every platform.

Kotlin and Swift hold the same three steps, and pass the same vectors (mobile/vectors), bit for bit:

1. WindowBuffer: samples in, every hop_length samples a window out.
2. The model: a window -> scores. A window with no sample beyond quiet_peak is not run: all its
   scores are 0. So the model is run from the first loud sample until a whole window is quiet.
   Nor is one with a sample that is not finite, since a network may hide that: its scores are NaN.
3. EventDecoder: scores -> events. Per label, float32, in this order: the mean of the last
   `smoothing` windows, summed oldest first and divided; an event starts at mean >= threshold and
   ends at mean < threshold - hysteresis; one shorter than min_seconds is dropped; after one, the
   label cannot start again for refractory_seconds. Background labels yield nothing.

A window speaks for the hop_length samples at its middle, so events do not spread to the window's
edges. What breaks the stream (lost samples, or a score that is not a number) ends what was
sounding, and averages begin anew: nothing is ever averaged over a hole.

source: posterior smoothing of keyword spotters, Chen, Parada and Heigold (ICASSP 2014)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pocketear.base.arrays import Scores, Waveform, WindowBatch
from pocketear.base.errors import RunnerError
from pocketear.runtimes.card import ListenerSettings, ModelCard

Run: TypeAlias = Callable[[WindowBatch], Scores]


@dataclass(frozen=True)
class SoundEvent:
    """A label that sounds from start_s to end_s, in seconds of the stream.

    Reported twice: once it has lasted min_seconds (ended False, end_s and peak so far), and when it
    is over. peak: the highest smoothed score in it.
    """

    label: str
    start_s: float
    end_s: float
    peak: float
    ended: bool


class WindowBuffer:
    """A stream cut into windows: the same as `cut_windows` over the whole, bar its last window.

    start: index in the stream of the first sample held
    """

    def __init__(self, window_length: int, hop_length: int) -> None:
        self._held = np.zeros(window_length, np.float32)
        self._hop = hop_length
        self._count = 0
        self._whole = False  # whether a window came out since the start, or since a gap
        self.start = 0

    def push(self, samples: Waveform) -> Iterator[Waveform]:
        """Take samples; yield each window as it fills up. A window is valid until the next."""
        while len(samples):
            taken = samples[: len(self._held) - self._count]
            self._held[self._count : self._count + len(taken)] = taken
            self._count += len(taken)
            samples = samples[len(taken) :]
            if self._count == len(self._held):
                self._whole = True
                yield self._held
                self._held[: -self._hop] = self._held[self._hop :]
                self._count -= self._hop
                self.start += self._hop

    def skip(self, count: int) -> None:
        """`count` samples of the stream are lost: no window spans them."""
        self.start += self._count + count
        self._count = 0
        self._whole = False

    def finish(self) -> Waveform | None:
        """The window of a stream shorter than a window, zero-padded at its end; else nothing."""
        if self._whole or self._count == 0:
            return None
        self._held[self._count :] = 0
        return self._held


class EventDecoder:
    """Scores of successive windows -> events.

    raises: RunnerError if the settings' thresholds are not those of `labels`
    """

    def __init__(
        self,
        settings: ListenerSettings,
        labels: Sequence[str],
        sample_rate: int,
        window_length: int,
    ) -> None:
        audible = [label for label in labels if label not in settings.background]
        if set(audible) != set(settings.thresholds):
            wrong = sorted(set(audible).symmetric_difference(settings.thresholds))
            raise RunnerError(f"listener: labels and thresholds differ in {wrong}; export again")
        self._labels = tuple(labels)
        self._rate, self._hop = sample_rate, settings.hop_length
        self._middle = (window_length - settings.hop_length) // 2
        self._history = np.zeros((settings.smoothing, len(labels)), np.float32)
        self._seen = 0
        self._next = 0  # where the next window starts, in samples
        self._min_samples = int(settings.min_seconds * sample_rate + 0.5)
        refractory = int(settings.refractory_seconds * sample_rate + 0.5)
        hysteresis = np.float32(settings.hysteresis)
        self._states = [
            _State(index, np.float32(settings.thresholds[label]), hysteresis, refractory)
            for index, label in enumerate(labels)
            if label in settings.thresholds
        ]
        self.ignored = 0  # windows whose scores were not all numbers

    @classmethod
    def of(cls, card: ModelCard) -> "EventDecoder":
        """The listener that a model file describes."""
        return cls(card.listener, card.labels, card.sample_rate, card.window_length)

    def push(self, scores: Waveform) -> list[SoundEvent]:
        """Take the scores (label,) of the next window; return the events to report now.

        raises: RunnerError if there are not as many scores as labels
        """
        if len(scores) != len(self._labels):
            raise RunnerError(
                f"listener: {len(scores)} scores for {len(self._labels)} labels; export again"
            )
        start = self._next + self._middle
        self._next += self._hop
        if not np.isfinite(scores).all():
            self.ignored += 1
            return self._end_all()
        means = self._smooth(scores)
        events = (self._step(state, start, means) for state in self._states)
        return [event for event in events if event]

    def gap(self, start: int) -> list[SoundEvent]:
        """The stream broke; its next window starts at sample `start`."""
        self._next = start
        return self._end_all()

    def finish(self) -> list[SoundEvent]:
        """The stream is over."""
        return self._end_all()

    def _smooth(self, scores: Waveform) -> Waveform:
        size = len(self._history)
        self._history[self._seen % size] = scores
        self._seen += 1
        count = min(self._seen, size)
        total = np.zeros(len(scores), np.float32)
        for row in range(self._seen - count, self._seen):
            total += self._history[row % size]
        return total / np.float32(count)

    def _step(self, state: "_State", start: int, means: Waveform) -> SoundEvent | None:
        mean = means[state.index]
        if not state.sounding:
            if mean < state.on or start < state.ready:
                return None
            state.begin(start)
        elif mean < state.off:
            return self._end(state)
        state.end = start + self._hop
        state.peak = max(state.peak, mean)
        if state.reported or state.end - state.start < self._min_samples:
            return None
        state.reported = True
        return self._event(state, ended=False)

    def _end_all(self) -> list[SoundEvent]:
        self._seen = 0
        events = (self._end(state) for state in self._states if state.sounding)
        return [event for event in events if event]

    def _end(self, state: "_State") -> SoundEvent | None:
        state.sounding = False
        if not state.reported:
            return None
        state.ready = state.end + state.refractory
        return self._event(state, ended=True)

    def _event(self, state: "_State", *, ended: bool) -> SoundEvent:
        start_s, end_s = state.start / self._rate, state.end / self._rate
        return SoundEvent(self._labels[state.index], start_s, end_s, float(state.peak), ended)


class _State:
    """Where one label stands. Positions in samples of the stream."""

    def __init__(self, index: int, on: np.float32, hysteresis: np.float32, refractory: int) -> None:
        self.index, self.on, self.off = index, on, on - hysteresis
        self.refractory = refractory
        self.sounding = self.reported = False
        self.start = self.end = self.ready = 0
        self.peak = np.float32(0)

    def begin(self, start: int) -> None:
        self.sounding, self.reported = True, False
        self.start, self.peak = start, np.float32(0)


def listen(
    run: Run, card: ModelCard, blocks: Iterable[Waveform], decoder: EventDecoder | None = None
) -> Iterator[SoundEvent]:
    """Events of a stream that arrives in blocks of any length, at the card's sample_rate.

    decoder: one of `card`, for a caller who wants to know what it ignored
    """
    buffer = WindowBuffer(card.window_length, card.hop_length)
    decoder = decoder or EventDecoder.of(card)
    for block in blocks:
        for window in buffer.push(block):
            yield from decoder.push(window_scores(run, window, card.listener, len(card.labels)))
    rest = buffer.finish()
    if rest is not None:
        yield from decoder.push(window_scores(run, rest, card.listener, len(card.labels)))
    yield from decoder.finish()


def window_scores(run: Run, window: Waveform, settings: ListenerSettings, labels: int) -> Waveform:
    """The scores (label,) of one window of a stream: zeros if it is quiet, NaN if not finite."""
    if not np.isfinite(window).all():
        return np.full(labels, np.nan, np.float32)
    if is_quiet(window, settings.quiet_peak):
        return np.zeros(labels, np.float32)
    scores: Waveform = run(window[np.newaxis])[0]
    return scores


def is_quiet(window: Waveform, quiet_peak: float) -> bool:
    """Whether no sample is beyond +-quiet_peak, in float32; one that is not finite is."""
    return bool((np.abs(window) <= np.float32(quiet_peak)).all())
