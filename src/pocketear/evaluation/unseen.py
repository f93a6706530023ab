"""unseen: labelled clips that a model never saw -> which may be judged, and how good it is there.

Everything is a function of tables and scores; apps/evaluate reads and writes the files.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.arrays import Scores
from pocketear.base.errors import DataError, shown
from pocketear.contracts.names import SCORE_COLUMN
from pocketear.contracts.unseen import SetAside, Share
from pocketear.evaluation.intervals import share_interval
from pocketear.evaluation.metrics import confusion, score
from pocketear.runtimes.card import ModelCard

CALIBRATION_BINS = 10  # no params.yaml need be at hand; as Guo et al. (2017, arXiv 1706.04599) show
# of the clip table: who and where a clip is, and what was judged of it; all others are properties
_NO_PROPERTY = {
    *("path", "sha256", "label", "group", "fold", "start", "end", "error", "predicted"),
    *("group_from", "sound"),
}
_CONTENTS = ("sha256", "sound")  # of the file, and of its samples, which a copy may share
_SIDES = ("train", "val", "test")  # a clip on two sides counts as of the first
_MOST_VALUES = 6  # of a number; one with more is cut into quarters of the clips
_MOST_TEXTS = 20  # a text with more values parts the clips too finely to say anything
_QUARTERS = (0.25, 0.5, 0.75)
_NAMED = 5  # clips named in a line


def renamed_labels(
    card: ModelCard, other: list[str], named: Mapping[str, str], found: set[str]
) -> dict[str, str]:
    """Label of the sounds -> label of the model. other: labels that are background to it

    named: label of the sounds -> label of the model, as a person says; found: in the sounds
    raises: DataError if a label is not one of the sounds' or the model's, or there is none to take
    """
    if other and not card.listener.background:
        raise DataError(
            f"--other {other[0]}: the model has no background label "
            f"({', '.join(card.labels)}); leave these clips out, or use --map"
        )
    renamed = {**dict.fromkeys(other, next(iter(card.listener.background), "")), **named}
    for own, target in renamed.items():
        if own not in found:
            labels = ", ".join(sorted(found))
            raise DataError(f"label {shown(own)}: no clip has it; found {labels}")
        if target not in card.labels:
            labels = ", ".join(card.labels)
            raise DataError(f"label {shown(target)}: not one of the model's, which are {labels}")
    return renamed


def check_labels(labels: "pd.Series[str]", card: ModelCard) -> None:
    """raises: DataError if one is not a label of the model. labels: of the clips, renamed"""
    unknown = labels[~labels.isin(card.labels)].value_counts().sort_index()
    if not len(unknown):
        return
    counted = ", ".join(f"{shown(str(label))} ({count})" for label, count in unknown.items())
    example = str(unknown.index[0])
    other = f"--other {example} if it is background, " if card.listener.background else ""
    raise DataError(
        f"labels that the model does not have, and their clips: {counted}; it has "
        f"{', '.join(card.labels)}. For each give {other}--map {example}={card.labels[0]} if that "
        "is its name in the model, or leave its clips out"
    )


def sides_of(table: pd.DataFrame, known: pd.DataFrame) -> "pd.Series[str]":
    """The side of the model's own split that each clip is on, by content, "" for none.

    table: a clip table; known: `split` of the clips of the model's project, and their contents
    """
    found = pd.Series("", table.index, dtype="str")
    for column in (name for name in _CONTENTS if name in known and name in table):
        for side in _SIDES:
            own = set(known.loc[known["split"] == side, column]) - {""}
            found = found.mask((found == "") & table[column].isin(own), side)
    return found


def reasons_against(table: pd.DataFrame, sides: "pd.Series[str]") -> "pd.Series[str]":
    """Why each clip cannot be judged: not decoded, or not unseen; "" where it can be.

    table: a clip table; sides: of `sides_of`
    """
    learned = {
        "train": "the model was trained on it",
        "val": "the model's epoch and thresholds were chosen with it",
    }
    reasons = [
        error or learned.get(side, "") for error, side in zip(table["error"], sides, strict=True)
    ]
    return pd.Series(reasons, table.index, dtype="str")


def summed_up(aside: list[SetAside]) -> str:
    """How many clips were set aside for each reason, and the first of them by name."""
    reasons: dict[str, list[str]] = {}
    for one in aside:
        reasons.setdefault(one.reason, []).append(one.path)
    return "; ".join(
        f"{', '.join(paths[:_NAMED])}{f' and {len(paths) - _NAMED} more' * (len(paths) > _NAMED)}: "
        f"{reason}"
        for reason, paths in reasons.items()
    )


def judged(table: pd.DataFrame, scores: Scores, labels: tuple[str, ...]) -> dict[str, Any]:
    """Figures of contracts.unseen.Unseen that labels and scores give, `bytes` and alarms apart.

    table: a row a clip: label, predicted, group and any properties; scores: (clip, label)
    """
    truth, predicted = (_numbers(table[name], labels) for name in ("label", "predicted"))
    groups, correct = table["group"].to_numpy(object), predicted == truth
    present = [label for i, label in enumerate(labels) if (truth == i).any()]
    ends = {
        label: share_interval(correct[predicted == i], groups[predicted == i])
        for i, label in enumerate(labels)
        if label in present
    }
    counts = confusion(truth, predicted, len(labels))
    rows = {label: dict(zip(labels, row.tolist(), strict=True)) for label, row in
            zip(labels, counts, strict=True)}  # fmt: skip
    return {
        "metrics": _of_present(score(table, scores, labels, CALIBRATION_BINS), present),
        "precision_low": {label: low for label, (low, _) in ends.items()},
        "precision_high": {label: high for label, (_, high) in ends.items()},
        "confusion": {label: rows[label] for label in present},
        "by_property": by_property(table, correct),
    }


def shares(
    names: "pd.Series[Any]", correct: NDArray[np.bool_], groups: NDArray[np.object_]
) -> tuple[Share, ...]:
    """Accuracy of the clips of each name, in the order of names' categories. All are (clip,)."""
    made = []
    for name in names.cat.categories:
        own = (names == name).to_numpy(bool)
        if own.any():
            low, high = share_interval(correct[own], groups[own])
            made.append(
                Share(
                    name=str(name), clips=int(own.sum()), groups=len(set(groups[own])),
                    accuracy=float(correct[own].mean()), low=low, high=high,
                )
            )  # fmt: skip
    return tuple(made)


