from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import poisson

from pocketear.base.errors import RunnerError
from pocketear.listening.listener import listen
from pocketear.listening.thresholds import (
    Sound,
    Stream,
    alarms_of,
    choose_quiet_peak,
    choose_thresholds,
    joined_clips,
    misses_and_false_alarms,
    poisson_high,
    score_stream,
    settings_for,
    stream_events,
)
from pocketear.params import load_params
from tiny_model import LABELS, SAMPLE_RATE, WINDOW, tiny_card

HOP = WINDOW // 2
HOP_S = HOP / SAMPLE_RATE


def stream(scores, sounds=()) -> Stream:
    rows = np.array([[1 - score, score, 0] for score in scores], np.float32)
    peaks = np.ones(len(rows), np.float32)
    return Stream(rows, peaks, tuple(sounds), LABELS, SAMPLE_RATE, WINDOW, len(rows) * HOP_S)


def plain(**changes):
    return tiny_card(smoothing=1, min_seconds=0.0, refractory_seconds=0.0, **changes).listener


def test_clips_are_joined_with_where_they_sound() -> None:
    waveforms = [np.full(n, n, np.float32) for n in (5, 7, 11)]
    order, sounds = joined_clips([5, 7, 11], ["a", "b", "c"], 10, seed=1)
    mixed = np.concatenate([waveforms[place] for place in order])
    assert len(mixed) == 23
    for sound in sounds:
        piece = mixed[round(sound.start_s * 10) : round(sound.end_s * 10)]
        assert (piece == len(piece)).all()
    assert {sound.label for sound in sounds} == {"a", "b", "c"}


