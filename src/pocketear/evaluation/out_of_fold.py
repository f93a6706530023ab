"""out_of_fold: scores of clips by models that never saw their group."""

from pathlib import Path

import numpy as np
import pandas as pd

from pocketear.base.arrays import Scores
from pocketear.data.clips import known_labels
from pocketear.data.grouping.folds import folds_by_group, with_val
from pocketear.data.store import Store
from pocketear.params import Params
from pocketear.runtimes.clip_scores import clip_scores


def sides_of_fold(index: pd.DataFrame, folds: int, fold: int, seed: int) -> pd.Series:
    """(clip,) train, val or test, with fold number `fold` as the test side."""
    test = np.asarray(folds_by_group(index, folds, seed) == fold)
    return with_val(index, test, folds, seed)


def score_fold(
    store: Store, sides: pd.Series, params: Params, name: str, checkpoint: Path | None = None
) -> Scores:
    """(tested clip, label) by a model that was fitted to the other sides.

    sides: (clip of the store,); one that is on no side is left out; name: for the terminal
    checkpoint: where its training stands
    """
    from pocketear.training.checkpoint import Checkpoint
    from pocketear.training.fitting import Course, print_epoch, start_afresh
    from pocketear.training.network import build
    from pocketear.training.recipe import epochs, learn
    from pocketear.training.sides import TrainingSide, side_of

    start_afresh(params.seed)
    labels = known_labels(store.index, params.data.labels)
    train = TrainingSide(side_of(store, sides, "train", labels), params.augment, params.seed)
    hop = params.listener.hop_length
    whole = build(params.frontend, params.model, labels, store.normalisation, hop)
    val = side_of(store, sides, "val", labels)
    line = print_epoch(epochs(params.model, params.train), name)
    course = Course(params.train, line, Checkpoint(checkpoint) if checkpoint else None)
    learn(whole, train, val, params.model, course)
    tested = side_of(store, sides, "test", labels)
    waveforms = [tested.waveform(clip) for clip in range(len(tested))]
    window = params.frontend.window_length
    return clip_scores(lambda batch: whole.predict(batch, verbose=0), waveforms, window, hop)
