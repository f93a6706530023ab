"""metrics: labels and scores -> figures with intervals. All pure."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.arrays import Scores
from pocketear.params import EvaluateParams

_INTERVAL = (2.5, 97.5)  # percentiles: a 95 % interval


def score(
    index: pd.DataFrame, scores: Scores, labels: tuple[str, ...], p: EvaluateParams, seed: int
) -> dict[str, Any]:
    """Judge scores. returns: the fields of contracts.metrics.Metrics, but for `bytes`

    index: one row a clip, its `label` and its `group`; scores: (clip, label)
    The interval resamples whole groups, since clips of one recording are not independent.
    """
    from sklearn.metrics import precision_recall_fscore_support  # 3 s

    truth = index["label"].map({label: i for i, label in enumerate(labels)}).to_numpy(np.int64)
    predicted = scores.argmax(axis=1)
    correct = predicted == truth
    groups = index["group"].to_numpy(object)
    low, high = group_bootstrap(correct, groups, resamples=p.bootstrap, seed=seed)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=range(len(labels)), zero_division=0.0
    )
    return {
        "clips": len(truth),
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": float(f1.mean()),
        "recall": dict(zip(labels, map(float, recall), strict=True)),
        "precision": dict(zip(labels, map(float, precision), strict=True)),
        "recall_min": float(recall.min()),
        "calibration_error": calibration_error(
            correct, scores.max(axis=1), bins=p.calibration_bins
        ),
    }


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
    gap = np.bincount(_bin(confidence, bins), weights=correct - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(correct))


def reliability(
    correct: NDArray[np.bool_], confidence: NDArray[np.float32], *, bins: int
) -> pd.DataFrame:
    """The curve behind `calibration_error`: a row a bin that holds clips.

    returns: columns confidence and accuracy, means over the bin, and clips, their number
    """
    table = pd.DataFrame({"confidence": confidence, "accuracy": correct.astype(float)})
    by_bin = table.groupby(_bin(confidence, bins))
    return by_bin.mean().assign(clips=by_bin.size()).reset_index(drop=True)


def _bin(confidence: NDArray[np.float32], bins: int) -> NDArray[np.int64]:
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def confusion(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """(true label, predicted label) counts."""
    return np.bincount(truth * size + predicted, minlength=size * size).reshape(size, size)
