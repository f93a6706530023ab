"""The last layer of a pretrained network, and the temperature of any."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import accuracy_score, log_loss

from pocketear.base.errors import DataError
from pocketear.training.calibration import LEAST, MOST, temperature
from pocketear.training.head import STRENGTHS, Drawn, heads
from pocketear.training.validation import Validation


def drawn(labels: int, windows: int = 600, noise: float = 1.0):
    """Statistics in which each label has a place of its own, far from 0 and of unequal scale."""
    rng = np.random.default_rng(5)
    truth = rng.integers(labels, size=windows)
    places = rng.normal(0, 2, (labels, 6))
    scales = np.array([1e-3, 1, 100, 1, 1, 0])
    statistics = (places[truth] + noise * rng.normal(size=(windows, 6)) + 7) * scales
    return Drawn(statistics.astype(np.float32), truth, np.ones(windows))


def validation(clips, truth, labels: int) -> Validation:
    """windows of clips, whose logits a test brings itself"""
    targets = np.eye(labels, dtype=np.float32)[truth]
    nothing = np.zeros((len(clips), 1, 1, 1), np.float32)
    return Validation(nothing, np.asarray(clips), targets, np.ones(len(targets)))


@pytest.mark.parametrize("labels", [2, 3, 5])
def test_a_head_finds_the_labels_whatever_the_statistics_scales(labels: int) -> None:
    windows = drawn(labels)
    found = heads(windows, labels)
    assert len(found) == len(STRENGTHS)
    for head in found:
        assert head.weights.shape == (6, labels) and head.bias.shape == (labels,)
        scores = softmax(windows.statistics @ head.weights + head.bias, axis=1)
        assert (scores.argmax(axis=1) == windows.labels).mean() > 0.9


def test_a_heads_figures_are_those_of_scikit_learn() -> None:
    windows = drawn(3)
    head = heads(windows, 3)[-1]
    scores = softmax(windows.statistics @ head.weights + head.bias, axis=1)
    assert windows.judge(head) == {
        "loss": pytest.approx(log_loss(windows.labels, scores), rel=1e-4),
        "accuracy": pytest.approx(accuracy_score(windows.labels, scores.argmax(axis=1))),
    }


def test_a_window_that_counts_twice_is_as_two() -> None:
    windows = drawn(2, windows=200, noise=4.0)
    twice = np.where(windows.labels == 0, 2, 1)
    repeated = Drawn(
        np.repeat(windows.statistics, twice, axis=0),
        np.repeat(windows.labels, twice),
        np.ones(twice.sum()),
    )
    # standardised and held back by the number of windows alike, so that only the counts differ
    counted = windows._replace(weights=twice * len(twice) / twice.sum())
    shares = [
        (windows.statistics @ head.weights + head.bias).argmax(axis=1).mean()
        for head in (heads(drawn_, 2)[3] for drawn_ in (windows, counted, repeated))
    ]
    assert shares[0] - shares[1] > 0.05 and shares[1] == pytest.approx(shares[2], abs=0.03)


def test_a_label_without_a_training_clip_is_never_the_most_probable() -> None:
    windows = drawn(3)
    for head in heads(windows._replace(labels=2 * windows.labels), 5):  # 0, 2 and 4 of five
        logits = windows.statistics @ head.weights + head.bias
        assert set(logits.argmax(axis=1)) == {0, 2, 4}


def test_one_label_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="all clips on the train side have one label"):
        heads(Drawn(np.ones((4, 2), np.float32), np.zeros(4, int), np.ones(4)), 2)


@pytest.mark.parametrize("factor", [0.8, 1.5, 3.0])
def test_the_temperature_that_logits_were_made_too_sharp_by_is_found(factor: float) -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (20_000, 4)).astype(np.float32)
    truth = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    found = temperature(factor * logits, validation(np.arange(20_000), truth, 4))
    assert found == pytest.approx(factor, rel=0.05)


def test_no_validation_side_makes_scores_certain_or_void() -> None:
    logits = np.array([[4.0, 0.0], [0.0, 4.0]], np.float32)
    for truth, found in (([0, 1], LEAST), ([1, 0], MOST)):
        assert temperature(logits, validation([0, 1], truth, 2)) == pytest.approx(found, rel=0.01)


def test_a_clips_windows_are_judged_together() -> None:
    """Sure and wrong in one window of three, a clip is right all the same."""
    logits = np.array([[3.0, 0.0], [3.0, 0.0], [0.0, 3.0]], np.float32)
    alone = temperature(logits, validation([0, 1, 2], [0, 0, 0], 2))
    together = temperature(logits, validation([0, 0, 0], [0], 2))
    assert alone > 1 > together
