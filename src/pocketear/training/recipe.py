"""recipe: how a network is fitted: by gradient from scratch, or its last layer where it is
pretrained; then its scores are calibrated."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from pocketear.base.fingerprint import fingerprint
from pocketear.data.store import Store
from pocketear.params import ModelParams, Params, TrainParams
from pocketear.training.backbone import read_backbone
from pocketear.training.calibration import calibrate
from pocketear.training.fitting import Course, fit, in_two
from pocketear.training.head import fit_head
from pocketear.training.sides import Side, TrainingSide
from pocketear.training.validation import validation_of

_LIBRARIES = ("tensorflow", "keras", "numpy", "scikit-learn")


def epochs(model: ModelParams, schedule: TrainParams) -> int:
    """At most so many rows of a history. A last layer alone is solved at once."""
    return 1 if model.pretrained else schedule.epochs


def learn(
    whole: Any, train: TrainingSide, val: Side, model: ModelParams, course: Course
) -> pd.DataFrame:
    """Fit `whole`, a model made by network.build, in place.

    returns: one row an epoch, as `on_epoch` gets it
    raises: ParamsError if the loss is no longer a number
    """
    extractor, _ = in_two(whole)
    judged = validation_of(extractor, val)
    if model.pretrained:
        history = fit_head(whole, train, judged, course.schedule.head_draws, course.on_epoch)
    else:
        history = fit(whole, train, judged, course)
    calibrate(whole, judged)
    return history


def recipe_key(store: Store, sides: pd.Series, params: Params, code: str) -> str:
    """What a fitted network, and what `code` makes of it, is a function of, as 16 digits.

    sides: (clip of the store,) the side of each; code: a module, as `stages/train.py`
    """
    index = store.index[["sha256", "samples", "label", "group"]].assign(side=sides)
    chosen = params.model_dump(
        mode="json", include={"seed", "frontend", "augment", "model", "train"}
    )
    made_of = [index.to_csv(index=False), json.dumps(chosen), str(params.listener.hop_length)]
    made_of += [json.dumps(store.normalisation.model_dump(mode="json"))]
    if params.model.pretrained:
        made_of += [read_backbone(Path(params.model.start)).sha256]
    made_of += [fingerprint(code, _LIBRARIES)]
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]