@pytest.mark.parametrize("cuts", [(), (WINDOW // 3, WINDOW * 7 + 1, WINDOW * 33)])
def test_a_scored_recording_has_the_events_of_the_stream(cuts: tuple[int, ...]) -> None:
    waveform = np.random.default_rng(5).normal(0, 0.3, SAMPLE_RATE * 20).astype(np.float32)
    waveform[WINDOW * 30 : WINDOW * 40] = 0

    def run(windows):
        loud = 0.5 + (np.abs(windows[:, ::97]).mean(axis=1) - 0.24) * 9
        return np.stack([1 - loud, loud, 0 * loud], axis=1).astype(np.float32)

    card = tiny_card(min_seconds=0.0)
    blocks = np.split(waveform, cuts)
    scores, peaks, samples = score_stream(run, blocks, WINDOW, card.listener, LABELS)
    assert samples == len(waveform)
    found = stream_events(
        Stream(scores, peaks, (), LABELS, SAMPLE_RATE, WINDOW, 20.0), card.listener
    )
    assert len(found) > 3
    assert found == [event for event in listen(run, card, [waveform]) if event.ended]


def test_a_recording_shorter_than_a_window_is_refused() -> None:
    with pytest.raises(RunnerError, match="has no whole window"):
        score_stream(
            lambda windows: windows, [np.zeros(WINDOW - 1, np.float32)], WINDOW, plain(), LABELS
        )


def test_misses_and_false_alarms_are_counted_as_a_user_would() -> None:
    cry = Sound("crying_baby", 10 * HOP_S, 12 * HOP_S)
    missed = Sound("crying_baby", 30 * HOP_S, 32 * HOP_S)
    scores = np.full(60, 0.1)
    scores[10] = 0.9  # right
    scores[50] = 0.8  # false
    found = misses_and_false_alarms([stream(scores, [cry, missed])], plain(), [0.85, 0.75])
    high, low = [point for point in found if point.label == "crying_baby"]
    assert (high.misses, high.false_alarms_per_hour) == (0.5, 0.0)
    assert low.misses == 0.5
    assert low.false_alarms_per_hour == pytest.approx(3600 / (56 * HOP_S))
    assert next(point for point in found if point.label == "laughing").misses is None


def test_what_the_thresholds_cost_is_counted_over_all_recordings() -> None:
    cry, laugh = (
        Sound(label, at * HOP_S, (at + 2) * HOP_S)
        for label, at in (("crying_baby", 10), ("laughing", 30))
    )
    background = Sound("background", 40 * HOP_S, 60 * HOP_S)
    scores = np.full(60, 0.1)
    scores[[10, 30, 50]] = 0.9  # right; a confusion with a laugh; false
    negative = np.full(720, 0.1)
    negative[[100, 200]] = 0.9  # false, both
    streams = [stream(scores, [cry, laugh, background]), stream(negative)]
    found = alarms_of(streams, plain())
    assert found.misses == {"crying_baby": 0.0, "laughing": 1.0}
    assert found.false_alarms == 3
    assert found.quiet_hours == pytest.approx((60 - 4 + 720) * HOP_S / 3600)
    assert found.false_alarms_per_hour_high == pytest.approx(7.7537 / found.quiet_hours, rel=1e-4)


def test_without_sound_to_ignore_there_is_no_rate() -> None:
    found = alarms_of([stream([0.9] * 8, [Sound("laughing", 0, 8 * HOP_S)])], plain())
    assert (found.false_alarms, found.quiet_hours) == (0, 0.0)
    assert found.false_alarms_per_hour_high is None


@pytest.mark.parametrize("count", [0, 1, 7, 100])
def test_the_bound_of_a_count_is_where_so_few_become_improbable(count: int) -> None:
    assert poisson.cdf(count, poisson_high(count)) == pytest.approx(0.05)


def test_the_middle_of_the_thresholds_that_keep_to_the_rate_is_chosen() -> None:
    """Nothing sounds, so none of them misses more than another."""
    scores = np.full(720, 0.1)  # 36 s: one false alarm is 100 an hour
    scores[100], scores[200], scores[300] = 0.9, 0.8, 0.7
    for allowed, lowest in ((0, 0.91), (100, 0.81), (200, 0.71), (300, 0.5)):
        found = choose_thresholds(stream(scores), plain(), allowed)
        middle = pytest.approx((lowest + 0.99) / 2, abs=0.011)
        assert found.thresholds["crying_baby"] == middle
        assert found.thresholds["laughing"] == pytest.approx(0.745, abs=0.011)


def test_a_label_that_cannot_keep_quiet_gets_the_lowest_threshold_of_the_fewest_alarms() -> None:
    scores = np.zeros(100)
    scores[::9] = 0.995  # at any threshold
    scores[5] = 0.8
    assert choose_thresholds(stream(scores), plain(), 1.0).thresholds["crying_baby"] == 0.81


def test_raising_the_rate_never_raises_a_threshold() -> None:
    scores = np.random.default_rng(2).uniform(0, 1, 400) ** 3
    before = 1.0
    for allowed in (400, 1000, 4000):  # below, no threshold keeps to it
        found = choose_thresholds(stream(scores), plain(), allowed).thresholds["crying_baby"]
        assert found <= before
        before = found


def test_settings_come_from_params() -> None:
    params = load_params()
    labels = ("crying_baby", "laughing", *params.listener.background)
    found = settings_for(params.listener, labels)
    assert set(found.thresholds) == {"crying_baby", "laughing"}
    assert found.hop_length == params.listener.hop_length


def test_quiet_is_a_margin_below_the_quietest_window_that_may_be_a_label() -> None:
    heard = stream([0.1, 0.9, 0.45, 0.2])
    peaks = np.array([0.001, 0.5, 0.02, 0.01], np.float32)
    found = choose_quiet_peak(replace(heard, peaks=peaks), plain(), 20.0)
    assert found.quiet_peak == pytest.approx(0.002)  # 0.45 may go on sounding; 0.2 at no threshold
    assert choose_quiet_peak(replace(heard, peaks=peaks), plain(), None).quiet_peak == 0
    nothing = replace(stream([0.1, 0.2]), peaks=peaks[:2])
    assert choose_quiet_peak(nothing, plain(), 20.0).quiet_peak == 0


def test_no_event_of_the_stream_is_another_by_its_quiet_peak() -> None:
    """Whatever the scores of its windows: those that are not run could not have mattered."""
    draw = np.random.default_rng(11)
    scores, peaks = draw.uniform(0, 1, 400) ** 3, draw.uniform(0, 1, 400).astype(np.float32)
    whole = replace(stream(scores), peaks=peaks)
    settings = choose_quiet_peak(whole, choose_thresholds(whole, plain(), 400.0), 0.0)
    asleep = np.where((peaks < settings.quiet_peak)[:, None], 0, whole.scores)
    assert (asleep != whole.scores).any()
    gated = replace(whole, scores=asleep.astype(np.float32))
    assert stream_events(gated, settings) == stream_events(whole, settings)


def test_how_long_a_quiet_recording_is_not_run_is_reported() -> None:
    negative = replace(stream(np.zeros(4)), peaks=np.array([0.1, 0.001, 0.002, 0.0], np.float32))
    own = stream([0.9], [Sound("crying_baby", 0, 1)])
    settings = plain(quiet_peak=0.001)
    assert alarms_of([own, negative], settings).asleep == 0.5
    assert alarms_of([own], settings).asleep is None


def test_a_window_no_louder_than_the_quiet_peak_is_not_run() -> None:
    blocks = [np.full(WINDOW, level, np.float32) for level in (0.01, 0.01001, 0.01, 0.009)]
    calls = []

    def run(windows):
        calls.append(float(np.abs(windows).max()))
        return np.array([[0, 1, 0]], np.float32)

    scored = score_stream(run, blocks, WINDOW, plain(quiet_peak=0.01), LABELS)
    assert calls == [pytest.approx(0.01001)] * 3  # windows overlap by half
    assert scored.scores[:, 1].tolist() == [0, 1, 1, 1, 0, 0, 0]
