"""The last layer of a pretrained network, and the temperature of any."""

import numpy as np
import pytest
from scipy.special import softmax

from pocketear.base.errors import DataError
from pocketear.training.calibration import LEAST, MOST, temperature
from pocketear.training.head import STRENGTHS, heads


def drawn(labels: int, windows: int = 600, noise: float = 1.0):
    """Statistics in which each label has a place of its own, far from 0 and of unequal scale."""
    rng = np.random.default_rng(5)
    truth = rng.integers(labels, size=windows)
    places = rng.normal(0, 2, (labels, 6))
    scales = np.array([1e-3, 1, 100, 1, 1, 0])
    statistics = (places[truth] + noise * rng.normal(size=(windows, 6)) + 7) * scales
    return statistics.astype(np.float32), np.eye(labels, dtype=np.float32)[truth]


@pytest.mark.parametrize("labels", [2, 3, 5])
def test_a_head_finds_the_labels_whatever_the_statistics_scales(labels: int) -> None:
    statistics, targets = drawn(labels)
    found = heads(statistics, targets.argmax(axis=1), labels)
    assert len(found) == len(STRENGTHS)
    for head in found:
        assert head.weights.shape == (6, labels) and head.bias.shape == (labels,)
        scores = softmax(statistics @ head.weights + head.bias, axis=1)
        assert (scores.argmax(axis=1) == targets.argmax(axis=1)).mean() > 0.9


def test_a_label_without_a_training_clip_is_never_the_most_probable() -> None:
    statistics, targets = drawn(3)
    for head in heads(statistics, 2 * targets.argmax(axis=1), 5):  # 0, 2 and 4 of five
        logits = statistics @ head.weights + head.bias
        assert set(logits.argmax(axis=1)) == {0, 2, 4}


def test_one_label_is_one_clear_line() -> None:
    with pytest.raises(DataError, match="all clips on the train side have one label"):
        heads(np.ones((4, 2), np.float32), np.zeros(4, int), 2)


@pytest.mark.parametrize("factor", [0.8, 1.5, 3.0])
def test_the_temperature_that_logits_were_made_too_sharp_by_is_found(factor: float) -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (20_000, 4)).astype(np.float32)
    truth = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((20_000, 1))).sum(axis=1)
    found = temperature(factor * logits, np.arange(20_000), np.eye(4, dtype=np.float32)[truth])
    assert found == pytest.approx(factor, rel=0.05)


def test_no_validation_side_makes_scores_certain_or_void() -> None:
    logits, clips = np.array([[4.0, 0.0], [0.0, 4.0]], np.float32), np.arange(2)
    assert temperature(logits, clips, np.eye(2, dtype=np.float32)) == pytest.approx(LEAST, rel=0.01)
    assert temperature(logits, clips, np.eye(2, dtype=np.float32)[::-1]) == pytest.approx(
        MOST, rel=0.01
    )


def test_a_clips_windows_are_judged_together() -> None:
    """Sure and wrong in one window of three, a clip is right all the same."""
    logits = np.array([[3.0, 0.0], [3.0, 0.0], [0.0, 3.0]], np.float32)
    alone = temperature(logits, np.arange(3), np.eye(2, dtype=np.float32)[[0, 0, 0]])
    together = temperature(logits, np.zeros(3, int), np.eye(2, dtype=np.float32)[[0]])
    assert alone > 1 > together
