import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import make_vectors
from places import VECTORS
from pocketear.base.errors import RunnerError
from pocketear.data.decoding.audio import load_waveform
from pocketear.data.windows import cut_windows
from pocketear.listening.listener import EventDecoder, SoundEvent, WindowBuffer, listen
from pocketear.runtimes.card import settings_from, write_card
from pocketear.runtimes.litert import litert_runner
from tiny_model import LABELS, SAMPLE_RATE, WINDOW, tiny_card, tiny_tflite

HOP = WINDOW // 2


def cases(name: str) -> Any:
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def test_vectors_are_what_the_reference_says() -> None:
    for name, content in make_vectors.vectors().items():
        assert (VECTORS / name).read_bytes() == content, f"{name} differs: see make_vectors.py"


def test_only_the_right_card_of_the_vectors_is_read() -> None:
    read = [case["name"] for case in cases("cards.json") if not case["refused"]]
    peaks = ["a quiet peak", "a quiet peak of 0", "a quiet peak just below full scale"]
    assert read == ["as it should be", *peaks]


def unbroken(case: dict) -> list[list[tuple[int, list[float]]]]:
    """The pieces of the stream without a hole: (where a window's middle starts, its scores)."""
    hop = case["listener"]["hop_length"]
    pieces: list[list[tuple[int, list[float]]]] = [[]]
    start = 0
    for step in case["steps"]:
        if "gap" in step or None in step["scores"]:
            pieces.append([])
            start = step.get("gap", start + hop)
            continue
        pieces[-1].append((start + (case["window_length"] - hop) // 2, step["scores"]))
        start += hop
    return pieces


def running_means(scores: list[float], smoothing: int) -> list[np.float32]:
    means = []
    for t in range(len(scores)):
        recent = np.array(scores[max(0, t - smoothing + 1) : t + 1], np.float32)
        total = np.float32(0)
        for score in recent:
            total = np.float32(total + score)
        means.append(np.float32(total / np.float32(len(recent))))
    return means


def by_the_book(case: dict) -> list[SoundEvent]:
    """The module's docstring, done naively over the whole stream: what the vectors must say."""
    p, rate = case["listener"], case["sample_rate"]
    events = []
    for label, threshold in p["thresholds"].items():
        ready, column = 0, case["labels"].index(label)
        on = np.float32(threshold)
        off = on - np.float32(p["hysteresis"])
        for piece in unbroken(case):
            means = running_means([scores[column] for _, scores in piece], p["smoothing"])
            starts = [start for start, _ in piece]
            t = 0
            while t < len(piece):
                if means[t] < on or starts[t] < ready:
                    t += 1
                    continue
                stop = next((u for u in range(t, len(piece)) if means[u] < off), len(piece))
                begin, end = starts[t], starts[stop - 1] + p["hop_length"]
                if end - begin >= int(p["min_seconds"] * rate + 0.5):
                    peak = float(max(means[t:stop]))
                    events.append(SoundEvent(label, begin / rate, end / rate, peak, True))
                    ready = end + int(p["refractory_seconds"] * rate + 0.5)
                t = stop
    return events


@pytest.mark.parametrize("case", cases("decoder.json"), ids=lambda case: case["name"])
def test_vectors_agree_with_the_rules_done_naively(case: dict) -> None:
    reported = [{key: event[key] for key in event if key != "after"} for event in case["events"]]
    ended = [SoundEvent(**event) for event in reported if event["ended"]]
    order = lambda event: (event.start_s, event.label)  # noqa: E731
    assert sorted(ended, key=order) == sorted(by_the_book(case), key=order)
    begun = [(event["label"], event["start_s"]) for event in reported if not event["ended"]]
    assert sorted(begun) == sorted((event.label, event.start_s) for event in ended)


@pytest.mark.parametrize("case", cases("windows.json"), ids=lambda case: case["name"])
def test_windows_are_unbroken_pieces_of_the_stream(case: dict) -> None:
    lost: set[int] = set()
    position = 0
    for block in case["blocks"]:
        if block < 0:
            lost.update(range(position, position - block))
        position += abs(block)
    for window in case["windows"]:
        samples = case["window_length"] - window["zeros"]
        assert not lost & set(range(window["start"], window["start"] + samples))
        assert window["first"] == window["start"] + 1
        if not window["zeros"]:
            assert window["last"] == window["start"] + samples


@settings(max_examples=100, deadline=None)
@given(
    samples=st.integers(1, 300),
    window=st.integers(1, 40),
    hop=st.integers(1, 40),
    blocks=st.lists(st.integers(0, 50), min_size=1),
)
def test_a_stream_is_cut_as_a_clip_is(
    samples: int, window: int, hop: int, blocks: list[int]
) -> None:
    hop = min(hop, window)
    waveform = np.arange(1, samples + 1, dtype=np.float32)
    buffer, windows, start = WindowBuffer(window, hop), [], 0
    while start < samples:
        for block in [*blocks, 1]:
            windows += [held.copy() for held in buffer.push(waveform[start : start + block])]
            start += block
    rest = buffer.finish()
    windows += [rest.copy()] if rest is not None else []
    clip = cut_windows(waveform, window, hop)
    np.testing.assert_array_equal(windows, clip[: len(windows)])
    assert len(clip) - len(windows) in (0, 1)  # the clip's last may end with the clip instead


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("model") / "tiny.tflite"
    path.write_bytes(write_card(tiny_tflite(), tiny_card()))
    return litert_runner(path)


def test_streamed_posteriors_equal_those_of_the_clip(run, esc10: Path) -> None:
    clip = sorted(esc10.rglob("*.ogg"))[7]
    waveform = load_waveform(clip, SAMPLE_RATE)
    buffer, streamed = WindowBuffer(WINDOW, HOP), []
    for start in range(0, len(waveform), 441):
        for window in buffer.push(waveform[start : start + 441]):
            streamed.append(run(window[np.newaxis])[0])
    expected = run(cut_windows(waveform, WINDOW, HOP)[: len(streamed)])
    assert len(streamed) > 90
    np.testing.assert_array_equal(streamed, expected)


def test_events_do_not_depend_on_how_the_stream_arrives(run) -> None:
    waveform = np.random.default_rng(3).uniform(-1, 1, 40 * SAMPLE_RATE).astype(np.float32)
    card = tiny_card(thresholds={"crying_baby": 0.6, "laughing": 0.6}, min_seconds=0.0)
    whole = list(listen(run, card, [waveform]))
    pieces = list(listen(run, card, np.array_split(waveform, 997)))
    assert len(whole) > 10
    assert pieces == whole


def always(score: float):
    scores = np.array([[1 - score, score, 0]], np.float32)
    return lambda windows: np.repeat(scores, len(windows), axis=0)


def test_digital_silence_is_never_put_to_the_model() -> None:
    scored = []

    def run(windows):
        scored.append(len(windows))
        return always(1.0)(windows)

    hour = (np.zeros(SAMPLE_RATE, np.float32) for _ in range(3600))
    assert list(listen(run, tiny_card(), hour)) == []
    assert scored == []


def test_a_clip_shorter_than_a_window_is_scored_once_padded() -> None:
    seen = []

    def run(windows):
        seen.append(windows.copy())
        return always(1.0)(windows)

    events = list(listen(run, tiny_card(min_seconds=0.0), [np.ones(WINDOW // 4, np.float32)]))
    assert [event.ended for event in events] == [False, True]
    assert len(seen) == 1
    assert seen[0].sum() == WINDOW // 4


def test_no_sound_at_all_has_no_event() -> None:
    assert list(listen(always(1.0), tiny_card(), [])) == []


def test_a_model_with_other_labels_is_refused() -> None:
    decoder = EventDecoder.of(tiny_card())
    with pytest.raises(RunnerError, match="2 scores for 3 labels"):
        decoder.push(np.zeros(2, np.float32))
    with pytest.raises(RunnerError, match=r"differ in \['dog', 'laughing'\]"):
        EventDecoder(tiny_card().listener, ["background", "crying_baby", "dog"], 16_000, WINDOW)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_window_with_a_sample_that_is_not_finite_is_not_run_but_ignored(wrong: float) -> None:
    seen: list[np.ndarray] = []

    def run(windows: np.ndarray) -> np.ndarray:
        seen.append(windows)
        scores: np.ndarray = always(0.9)(windows)
        return scores

    sound = np.ones(6 * WINDOW, np.float32)
    sound[3 * WINDOW] = wrong
    decoder = EventDecoder.of(tiny_card())
    events = list(listen(run, tiny_card(), [sound], decoder))
    assert np.isfinite(np.concatenate(seen)).all()
    assert decoder.ignored == WINDOW // HOP  # each window that holds the sample
    assert [event.ended for event in events] == [False, True, False, True]


def test_a_model_that_breaks_is_seen() -> None:
    decoder = EventDecoder.of(tiny_card())
    for _ in range(5):
        decoder.push(np.full(3, np.nan, np.float32))
    assert decoder.ignored == 5


@settings(max_examples=150, deadline=None)
@given(
    scores=st.lists(st.floats(0, 1, width=32) | st.just(float("nan")), max_size=60),
    smoothing=st.integers(1, 4),
    min_seconds=st.floats(0, 1),
    refractory=st.floats(0, 1),
)
def test_events_of_a_label_keep_their_distance_and_length(
    scores: list[float], smoothing: int, min_seconds: float, refractory: float
) -> None:
    card = tiny_card(smoothing=smoothing, min_seconds=min_seconds, refractory_seconds=refractory)
    decoder = EventDecoder.of(card)
    reported = [e for s in scores for e in decoder.push(np.array([0, s, 0], np.float32))]
    ended = [event for event in (*reported, *decoder.finish()) if event.ended]
    sample = 1 / SAMPLE_RATE
    for event in ended:
        assert event.end_s - event.start_s >= min_seconds - sample
        assert event.peak >= np.float32(0.6)
    for before, after in itertools.pairwise(ended):
        assert after.start_s - before.end_s >= refractory - sample


def test_settings_of_the_vectors_are_read() -> None:
    case = cases("decoder.json")[0]
    assert set(case["labels"]) == set(LABELS)
    assert settings_from(case["listener"]).thresholds["laughing"] == 0.7
