"""split: the usable clips -> the same with a column `split`; no group on two sides.

By fold: the dataset's own test fold is the test side. By group: whole groups, every label in
proportion, seeded. Validation is cut from the rest by whole groups either way, so nothing is ever
chosen on the test side. Source: the ESC-50 README on its folds.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base import process
from pocketear.base.errors import DataError, shown
from pocketear.data.clips import SPLITS, read_clips, write_clips
from pocketear.data.grouping.folds import folds_by_group, groups_by_label, possible_folds, with_val
from pocketear.params import SplitParams, load_params


def assign(table: pd.DataFrame, params: SplitParams, seed: int) -> pd.DataFrame:
    """Give every clip a side: train, val or test.

    raises: DataError if a group straddles, a fold is missing, or a label lacks a side
    """
    test = by_fold(table, params.test_fold) if params.by == "fold" else None
    if test is None:
        hold_groups(table)
        folds = possible_folds(table, params.folds)
        if params.test_fold > folds:
            raise DataError(
                f"split.test_fold {params.test_fold} is not in the dataset; by group it divides "
                f"into {folds} folds (split.test_share, and the label with the fewest groups)"
            )
        test = np.asarray(folds_by_group(table, folds, seed) == params.test_fold)
    out = table.assign(split=with_val(table, test, round(1 / params.val_share), seed))
    check(out)
    return out


def by_fold(table: pd.DataFrame, fold: int) -> NDArray[np.bool_]:
    """Which clips are in the dataset's own test fold."""
    folds = sorted(set(table["fold"]) - {0})
    if fold not in folds:
        there = ", ".join(map(str, folds)) or "none: set split.by to group in params.yaml"
        raise DataError(f"split.test_fold {fold} is not in the dataset; its folds are {there}")
    return np.asarray(table["fold"] == fold)


def hold_groups(table: pd.DataFrame) -> None:
    """Each label needs a group on each side.

    raises: DataError naming the labels with fewer groups than sides
    """
    groups = groups_by_label(table)
    few = [f"{shown(str(label))} ({count})" for label, count in groups.items() if count < 3]
    if few:
        raise DataError(
            f"label {', '.join(few)} comes from fewer than three groups, one for each of "
            f"{', '.join(SPLITS)}; add recordings of other people or places, or correct the groups"
        )


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
                "add recordings of other people or places, or correct the groups"
            )


def main(valid: Path, out: Path) -> None:
    """Divide the usable clips into train, val and test."""
    params = load_params()
    table = assign(read_clips(valid), params.split, params.seed)
    write_clips(table, out)
    sides = table.groupby("split")
    counts = ", ".join(
        f"{len(sides.get_group(side))} {side} ({sides.get_group(side)['group'].nunique()} groups)"
        for side in SPLITS
    )
    print(f"split: {counts}")


if __name__ == "__main__":
    process.run(main)
