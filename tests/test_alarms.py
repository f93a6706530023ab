import dataclasses

import numpy as np
import pytest

from pocketear.alarms import (
    Sound,
    Stream,
    choose_thresholds,
    misses_and_false_alarms,
    mixed_recording,
    score_stream,
    settings_for,
    stream_events,
)
from pocketear.errors import RunnerError
from pocketear.listener import listen
from pocketear.params import load_params
from tiny_model import LABELS, SAMPLE_RATE, WINDOW, tiny_card

HOP = WINDOW // 2
HOP_S = HOP / SAMPLE_RATE


def stream(scores, sounds=()) -> Stream:
    rows = np.array([[1 - score, score, 0] for score in scores], np.float32)
    return Stream(rows, tuple(sounds), LABELS, SAMPLE_RATE, WINDOW, len(rows) * HOP_S)


def plain(**changes):
    return tiny_card(smoothing=1, min_seconds=0.0, refractory_seconds=0.0, **changes).listener


def test_clips_are_joined_with_where_they_sound() -> None:
    waveforms = [np.full(n, n, np.float32) for n in (5, 7, 11)]
    mixed, sounds = mixed_recording(waveforms, ["a", "b", "c"], 10, seed=1)
    assert len(mixed) == 23
    for sound in sounds:
        piece = mixed[round(sound.start_s * 10) : round(sound.end_s * 10)]
        assert (piece == len(piece)).all()
    assert {sound.label for sound in sounds} == {"a", "b", "c"}


def test_a_scored_recording_has_the_events_of_the_stream() -> None:
    waveform = np.random.default_rng(5).normal(0, 0.3, SAMPLE_RATE * 20).astype(np.float32)
    waveform[WINDOW * 30 : WINDOW * 40] = 0

    def run(windows):
        loud = np.abs(windows[:, ::97]).mean(axis=1)
        loud = (loud - loud.min()) / np.ptp(loud) if len(loud) > 1 else 0.5 + (loud - 0.24) * 9
        return np.stack([1 - loud, loud, 0 * loud], axis=1).astype(np.float32)

    def one_by_one(windows):
        return np.concatenate([run(window[np.newaxis]) for window in windows])

    card = tiny_card(min_seconds=0.0)
    scores = score_stream(one_by_one, waveform, WINDOW, HOP)
    found = stream_events(Stream(scores, (), LABELS, SAMPLE_RATE, WINDOW, 20.0), card.listener)
    assert len(found) > 3
    assert found == [event for event in listen(one_by_one, card, [waveform]) if event.ended]


def test_a_recording_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(RunnerError, match="has no whole window"):
        score_stream(lambda windows: windows, np.zeros(WINDOW - 1, np.float32), WINDOW, HOP)


def test_misses_and_false_alarms_are_counted_as_a_user_would() -> None:
    cry = Sound("crying_baby", 10 * HOP_S, 12 * HOP_S)
    missed = Sound("crying_baby", 30 * HOP_S, 32 * HOP_S)
    scores = np.full(60, 0.1)
    scores[10] = 0.9  # heard
    scores[50] = 0.8  # false
    found = misses_and_false_alarms(stream(scores, [cry, missed]), plain(), [0.85, 0.75])
    high, low = [point for point in found if point.label == "crying_baby"]
    assert (high.misses, high.false_alarms_per_hour) == (0.5, 0.0)
    assert low.misses == 0.5
    assert low.false_alarms_per_hour == pytest.approx(3600 / (56 * HOP_S))
    assert next(point for point in found if point.label == "laughing").misses is None


def test_the_lowest_threshold_that_keeps_to_the_rate_is_chosen() -> None:
    scores = np.full(720, 0.1)  # 36 s: one false alarm is 100 an hour
    scores[100], scores[200], scores[300] = 0.9, 0.8, 0.7
    for allowed, threshold in ((0, 0.91), (100, 0.81), (200, 0.71), (300, 0.5)):
        found = choose_thresholds(stream(scores), plain(), allowed)
        assert found.thresholds["crying_baby"] == threshold
        assert found.thresholds["laughing"] == 0.5


def test_a_label_that_cannot_keep_quiet_gets_the_lowest_threshold_of_the_fewest_alarms() -> None:
    scores = np.zeros(100)
    scores[::9] = 0.995  # at any threshold
    scores[5] = 0.8
    assert choose_thresholds(stream(scores), plain(), 1.0).thresholds["crying_baby"] == 0.81


def test_raising_the_rate_never_raises_a_threshold() -> None:
    scores = np.random.default_rng(2).uniform(0, 1, 400) ** 3
    before = 1.0
    for allowed in (0, 50, 100, 400, 1000, 4000):
        found = choose_thresholds(stream(scores), plain(), allowed).thresholds["crying_baby"]
        assert found <= before
        before = found


def test_settings_come_from_params() -> None:
    params = load_params()
    labels = ("crying_baby", "laughing", *params.listener.background)
    found = settings_for(params.listener, labels)
    assert set(found.thresholds) == {"crying_baby", "laughing"}
    assert found.hop_length == params.listener.hop_length
    assert dataclasses.replace(found, thresholds={"a": 0.6}).thresholds == {"a": 0.6}
