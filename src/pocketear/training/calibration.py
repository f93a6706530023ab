"""calibration: one temperature for all logits, so that a score is how often it is right.

source: Guo et al. 2017, "On calibration of modern neural networks" (arXiv 1706.04599)
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketear.contracts.names import LOGITS
from pocketear.training.fitting import in_two
from pocketear.training.validation import Validation

# A validation side without a mistake asks for certainty, which no number of clips can vouch for.
LEAST, MOST = 0.5, 5.0


def calibrate(whole: Any, val: Validation) -> float:
    """Divide the logits of `whole`, a fitted model of network.build, by what suits validation best.

    It is done in the weights of the last layer, in place: no op is added.
    returns: the temperature
    """
    _, network = in_two(whole, LOGITS)
    found = temperature(val.predict(network), val)
    layer = whole.get_layer(LOGITS)
    layer.set_weights([weights / np.float32(found) for weights in layer.get_weights()])
    return found


def temperature(logits: NDArray[np.float32], val: Validation) -> float:
    """The temperature of the least loss of clips. logits: (window, label)

    returns: LEAST to MOST
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    def loss(log_temperature: float) -> float:
        return val.loss(softmax(logits / math.exp(log_temperature), axis=1))

    bounds = (math.log(LEAST), math.log(MOST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)
