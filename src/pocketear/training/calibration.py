"""calibration: one temperature for all logits, so that a score is how often it is right.

source: Guo et al. 2017, "On calibration of modern neural networks" (arXiv 1706.04599)
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Scores
from pocketear.contracts.names import LOGITS
from pocketear.training.fitting import AT_ONCE, Side, features_by_clip, in_two

# A validation side without a mistake asks for certainty, which no number of clips can vouch for.
LEAST, MOST = 0.5, 5.0
_LEAST_SCORE = 1e-7


def calibrate(whole: Any, val: Side) -> float:
    """Divide the logits of `whole`, a fitted model of network.build, by what suits validation best.

    It is done in the weights of the last layer, in place: no op is added.
    returns: the temperature
    """
    extractor, network = in_two(whole, LOGITS)
    clips = features_by_clip(extractor, val, whole.input_shape[1])
    logits = network.predict(np.concatenate(clips), batch_size=AT_ONCE, verbose=0)
    found = temperature(logits, np.repeat(np.arange(len(clips)), [*map(len, clips)]), val.targets)
    layer = whole.get_layer(LOGITS)
    layer.set_weights([weights / np.float32(found) for weights in layer.get_weights()])
    return found


def temperature(logits: NDArray[np.float32], clips: NDArray[np.int64], targets: Scores) -> float:
    """The temperature of the least loss of clips, whose scores are the mean of their windows'.

    logits: (window, label); clips: (window,) the clip of each, 0 on; targets: (clip, label)
    returns: LEAST to MOST
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    windows = np.bincount(clips)[:, np.newaxis]

    def loss(log_temperature: float) -> float:
        sums = np.zeros(targets.shape)
        np.add.at(sums, clips, softmax(logits / math.exp(log_temperature), axis=1))
        of_truth = (sums / windows * targets).sum(axis=1)
        return float(-np.log(np.maximum(of_truth, _LEAST_SCORE)).mean())

    bounds = (math.log(LEAST), math.log(MOST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)
