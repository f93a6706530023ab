"""folds: whole groups dealt into folds, every label in proportion, so that none is on two sides.

Greedy as scikit-learn's StratifiedGroupKFold, which always tests the least balanced group first
and needs as many clips a label as folds; here the seed decides among equals, and which fold is
which.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.errors import DataError, shown

_FAIR = 2.0  # a fold with more than this many times its share of a label is unfair


def groups_by_label(table: pd.DataFrame) -> pd.Series:
    """How many groups each label comes from. Index: label."""
    return table.groupby("label")["group"].nunique()


def possible_folds(table: pd.DataFrame, wanted: int) -> int:
    """At most `wanted` folds: each has a group of every label, or it could not test that label."""
    return min(wanted, int(groups_by_label(table).min()))


def folds_by_group(table: pd.DataFrame, folds: int, seed: int) -> NDArray[np.int64]:
    """Deal whole groups into folds.

    table: one row a clip, its `label` and its `group`; folds: 2 or more
    returns: (clip,) the fold of each, 1 to `folds`; those with much more than their share of
        a label, such as one long recording, come last, the others as the seed decides
    raises: DataError if a label has fewer groups than there are folds
    """
    counts = pd.crosstab(table["group"], table["label"])
    for label, groups in (counts > 0).sum().items():
        if groups < folds:
            raise DataError(
                f"label {shown(str(label))} comes from {groups} groups, want at least {folds}; "
                "add recordings of other people or places, or correct the groups"
            )
    rng = np.random.default_rng(seed)
    shares = counts.to_numpy(np.float64) / counts.to_numpy().sum(axis=0)  # (group, label)
    dealt = _deal(shares, folds, rng)
    names = _names(shares, dealt, folds, rng)
    return pd.Series(names[dealt], index=counts.index)[table["group"]].to_numpy(np.int64)


def with_val(table: pd.DataFrame, test: NDArray[np.bool_], val_folds: int, seed: int) -> pd.Series:
    """(clip,) train, val or test: one of `val_folds` folds of what is not tested is validation.

    test: (clip,); fewer folds where a label has fewer groups left, at least 2
    """
    sides = pd.Series("train", index=table.index, dtype="str").mask(test, "test")
    rest = table[~test]
    folds = max(2, possible_folds(rest, val_folds))
    sides.loc[rest.index[folds_by_group(rest, folds, seed) == 1]] = "val"
    return sides


def _deal(shares: NDArray[np.float64], folds: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(group,) the fold, from 0, of each: the largest group first, each to where its labels lack.

    shares: (group, label), of all clips of the label
    """
    order = rng.permutation(len(shares))
    order = order[np.argsort(-shares[order].max(axis=1), kind="stable")]
    held = np.zeros((folds, shares.shape[1]))
    groups = np.zeros((folds, shares.shape[1]))
    dealt = np.zeros(len(shares), np.int64)
    for group in order:
        own = shares[group] > 0
        # a fold without the label first, then the one with the least of it, then with few groups
        missing = (groups[:, own] == 0).any(axis=1)
        cost = ((held + shares[group]) ** 2 - held**2).sum(axis=1)
        fold = np.lexsort((groups[:, own].sum(axis=1), np.round(cost, 12), ~missing))[0]
        dealt[group] = fold
        held[fold] += shares[group]
        groups[fold] += own
    return dealt


def _names(
    shares: NDArray[np.float64],
    dealt: NDArray[np.int64],
    folds: int,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """(fold,) the number, from 1, of each: fair ones first, else as drawn."""
    held = np.stack([shares[dealt == fold].sum(axis=0) for fold in range(folds)]) * folds
    unfair = np.any(held > _FAIR, axis=1)
    order = rng.permutation(folds)
    order = order[np.argsort(unfair[order], kind="stable")]
    names = np.empty(folds, np.int64)
    names[order] = np.arange(1, folds + 1)
    return names
