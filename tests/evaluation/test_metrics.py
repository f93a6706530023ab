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

from places import ROOT
from pocketear.contracts.metrics import Metrics
from pocketear.evaluation import metrics
from pocketear.params import load_params

LABELS = ("cry", "laugh", "background")
PARAMS = load_params(ROOT / "params.yaml").evaluate.model_copy(update={"bootstrap": 50})


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
    ours = Metrics(bytes=0, **metrics.score(index, scores, LABELS, PARAMS, seed=0))
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
    assert 0 <= ours.accuracy_low <= ours.accuracy_high <= 1
    np.testing.assert_array_equal(
        metrics.confusion(truth, predicted, 3), confusion_matrix(truth, predicted, labels=range(3))
    )


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """200 draws of 60 independent clips at 80 %: a 95 % interval misses about ten times."""
    rng = np.random.default_rng(1)
    covered = 0
    for seed in range(200):
        correct = rng.random(60) < 0.8
        low, high = metrics.group_bootstrap(
            correct, np.arange(60).astype(object), resamples=400, seed=seed
        )
        covered += low <= 0.8 <= high
    assert 178 <= covered <= 198


def test_clips_of_one_recording_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    correct = np.repeat(rng.random(20) < 0.7, 10)
    alone = metrics.group_bootstrap(correct, np.arange(200).astype(object), resamples=500, seed=0)
    shared = metrics.group_bootstrap(
        correct, np.repeat(np.arange(20), 10).astype(object), resamples=500, seed=0
    )
    assert shared[1] - shared[0] > 2 * (alone[1] - alone[0])


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    confidence = np.full(100, 0.95, np.float32)
    correct = np.arange(100) < 70
    assert np.isclose(metrics.calibration_error(correct, confidence, bins=10), 0.25, atol=1e-6)
    certain = metrics.calibration_error(np.ones(5, bool), np.ones(5, np.float32), bins=10)
    assert certain == 0.0