def by_group(table: pd.DataFrame) -> tuple[Share, ...]:
    """Accuracy of each group, the lowest first. table: with label, predicted and group"""
    correct = (table["label"] == table["predicted"]).to_numpy(bool)
    found = shares(table["group"].astype("category"), correct, table["group"].to_numpy(object))
    return tuple(sorted(found, key=lambda share: (share.accuracy, -share.clips)))


def by_property(table: pd.DataFrame, correct: NDArray[np.bool_]) -> dict[str, tuple[Share, ...]]:
    """Accuracy by everything that is measured of a clip and differs between clips."""
    groups = table["group"].to_numpy(object)
    found = {}
    for column in map(str, table.columns):
        if column not in _NO_PROPERTY and not column.startswith(SCORE_COLUMN):
            names = _values(table[column])
            if 1 < len(names.cat.categories) <= _MOST_TEXTS:
                found[column] = shares(names, correct, groups)
    return found


def _values(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column as few named values: its own, or the quarters of its numbers."""
    if not pd.api.types.is_numeric_dtype(column) or column.nunique() <= _MOST_VALUES:
        named = column.map(lambda value: f"{value:g}" if isinstance(value, float) else str(value))
        order = [str(name) for name in named[column.sort_values().index].unique()]
        return named.astype(pd.CategoricalDtype(order))
    values = column.to_numpy(float)
    quarter = np.searchsorted(np.quantile(values, _QUARTERS), values)
    names = {
        int(place): f"{values[quarter == place].min():.3g} to {values[quarter == place].max():.3g}"
        for place in np.unique(quarter)
    }
    named = pd.Series([names[place] for place in quarter.tolist()], column.index)
    # two quarters may look alike when rounded: then they are one
    return named.astype(pd.CategoricalDtype(list(dict.fromkeys(names.values()))))


def _of_present(figures: dict[str, Any], present: list[str]) -> dict[str, Any]:
    """`figures` of metrics.score without the labels that no clip has, which nothing is known of."""
    by_label = {
        name: {label: value[label] for label in present}
        for name, value in figures.items()
        if isinstance(value, dict)
    }
    recall, precision = by_label["recall"], by_label["precision"]
    f1 = [
        2 * recall[label] * precision[label] / max(recall[label] + precision[label], 1e-12)
        for label in present
    ]
    lowest = {"recall_min": min(recall.values()), "macro_f1": sum(f1) / len(f1)}
    return {**figures, **by_label, **lowest}


def _numbers(column: "pd.Series[str]", labels: tuple[str, ...]) -> NDArray[np.int64]:
    return np.asarray(column.map({label: i for i, label in enumerate(labels)}), np.int64)
