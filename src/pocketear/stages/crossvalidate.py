"""crossvalidate: every clip scored once, by a model that never saw its group.

With few groups on the test side, one person decides its figures. Then the recipe of `train` is
fitted once for each fold of groups, and the verdict judges the scores of all folds together. Folds
that are done are kept in .pocketear/folds, so a run that was killed goes on with the next.
The features' mean and scale are those of the split's training side, in every fold.
"""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from pocketear.base import process
from pocketear.base.arrays import Scores
from pocketear.base.files import replacing
from pocketear.base.fingerprint import fingerprint
from pocketear.base.home import home
from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.metrics import Metrics
from pocketear.contracts.names import SCORE_COLUMN
from pocketear.contracts.report_file import write
from pocketear.data.clips import known_labels
from pocketear.data.grouping.folds import folds_by_group, groups_by_label, possible_folds, with_val
from pocketear.data.store import Store, open_store
from pocketear.evaluation.metrics import score
from pocketear.params import Params, SplitParams, load_params
from pocketear.runtimes.clip_scores import clip_scores

_KEPT = Path(".pocketear/folds")
_LIBRARIES = ("tensorflow", "keras", "numpy")


def needed(index: pd.DataFrame, p: SplitParams) -> tuple[bool, str]:
    """Whether the split's test side is too few people to judge by, and why or why not.

    index: one row a clip, with its `label`, `group` and `split`
    """
    groups = groups_by_label(index[index["split"] == "test"])
    few = [f"{label} ({count})" for label, count in groups.items() if count < p.min_test_groups]
    if p.crossvalidate != "auto":
        return p.crossvalidate == "always", f"split.crossvalidate is {p.crossvalidate}"
    if not few:
        return False, f"every label has {p.min_test_groups} groups or more on the test side"
    why = f"fewer than {p.min_test_groups} groups on the test side: {', '.join(few)}"
    if p.by == "fold":
        return False, f"{why}; `crossvalidate/folds` tests on every fold of the dataset"
    return True, why


def sides_of_fold(index: pd.DataFrame, folds: int, fold: int, seed: int) -> pd.Series:
    """(clip,) train, val or test, with fold number `fold` as the test side."""
    test = np.asarray(folds_by_group(index, folds, seed) == fold)
    return with_val(index, test, folds, seed)


def score_fold(store: Store, sides: pd.Series, params: Params, name: str) -> Scores:
    """(tested clip, label) by a model that was fitted to the other sides. name: for the terminal"""
    from pocketear.training.fitting import TrainingSide, print_epoch, side_of, start_afresh
    from pocketear.training.network import build
    from pocketear.training.recipe import epochs, learn

    start_afresh(params.seed)
    labels = known_labels(store.index, params.data.labels)
    train = TrainingSide(side_of(store, sides, "train", labels), params.augment, params.seed)
    hop = params.listener.hop_length
    whole = build(params.frontend, params.model, labels, store.normalisation, hop)
    val = side_of(store, sides, "val", labels)
    recipe = (params.model, params.train)
    learn(whole, train, val, recipe, print_epoch(epochs(recipe), name))
    tested = side_of(store, sides, "test", labels)
    waveforms = [tested.waveform(clip) for clip in range(len(tested))]
    window = params.frontend.window_length
    return clip_scores(lambda batch: whole.predict(batch, verbose=0), waveforms, window, hop)


def crossvalidate(store: Store, params: Params, folds: int) -> pd.DataFrame:
    """Predictions of all folds. returns: one row a clip: label, group, fold and every score"""
    from pocketear.training.fitting import make_repeatable  # TensorFlow, which most runs need not

    make_repeatable(params.seed)
    labels = known_labels(store.index, params.data.labels)
    everything = home() / _KEPT
    kept = everything / _key(store, params, folds)
    tables = []
    for fold in range(1, folds + 1):
        sides = sides_of_fold(store.index, folds, fold, params.seed)
        path = kept / f"fold_{fold}.parquet"
        if not path.exists():
            scores = score_fold(store, sides, params, f"fold {fold} of {folds}, ")
            columns = {SCORE_COLUMN + label: scores[:, i] for i, label in enumerate(labels)}
            named = store.index.loc[sides == "test", ["path", "sha256", "group", "label"]]
            with replacing(path) as fresh:
                named.assign(fold=fold, **columns).to_parquet(fresh, index=False)
        tables.append(pd.read_parquet(path))
    for old in set(everything.iterdir()) - {kept}:
        shutil.rmtree(old, ignore_errors=True)
    return pd.concat(tables, ignore_index=True)


def _key(store: Store, params: Params, folds: int) -> str:
    """What the scores are a function of."""
    index = store.index[["sha256", "samples", "label", "group"]].to_csv(index=False)
    sections = params.model_dump(mode="json", include={"seed", "frontend", "augment", "model"})
    sections |= {"train": params.train.model_dump(mode="json"), "folds": folds}
    sections["hop_length"] = params.listener.hop_length
    sections["normalisation"] = store.normalisation.model_dump(mode="json")
    made_of = [index, json.dumps(sections), fingerprint("stages/crossvalidate.py", _LIBRARIES)]
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]


def judged(table: pd.DataFrame, params: Params) -> Metrics:
    """The metrics of all folds' predictions together."""
    labels = known_labels(table, params.data.labels)
    scores = table[[SCORE_COLUMN + label for label in labels]].to_numpy(np.float32)
    figures = score(table, scores, labels, params.evaluate.calibration_bins)
    return Metrics(bytes=0, **figures)


def main(features: Path, out: Path) -> None:
    """Train and test by folds of groups, where the test side is too few people."""
    params, store = load_params(), open_store(features)
    wanted, why = needed(store.index, params.split)
    folds = possible_folds(store.index, params.split.folds) if wanted else 0
    with replacing(out) as fresh:
        fresh.mkdir()
        metrics = None
        if folds:
            table = crossvalidate(store, params, folds)
            table.to_parquet(fresh / "predictions.parquet", index=False)
            metrics = judged(table, params)
        write(GroupFolds(folds=folds, why=why, metrics=metrics), fresh / "folds.json")
    accuracy = f", accuracy {metrics.accuracy:.3f}" if metrics else ""
    print(f"crossvalidate: {folds} folds{accuracy}: {why}")


if __name__ == "__main__":
    process.run(main)
