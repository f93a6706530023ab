"""metrics: labels and scores -> figures with intervals. All pure."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.arrays import Scores
from pocketear.contracts.names import SCORE_COLUMN
from pocketear.evaluation.intervals import share_interval


def score(
    index: pd.DataFrame, scores: Scores, labels: tuple[str, ...], calibration_bins: int
) -> dict[str, Any]:
    """Judge scores. returns: the fields of contracts.metrics.Metrics, but for `bytes`

    index: one row a clip, its `label` and its `group`; scores: (clip, label)
    """
    from sklearn.metrics import precision_recall_fscore_support  # 3 s

    truth = index["label"].map({label: i for i, label in enumerate(labels)}).to_numpy(np.int64)
    groups = index["group"].to_numpy(object)
    predicted = scores.argmax(axis=1)
    correct = predicted == truth
    low, high = share_interval(correct, groups)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=range(len(labels)), zero_division=0.0
    )
    own = [truth == i for i in range(len(labels))]
    ends = [share_interval(correct[clips], groups[clips]) for clips in own]
    return {
        "clips": len(truth),
        "groups": len(set(groups)),
        "accuracy": float(correct.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": float(f1.mean()),
        "recall": dict(zip(labels, map(float, recall), strict=True)),
        "recall_low": dict(zip(labels, (end[0] for end in ends), strict=True)),
        "recall_high": dict(zip(labels, (end[1] for end in ends), strict=True)),
        "precision": dict(zip(labels, map(float, precision), strict=True)),
        "label_groups": {
            label: len(set(groups[clips])) for label, clips in zip(labels, own, strict=True)
        },
        "recall_min": float(recall.min()),
        "calibration_error": calibration_error(correct, scores.max(axis=1), bins=calibration_bins),
    }


def predictions(table: pd.DataFrame, scores: Scores, labels: tuple[str, ...]) -> pd.DataFrame:
    """`table`, a row a clip, with what is predicted and every label's score.

    scores: (clip, label)
    """
    predicted = np.asarray(labels, object)[scores.argmax(axis=1)]
    columns = {SCORE_COLUMN + label: scores[:, i] for i, label in enumerate(labels)}
    return table.assign(predicted=predicted, **columns)


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
