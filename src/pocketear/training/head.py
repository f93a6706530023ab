"""head: the last layer of a pretrained network, by logistic regression on what its trunk makes.

The problem is convex: there is one best layer, found without a learning rate or a schedule. How
much its weights are held back (L2) is chosen by validation.
"""

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.arrays import FeatureBatch
from pocketear.base.errors import DataError
from pocketear.base.progress import track
from pocketear.contracts.names import LOGITS, WINDOW_STATISTICS
from pocketear.training.augment import unchanged
from pocketear.training.fitting import OnEpoch, batches, in_two
from pocketear.training.sides import TrainingSide
from pocketear.training.validation import Validation

# Against the mean loss: half the squared weights on standardised statistics, times this.
STRENGTHS = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
_BATCH = 64
_ITERATIONS = 1000
_NEVER = -1e4  # a bias


class Head(NamedTuple):
    """logits = statistics @ weights + bias. weights: (statistic, label); bias: (label,)"""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]


class Drawn(NamedTuple):
    """Windows of the training side, as the last layer takes them.

    statistics: (window, statistic); labels: (window,) the number of each; weights: (window,) what
    each counts, of mean 1
    """

    statistics: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    def judge(self, head: Head) -> dict[str, float]:
        """loss and accuracy, as a training's row has them"""
        from scipy.special import log_softmax

        scores = log_softmax(self.statistics @ head.weights + head.bias, axis=1)
        losses = -np.take_along_axis(scores, self.labels[:, np.newaxis], axis=1)[:, 0]
        right = scores.argmax(axis=1) == self.labels
        return {"loss": float(losses.mean()), "accuracy": float(right.mean())}


def fit_head(
    whole: Any, train: TrainingSide, val: Validation, draws: int, on_epoch: OnEpoch
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
    drawn = draw(extractor, trunk, train, draws)
    layer, tried = whole.get_layer(LOGITS), []
    for head in heads(drawn, val.targets.shape[1]):
        layer.set_weights([*head])
        scores = val.predict(network)
        tried.append(
            (val.loss(scores, val.weights), {**drawn.judge(head), **val.judge(scores)}, head)
        )
    _, row, best = min(tried, key=lambda one: one[0])
    layer.set_weights([*best])
    on_epoch(1, row)
    return pd.DataFrame([row], index=pd.RangeIndex(1, 2, name="epoch"))


def draw(extractor: Any, trunk: Any, train: TrainingSide, draws: int) -> Drawn:
    """`draws` windows of each clip, the first as it was recorded."""
    steps, targets = math.ceil(len(train.clips) / _BATCH), train.clips.targets
    as_recorded = replace(train, changes=unchanged(train.changes))
    unmixed = train.changes.model_copy(update={"mix_share": 0.0})
    changed = replace(train, changes=unmixed, seed=train.seed + 1)

    def features() -> Iterator[FeatureBatch]:
        for side, count in ((as_recorded, 1), (changed, draws - 1)):
            with closing(batches(extractor, side, steps, range(count))) as found:
                yield from (batch for batch, _ in found)

    made = [
        trunk.predict_on_batch(batch)
        for batch in track(features(), steps * draws, "batches of windows")
    ]
    clips = np.concatenate(
        [as_recorded.draw(0)[0], *(changed.draw(epoch)[0] for epoch in range(draws - 1))]
    )
    labels, weights = targets.argmax(axis=1), train.clips.weights()
    return Drawn(np.concatenate(made), labels[clips], weights[clips])


def heads(drawn: Drawn, count: int) -> list[Head]:
    """A head for each of STRENGTHS.

    count: of labels; one without a window is never the most probable
    raises: DataError if all windows are of one label
    """
    from sklearn.linear_model import LogisticRegression

    statistics, labels, counts = drawn
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
        model.fit(standard, labels, counts)
        rows, biases = model.coef_, model.intercept_
        if len(known) == 2:  # scikit-learn has one row for two labels: the second's log-odds
            rows, biases = (np.concatenate([-one, one]) / 2 for one in (rows, biases))
        weights, bias = np.zeros((statistics.shape[1], count)), np.full(count, _NEVER)
        weights[:, known] = rows.T / scale[:, np.newaxis]
        bias[known] = biases - mean @ weights[:, known]
        found.append(Head(weights.astype(np.float32), bias.astype(np.float32)))
    return found
