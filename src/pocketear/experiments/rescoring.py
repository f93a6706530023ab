"""rescoring: a registered version on test clips that it was not tested on.

With a new dataset champion and challenger have few test clips in common, or none. The champion's
file is in the registry and the clips' waveforms are in the feature store, so it scores them now.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from pocketear.data.store import open_store
from pocketear.evaluation.metrics import predictions
from pocketear.runtimes.clip_scores import clip_scores
from pocketear.runtimes.litert import open_model

FEATURES = Path("data/features")  # as dvc.yaml names it
_COLUMNS = ["sha256", "label", "predicted"]


def clip_keys(table: pd.DataFrame) -> pd.MultiIndex:
    """What a clip is known by: its recording's hash, and which clip of that recording it is."""
    cut = table.groupby("sha256").cumcount()
    return pd.MultiIndex.from_arrays([table["sha256"], cut], names=["sha256", "cut"])


def score_again(tflite: Path, wanted: pd.MultiIndex, sample_rate: int) -> pd.DataFrame:
    """The predictions of a file for those of the `wanted` clips that the store's test side has.

    wanted: `clip_keys`; sample_rate: of the store; a file for another one scores nothing
    returns: one row a clip, with its `sha256`, `label` and `predicted`
    raises: DataError if there is no store; RunnerError if the file cannot be run
    """
    store, model = open_store(FEATURES), open_model(tflite)
    tests = store.index[store.index["split"] == "test"]
    keyed = tests.assign(row=tests.index).set_index(clip_keys(tests))
    chosen = keyed[keyed.index.isin(wanted)]
    card = model.card
    if chosen.empty or card.sample_rate != sample_rate:
        return pd.DataFrame(columns=_COLUMNS)
    one_by_one = ([store.waveform(row)] for row in chosen["row"])
    size = card.window_length, card.hop_length
    scores = np.concatenate([clip_scores(model.run, clip, *size) for clip in one_by_one])
    clips = chosen[["label"]].reset_index()
    return predictions(clips, scores, card.labels)[_COLUMNS]
