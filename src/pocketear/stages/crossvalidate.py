"""crossvalidate: every clip scored once, by a model that never saw its group.

With few groups on the test side, one person decides its figures. Then the recipe of `train` is
fitted once for each fold of groups, and the verdict judges the scores of all folds together. Folds
that are done are kept in .pocketear/folds, so a run that was killed goes on with the next.
The features' mean and scale are those of the split's training side, in every fold.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from pocketear.base import process
from pocketear.base.files import remove_older, replacing
from pocketear.base.home import home
from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.metrics import Metrics
from pocketear.contracts.names import SCORE_COLUMN
from pocketear.contracts.report_file import write
from pocketear.data.clips import known_labels
from pocketear.data.grouping.folds import groups_by_label, possible_folds
from pocketear.data.store import Store, open_store
from pocketear.evaluation.metrics import score
from pocketear.evaluation.out_of_fold import score_fold, sides_of_fold
from pocketear.params import Params, SplitParams, load_params

_KEPT = Path(".pocketear/folds")  # below home()
_DAYS = 14


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


def crossvalidate(store: Store, params: Params, folds: int) -> pd.DataFrame:
    """Predictions of all folds. returns: one row a clip: label, group, fold and every score"""
    from pocketear.training.fitting import make_repeatable  # TensorFlow, which most runs need not
    from pocketear.training.recipe import recipe_key

    make_repeatable(params.seed)
    labels, tables, kept = known_labels(store.index, params.data.labels), [], home() / _KEPT
    remove_older(kept, _DAYS)
    for fold in range(1, folds + 1):
        sides = sides_of_fold(store.index, folds, fold, params.seed)
        path = kept / f"{recipe_key(store, sides, params, 'stages/crossvalidate.py')}.parquet"
        if not path.exists():
            name, checkpoint = f"fold {fold} of {folds}, ", path.with_suffix(".npz")
            scores = score_fold(store, sides, params, name, checkpoint)
            columns = {SCORE_COLUMN + label: scores[:, i] for i, label in enumerate(labels)}
            named = store.index.loc[sides == "test", ["path", "sha256", "group", "label"]]
            with replacing(path) as fresh:
                named.assign(fold=fold, **columns).to_parquet(fresh, index=False)
            checkpoint.unlink(missing_ok=True)
        tables.append(pd.read_parquet(path))
    return pd.concat(tables, ignore_index=True)


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
