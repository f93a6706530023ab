"""shortcuts: how well properties that are not sound tell the labels of a clip table apart.

A model learns what tells labels apart. Where cries were recorded at 8 kHz and the rest at 44.1 kHz
it learns the rate, and every test side agrees with it. So each property alone, and those of the
recording together, predict the label of clips of groups that were not learnt from.

Separation: balanced accuracy (the mean recall of both sides of a contrast, where each group counts
once, whatever number of clips it has), rescaled so that chance is 0 and perfection 1: 2 a - 1, as
scikit-learn's balanced_accuracy_score(adjusted=True) does.
Certain: Fisher's exact test over groups, times the number of contrasts tried (Bonferroni).
docs/decisions/0015-audit-by-label.md says why each property refuses, marks or is only shown.

source: Geirhos et al. 2020 (shortcut learning); Brodersen et al. 2010 (balanced accuracy);
R. A. Fisher 1935 (exact test); scikit-learn's StratifiedGroupKFold and DecisionTreeClassifier
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import fisher_exact
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.tree import DecisionTreeClassifier

Role = Literal["refuses", "marks", "shown"]
Matrix = NDArray[np.float64]

_CERTAIN = 0.01  # after Bonferroni
_FOLDS = 5
_LEAVES_PER_LABEL, _CLIPS_PER_LEAF = 8, 2
_SAME_LEVEL = 2.0  # dB from the 10th to the 90th percentile: people and places differ by more
_FEWEST_LEVELS = 8  # groups; fewer may agree by chance
_QUIETEST = -100.0  # dBFS: about the rounding noise of 16 bits, in which a model gets its samples
_LEAST_OFFSET = 1e-3  # full scale = 1
_LEAST_HUM = 8.0  # dB; lines that stand out by less may be noise
_LOSSLESS = ("pcm", "float", "flac", "alac")  # give back the same samples


@dataclass(frozen=True)
class Property:
    """A column of `seen`, and what is made of it where it tells labels apart.

    pairs: whether two labels are held against each other; else each against all others, because
    the sounds themselves move the property: a tick is quieter than rain
    """

    name: str
    role: Role
    pairs: bool
    category: bool = False
    unit: str = ""


PROPERTIES = (
    Property("sample_rate", "refuses", pairs=True, category=True),
    Property("codec", "refuses", pairs=True, category=True),
    Property("bit_depth", "refuses", pairs=True, category=True),
    Property("bits_in_use", "refuses", pairs=True),
    Property("bandwidth", "refuses", pairs=True, unit="Hz"),
    Property("dc_offset", "refuses", pairs=True),
    Property("normalised_level", "refuses", pairs=False),
    Property("leading_silence", "refuses", pairs=False, unit="s"),
    Property("trailing_silence", "refuses", pairs=False, unit="s"),
    Property("level_dbfs", "marks", pairs=False),
    Property("noise_floor_dbfs", "marks", pairs=False),
    Property("hum", "marks", pairs=False, unit="dB"),
    Property("clipped_share", "marks", pairs=False),
    Property("container", "marks", pairs=True, category=True),
    Property("channels", "marks", pairs=True, category=True),
    Property("padding", "marks", pairs=False, unit="s"),
    Property("duration", "shown", pairs=True, unit="s"),
)
TOGETHER = "all of the recording"
_TOGETHER = Property(TOGETHER, "refuses", pairs=True)  # those with `pairs` that refuse, as one


@dataclass(frozen=True)
class Contrast:
    """How well a property tells two sides apart. p_value: after Bonferroni."""

    separation: float
    sides: tuple[str, str]
    p_value: float

    @property
    def certain(self) -> bool:
        """Whether chance hardly does it."""
        return self.p_value <= _CERTAIN


@dataclass(frozen=True)
class Finding:
    """The contrast that a property tells apart best; None where it is constant."""

    name: str
    role: Role
    worst: Contrast | None


def audit(
    table: pd.DataFrame,
    labels: tuple[str, ...],
    background: tuple[str, ...],
    fmax: float,
    window_seconds: float,
) -> list[Finding]:
    """A finding for each of PROPERTIES, and one for TOGETHER.

    table: usable clips; labels with one group are left out: nothing tells such a label from its
        recording. background: those of `labels` that yield no event
    fmax: Hz, up to which the model gets anything
    window_seconds: of the model's input; a shorter clip is padded with silence
    """
    groups = table.groupby("label")["group"].nunique()
    judged = tuple(label for label in labels if groups.get(label, 0) >= 2)
    if len(judged) < 2:
        return [_finding(one) for one in (*PROPERTIES, _TOGETHER)]
    rows = seen(table[table["label"].isin(judged)].reset_index(drop=True), fmax, window_seconds)
    matrices = {one: _matrix(rows, (one,)) for one in PROPERTIES}
    moving = tuple(one for one in PROPERTIES if (matrices[one] != matrices[one][0]).any())
    together = tuple(one for one in moving if one.role == "refuses" and one.pairs)
    tried = {one: matrices[one] for one in moving}
    if len(together) > 1:
        tried[_TOGETHER] = _matrix(rows, together)
    trial = _Trial.of(rows, judged, background, len(tried))
    return [
        _finding(one, trial.worst(tried[one], one) if one in tried else None)
        for one in (*PROPERTIES, _TOGETHER)
    ]


def _finding(one: Property, worst: Contrast | None = None) -> Finding:
    return Finding(one.name, one.role, worst)


def seen(table: pd.DataFrame, fmax: float, window_seconds: float) -> pd.DataFrame:
    """The properties as far as they say something of the recording, a column each.

    fmax: Hz, up to which the model gets anything: a wider bandwidth is as good
    window_seconds: of the model's input: a clip as long and longer has no `padding`
    """
    level = table["level_dbfs"]
    own = level.groupby([table["label"], table["group"]]).mean()
    by_label = own.groupby("label")
    spread = by_label.quantile(0.9) - by_label.quantile(0.1)  # one silent clip does not count
    normalised = spread.index[(spread < _SAME_LEVEL) & (by_label.size() >= _FEWEST_LEVELS)]
    codec = table["codec"].where(~table["codec"].isin(_LOSSLESS), "lossless")
    return table.assign(
        codec=codec,
        bandwidth=table["bandwidth"].clip(upper=fmax),
        dc_offset=table["dc_offset"].where(table["dc_offset"] >= _LEAST_OFFSET, 0.0),
        noise_floor_dbfs=table["noise_floor_dbfs"].clip(lower=_QUIETEST),
        hum=table["hum"].where(table["hum"] >= _LEAST_HUM, 0.0),
        padding=(window_seconds - table["duration"]).clip(lower=0.0),
        normalised_level=level.where(table["label"].isin(normalised), 0.0),
    )


def by_group(table: pd.DataFrame) -> pd.DataFrame:
    """A row a label and group: clips, the median of numbers, the commonest of categories."""
    by = table.groupby(["label", "group"])
    columns = {"clips": by.size()}
    for one in PROPERTIES:
        if one.name in table:
            column = by[one.name]
            columns[one.name] = column.agg(_commonest) if one.category else column.median()
    return pd.DataFrame(columns).reset_index()


def _commonest(column: "pd.Series[Any]") -> Any:
    return column.mode().iloc[0]


def _matrix(rows: pd.DataFrame, properties: tuple[Property, ...]) -> Matrix:
    """(clip, figure): numbers as they are, a column of 0 and 1 for each value of a category."""
    return np.concatenate(
        [
            pd.get_dummies(rows[one.name].astype(str)).to_numpy(float)
            if one.category
            else rows[[one.name]].to_numpy(float)
            for one in properties
        ],
        axis=1,
    )


@dataclass(frozen=True)
class _Trial:
    """What all properties are tried on. label, unit, weight: (clip,); units: (unit,) their label.

    A unit is the clips of one label in one group; weight: all units of a label count the same
    """

    labels: tuple[str, ...]
    background: tuple[str, ...]
    label: NDArray[Any]
    unit: NDArray[Any]
    units: NDArray[Any]
    weight: Matrix
    folds: list[tuple[NDArray[Any], NDArray[Any]]]
    properties: int

    @staticmethod
    def of(
        rows: pd.DataFrame, labels: tuple[str, ...], background: tuple[str, ...], properties: int
    ) -> "_Trial":
        """properties: how many are tried, for Bonferroni"""
        label = rows["label"].map({name: n for n, name in enumerate(labels)}).to_numpy(np.int64)
        unit = rows.groupby(["label", "group"], sort=True).ngroup().to_numpy(np.int64)
        units = np.zeros(int(unit.max()) + 1, np.int64)
        units[unit] = label
        weight = 1.0 / np.bincount(unit)[unit] / np.bincount(units)[label]
        count = min(_FOLDS, int(np.bincount(units).min()))
        splitter = StratifiedGroupKFold(count, shuffle=True, random_state=0)
        folds = list(splitter.split(label, label, rows["group"]))
        return _Trial(labels, background, label, unit, units, weight, folds, properties)

    def worst(self, matrix: Matrix, one: Property) -> Contrast:
        """The contrast with the best separation, certain ones first."""
        scores = self._predicted(matrix)
        contrasts = list(self._pairs() if one.pairs else self._against_others())
        tests = self.properties * len(contrasts)
        found = [self._contrast(scores, left, right, tests) for left, right in contrasts]
        return max(found, key=lambda each: (each.certain and each.separation, each.separation))

    def _predicted(self, matrix: Matrix) -> Matrix:
        """(clip, label): probabilities by a tree that has not seen the clip's group."""
        scores = np.full((len(self.label), len(self.labels)), 1 / len(self.labels))
        for learn, test in self.folds:
            tree = DecisionTreeClassifier(
                max_leaf_nodes=_LEAVES_PER_LABEL * len(self.labels),
                min_samples_leaf=_CLIPS_PER_LEAF,
                random_state=0,
            ).fit(matrix[learn], self.label[learn], self.weight[learn])
            scores[np.ix_(test, tree.classes_)] = tree.predict_proba(matrix[test])
        return scores

    def _pairs(self) -> Iterator[tuple[list[int], list[int]]]:
        for left, right in combinations(range(len(self.labels)), 2):
            yield [left], [right]

    def _against_others(self) -> Iterator[tuple[list[int], list[int]]]:
        """Each label against all others, and background against events."""
        count = len(self.labels)
        yield from (
            ([one], [n for n in range(count) if n != one])
            for one in range(1 if count == 2 else count)
        )
        quiet = [n for n, name in enumerate(self.labels) if name in self.background]
        events = [n for n in range(count) if n not in quiet]
        if len(quiet) > 1 and len(events) > 1:
            yield quiet, events

    def _contrast(self, scores: Matrix, left: list[int], right: list[int], tests: int) -> Contrast:
        margin = scores[:, left].mean(axis=1) - scores[:, right].mean(axis=1)
        is_left = np.isin(self.label, left)
        hit = np.where(margin == 0, 0.5, (margin > 0) == is_left)
        share = np.bincount(self.unit, hit) / np.bincount(self.unit)  # of each unit
        sides = [share[np.isin(self.units, side)] for side in (left, right)]
        right_ones = [int((side > 0.5).sum()) for side in sides]
        separation = float(sides[0].mean() + sides[1].mean() - 1)
        table = [
            [right_ones[0], len(sides[0]) - right_ones[0]],
            [len(sides[1]) - right_ones[1], right_ones[1]],
        ]
        p_value = (
            float(fisher_exact(table, alternative="greater").pvalue) if separation > 0 else 1.0
        )
        return Contrast(separation, self._names(left, right), min(1.0, p_value * tests))

    def _names(self, left: list[int], right: list[int]) -> tuple[str, str]:
        if len(left) > 1:
            return "the background labels", "the events"
        other = self.labels[right[0]] if len(right) == 1 else "the other labels"
        return self.labels[left[0]], other
