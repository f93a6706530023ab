import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_score,
    recall_score,
)

from pocketear.contracts.metrics import Metrics
from pocketear.evaluation import metrics

LABELS = ("cry", "laugh", "background")


def drawn(clips: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, clips)
    scores = rng.dirichlet([1, 1, 1], clips).astype(np.float32)
    return truth, scores, rng.integers(0, max(1, clips // 3), clips).astype(object)


@given(clips=st.integers(1, 60), seed=st.integers(0, 99))
def test_figures_are_scikit_learns(clips: int, seed: int) -> None:
    truth, scores, groups = drawn(clips, seed)
    predicted = scores.argmax(axis=1)
    index = pd.DataFrame({"label": np.asarray(LABELS)[truth], "group": groups})
    ours = Metrics(bytes=0, **metrics.score(index, scores, LABELS, calibration_bins=10))
    assert (ours.clips, ours.accuracy) == (clips, accuracy_score(truth, predicted))
    every = {"labels": range(3), "zero_division": 0.0}
    assert np.isclose(ours.macro_f1, f1_score(truth, predicted, average="macro", **every))
    np.testing.assert_allclose(
        list(ours.recall.values()), recall_score(truth, predicted, average=None, **every)
    )
    np.testing.assert_allclose(
        list(ours.precision.values()), precision_score(truth, predicted, average=None, **every)
    )
    assert tuple(ours.recall) == tuple(ours.precision) == LABELS
    assert ours.recall_min == min(ours.recall.values())
    assert 0 <= ours.accuracy_low <= ours.accuracy <= ours.accuracy_high <= 1
    assert ours.groups == len(set(groups))
    for name in set(np.asarray(LABELS)[truth]):
        assert ours.recall_low[name] <= ours.recall[name] <= ours.recall_high[name]
    np.testing.assert_array_equal(
        metrics.confusion(truth, predicted, 3), confusion_matrix(truth, predicted, labels=range(3))
    )


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    confidence = np.full(100, 0.95, np.float32)
    correct = np.arange(100) < 70
    assert np.isclose(metrics.calibration_error(correct, confidence, bins=10), 0.25, atol=1e-6)
    certain = metrics.calibration_error(np.ones(5, bool), np.ones(5, np.float32), bins=10)
    assert certain == 0.0
