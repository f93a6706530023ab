"""validation: how well a network scores clips that it is not fitted to.

A clip's scores are the mean of its windows' scores, as `evaluate` has them.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import FeatureBatch, Scores
from pocketear.data.windows import cut_windows
from pocketear.training.sides import Side

_AT_ONCE = 256  # windows
_LEAST_SCORE = 1e-7  # Keras's own floor below the logarithm in its loss


class Validation(NamedTuple):
    """The validation side as a network takes it.

    features: (window, chunk, frame, coefficient) normalised, one clip's windows after another's
    clips: (window,) the number of each one's clip, from 0 on
    targets: (clip, label) a single 1 in each row
    weights: (clip,) of mean 1, as in `Side.weights`
    """

    features: FeatureBatch
    clips: NDArray[np.int64]
    targets: Scores
    weights: NDArray[np.float64]

    def predict(self, network: Any) -> NDArray[np.float32]:
        """(window, …) what `network` makes of the features, in order"""
        made: NDArray[np.float32] = network.predict(self.features, batch_size=_AT_ONCE, verbose=0)
        return made

    def by_clip(self, scores: Scores) -> Scores:
        """(clip, label) of scores (window, label)"""
        windows = np.bincount(self.clips)
        sums = np.add.reduceat(scores, np.cumsum(windows) - windows, axis=0)
        return np.asarray(sums / windows[:, np.newaxis], np.float32)

    def loss(self, scores: Scores, weights: NDArray[np.float64] | None = None) -> float:
        """Cross-entropy of scores (window, label), as a mean over clips that count `weights`."""
        of_truth = np.maximum((self.by_clip(scores) * self.targets).sum(axis=1), _LEAST_SCORE)
        return float(np.average(-np.log(of_truth), weights=weights))

    def judge(self, scores: Scores) -> dict[str, float]:
        """val_loss and val_accuracy of scores (window, label)"""
        right = self.by_clip(scores).argmax(axis=1) == self.targets.argmax(axis=1)
        return {"val_loss": self.loss(scores), "val_accuracy": float(right.mean())}


def validation_of(extractor: Any, side: Side) -> Validation:
    """Every window of the clips, side by side, through `extractor`, the first of `in_two`."""
    length = extractor.input_shape[1]
    by_clip = [
        extractor.predict_on_batch(cut_windows(side.waveform(clip), length, length))
        for clip in range(len(side))
    ]
    clips = np.repeat(np.arange(len(side)), [len(windows) for windows in by_clip])
    return Validation(np.concatenate(by_clip), clips, side.targets, side.weights())
