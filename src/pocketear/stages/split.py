"""split: the usable clips -> the same with a column `split`; no group on two sides.

By fold: the dataset's own test fold is the test side. By group: whole groups, stratified by label,
seeded. Validation is cut from the rest by whole groups either way, so nothing is ever chosen on
the test side. Source: scikit-learn's StratifiedGroupKFold; the ESC-50 README on its folds.
"""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base import process
from pocketear.base.errors import DataError
from pocketear.data.clips import SPLITS, read_clips, write_clips
from pocketear.params import SplitParams, load_params


def assign(table: pd.DataFrame, params: SplitParams, seed: int) -> pd.DataFrame:
    """Give every clip a side: train, val or test.

    raises: DataError if a group straddles, a fold is missing, or a label lacks a side
    """
    test = by_fold(table, params.test_fold) if params.by == "fold" else None
    if test is None:
        test = draw_groups(table, params.test_share, seed)
    rest = table[~test]
    val = draw_groups(rest, params.val_share, seed)
    sides = pd.Series("train", index=table.index, dtype="str").mask(test, "test")
    sides.loc[rest.index[val]] = "val"
    out = table.assign(split=sides)
    check(out)
    return out


def by_fold(table: pd.DataFrame, fold: int) -> NDArray[np.bool_]:
    """Which clips are in the dataset's own test fold."""
    folds = sorted(set(table["fold"]) - {0})
    if fold not in folds:
        there = ", ".join(map(str, folds)) or "none: set split.by to group in params.yaml"
        raise DataError(f"split.test_fold {fold} is not in the dataset; its folds are {there}")
    return np.asarray(table["fold"] == fold)


def draw_groups(table: pd.DataFrame, share: float, seed: int) -> NDArray[np.bool_]:
    """Draw whole groups of about `share` of the clips, with every label in proportion."""
    from sklearn.model_selection import StratifiedGroupKFold  # 3 s to import

    folds = StratifiedGroupKFold(max(2, round(1 / share)), shuffle=True, random_state=seed)
    drawn = np.zeros(len(table), bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a label with few groups: `check` judges
        try:
            _, rows = next(folds.split(table, table["label"], table["group"]))
        except ValueError as error:
            raise DataError(
                f"too few clips or groups to split ({error}); add recordings"
            ) from error
    drawn[rows] = True
    return drawn


def check(table: pd.DataFrame) -> None:
    """Hold what a split promises."""
    for column in ("group", "sha256"):
        sides = table.groupby(column)["split"].nunique()
        if (sides > 1).any():
            name = sides.idxmax()
            path = table.loc[table[column] == name, "path"].iloc[0]
            raise DataError(f"{path}: {column} {name} is on two sides of the split; fix the table")
    counts = table.groupby(["label", "split"]).size().unstack(fill_value=0)
    for side in SPLITS:
        lacking = [str(label) for label in counts.index if counts.get(side, counts * 0)[label] == 0]
        if lacking:
            raise DataError(
                f"label {', '.join(lacking)} has no clip on the {side} side: too few groups; "
                "add recordings of other people or places, or give groups of their own"
            )


def main(valid: Path, out: Path) -> None:
    """Divide the usable clips into train, val and test."""
    params = load_params()
    table = assign(read_clips(valid), params.split, params.seed)
    write_clips(table, out)
    counts = table["split"].value_counts()
    print("split: " + ", ".join(f"{counts[side]} {side}" for side in SPLITS))


if __name__ == "__main__":
    process.run(main)
