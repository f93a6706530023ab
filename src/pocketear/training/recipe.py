"""recipe: how a network is fitted: by gradient from scratch, or its last layer where it is
pretrained; then its scores are calibrated."""

from typing import Any

import pandas as pd

from pocketear.params import ModelParams, TrainParams
from pocketear.training.calibration import calibrate
from pocketear.training.fitting import OnEpoch, fit, in_two
from pocketear.training.head import fit_head
from pocketear.training.sides import Side, TrainingSide
from pocketear.training.validation import validation_of


def epochs(params: tuple[ModelParams, TrainParams]) -> int:
    """At most so many rows of a history. A last layer alone is solved at once."""
    model, schedule = params
    return 1 if model.pretrained else schedule.epochs


def learn(
    whole: Any,
    train: TrainingSide,
    val: Side,
    params: tuple[ModelParams, TrainParams],
    on_epoch: OnEpoch,
) -> pd.DataFrame:
    """Fit `whole`, a model made by network.build, in place.

    returns: one row an epoch, as `on_epoch` gets it
    raises: ParamsError if the loss is no longer a number
    """
    model, schedule = params
    extractor, _ = in_two(whole)
    judged = validation_of(extractor, val)
    if model.pretrained:
        history = fit_head(whole, train, judged, schedule.head_draws, on_epoch)
    else:
        history = fit(whole, train, judged, schedule, on_epoch)
    calibrate(whole, judged)
    return history
