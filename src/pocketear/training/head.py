"""head: the last layer of a pretrained network, by logistic regression on what its trunk makes.

The problem is convex: there is one best layer, found without a learning rate or a schedule. How
much its weights are held back (L2) is chosen by validation.
"""

import math
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.arrays import Scores
from pocketear.base.errors import DataError
from pocketear.base.progress import track
from pocketear.contracts.names import LOGITS, WINDOW_STATISTICS
from pocketear.training.augment import unchanged
from pocketear.training.fitting import (
    OnEpoch,
    Side,
    TrainingSide,
    batches,
    features_by_clip,
    in_two,
    judge,
)

# Against the mean loss: half the squared weights on standardised statistics, times this.
STRENGTHS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
_BATCH = 64
_ITERATIONS = 1000
_NEVER = -1e4  # a bias


class Head(NamedTuple):
    """logits = statistics @ weights + bias. weights: (statistic, label); bias: (label,)"""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


def fit_head(
    whole: Any, train: TrainingSide, val: Side, draws: int, on_epoch: OnEpoch
) -> pd.DataFrame:
    """Fit the last layer of `whole`, a model made by network.build, in place; no other changes.

    draws: windows drawn of each clip: one as it was recorded, the others augmented. None is mixed
        with another clip's: a last layer alone cannot tell a mixture from its parts
        (docs/decisions/0018-pretrained.md)
    returns: one row, as `on_epoch` gets it, as if it were an epoch
    raises: DataError if all training clips have one label
    """
    extractor, network = in_two(whole)
    _, trunk = in_two(whole, WINDOW_STATISTICS)
    made, steps = [], math.ceil(len(train.clips) / _BATCH)
    unmixed = train.changes.model_copy(update={"mix_share": 0.0})
    as_recorded = replace(train, changes=unchanged(train.changes))
    changed = replace(train, changes=unmixed, seed=train.seed + 1)
    for side, count in ((as_recorded, 1), (changed, draws - 1)):
        with closing(batches(extractor, side, steps, count)) as drawn:
            for features, targets in track(drawn, steps * count, "batches of windows"):
                made.append((trunk.predict_on_batch(features), targets))
    statistics, wanted = (np.concatenate(parts) for parts in zip(*made, strict=True))
    labels = wanted.argmax(axis=1)
    layer, clips = whole.get_layer(LOGITS), features_by_clip(extractor, val, whole.input_shape[1])
    tried = []
    for head in heads(statistics, labels, wanted.shape[1]):
        layer.set_weights([*head])
        tried.append((judge(network, clips, val.targets), head))
    row, best = min(tried, key=lambda one: one[0]["val_loss"])
    layer.set_weights([*best])
    row = {**on_training(best, statistics, wanted), **row}
    on_epoch(1, row)
    return pd.DataFrame([row], index=pd.RangeIndex(1, 2, name="epoch"))


def heads(statistics: NDArray[np.float32], labels: NDArray[np.int64], count: int) -> list[Head]:
    """A head for each of STRENGTHS.

    statistics: (window, statistic); labels: (window,) the number of each, below `count`. A label
    without a window is never the most probable.
    raises: DataError if all windows are of one label
    """
    from sklearn.linear_model import LogisticRegression

    known = np.unique(labels)
    if len(known) < 2:
        raise DataError(
            "all clips on the train side have one label; there is nothing to tell apart"
        )
    mean, scale = statistics.mean(axis=0), statistics.std(axis=0)
    scale[scale == 0] = 1  # a channel that never changes says nothing
    standard = (statistics - mean) / scale
    model = LogisticRegression(max_iter=_ITERATIONS, warm_start=True)
    found = []
    for strength in STRENGTHS:
        model.set_params(C=1 / (strength * len(statistics)))
        model.fit(standard, labels)
        rows, biases = model.coef_, model.intercept_
        if len(known) == 2:  # scikit-learn has one row for two labels: the second's log-odds
            rows, biases = (np.concatenate([-one, one]) / 2 for one in (rows, biases))
        weights, bias = np.zeros((statistics.shape[1], count)), np.full(count, _NEVER)
        weights[:, known] = rows.T / scale[:, np.newaxis]
        bias[known] = biases - mean @ weights[:, known]
        found.append(Head(weights.astype(np.float32), bias.astype(np.float32)))
    return found


def on_training(head: Head, statistics: NDArray[np.float32], targets: Scores) -> dict[str, float]:
    """Loss and accuracy over drawn windows."""
    from scipy.special import log_softmax

    scores = log_softmax(statistics @ head.weights + head.bias, axis=1)
    right = scores.argmax(axis=1) == targets.argmax(axis=1)
    loss = -(targets * scores).sum(axis=1).mean()
    return {"loss": float(loss), "accuracy": float(right.mean())}
