"""metrics: labels and scores -> figures with intervals. All pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Scores

_INTERVAL = (2.5, 97.5)  # percentiles: a 95 % interval


@dataclass(frozen=True)
class Metrics:
    """How well scores say labels. Shares in [0, 1]; recall and precision by label."""

    clips: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float
    recall: dict[str, float]
    precision: dict[str, float]
    recall_min: float
    calibration_error: float


def score(
    truth: NDArray[np.int64],
    scores: Scores,
    groups: NDArray[np.object_],
    labels: tuple[str, ...],
    *,
    resamples: int,
    bins: int,
    seed: int,
) -> Metrics:
    """Judge scores.

    truth: (clip,) label numbers; scores: (clip, label); groups: (clip,) what may not be split
    The interval resamples whole groups, since clips of one recording are not independent.
    """
    from sklearn.metrics import precision_recall_fscore_support  # 3 s

    predicted = scores.argmax(axis=1)
    correct = predicted == truth
    low, high = group_bootstrap(correct, groups, resamples=resamples, seed=seed)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=range(len(labels)), zero_division=0.0
    )
    return Metrics(
        clips=len(truth),
        accuracy=float(correct.mean()),
        accuracy_low=low,
        accuracy_high=high,
        macro_f1=float(f1.mean()),
        recall=dict(zip(labels, map(float, recall), strict=True)),
        precision=dict(zip(labels, map(float, precision), strict=True)),
        recall_min=float(recall.min()),
        calibration_error=calibration_error(correct, scores.max(axis=1), bins=bins),
    )


def group_bootstrap(
    correct: NDArray[np.bool_], groups: NDArray[np.object_], *, resamples: int, seed: int
) -> tuple[float, float]:
    """A 95 % percentile interval of accuracy, resampling groups (Field and Welsh 2007)."""
    _, member = np.unique(groups.astype(str), return_inverse=True)
    clips = np.bincount(member).astype(float)
    hits = np.bincount(member, weights=correct)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(len(clips), np.full(len(clips), 1 / len(clips)), size=resamples)
    low, high = np.percentile((drawn @ hits) / (drawn @ clips), _INTERVAL)
    return float(low), float(high)


def calibration_error(
    correct: NDArray[np.bool_], confidence: NDArray[np.float32], *, bins: int
) -> float:
    """Expected calibration error over equal-width bins (Guo et al. 2017, arXiv 1706.04599)."""
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(place, weights=correct - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(correct))


def confusion(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """(true label, predicted label) counts."""
    return np.bincount(truth * size + predicted, minlength=size * size).reshape(size, size)
