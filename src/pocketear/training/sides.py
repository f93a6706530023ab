"""sides: the clips that a network is fitted to or judged by, and what each of them counts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.arrays import Scores, Waveform
from pocketear.base.errors import DataError
from pocketear.data.store import Store
from pocketear.params import AugmentParams

_BALANCE = 1  # a stream of random numbers of its own
_DIGITS = 6


@dataclass(frozen=True)
class Side:
    """The clips on one side of the split."""

    store: Store
    rows: NDArray[np.int64]  # (clip,) of the store
    targets: Scores  # (clip, label), a single 1 in each row

    def __len__(self) -> int:
        return len(self.rows)

    def waveform(self, clip: int) -> Waveform:
        """(sample,) of clip number `clip` of this side"""
        return self.store.waveform(int(self.rows[clip]))

    def weights(self) -> NDArray[np.float64]:
        """(clip,) of mean 1: every label counts the same, and in it every group."""
        table = self.store.index.iloc[self.rows][["group"]].assign(
            label=self.targets.argmax(axis=1)
        )
        by_label, by_both = table.groupby("label"), table.groupby(["label", "group"])
        clips, groups = by_both["group"].transform("size"), by_label["group"].transform("nunique")
        share = 1 / (clips * groups * table["label"].nunique())
        return np.asarray(share * len(table), np.float64)


def side_of(store: Store, sides: pd.Series, side: str, labels: tuple[str, ...]) -> Side:
    """The clips on one side. sides: (clip of the store,) the side of each

    raises: DataError if there is none
    """
    rows = np.flatnonzero(sides == side)
    if not len(rows):
        raise DataError(f"no clip is on the {side} side; `dvc repro split` makes it anew")
    number = [labels.index(label) for label in store.index["label"].iloc[rows]]
    return Side(store, rows, np.eye(len(labels), dtype=np.float32)[number])


@dataclass(frozen=True)
class TrainingSide:
    """The training side, and by what its batches are drawn, besides epoch and number."""

    clips: Side
    changes: AugmentParams
    seed: int
    balanced: bool = False  # every label as often as every other, instead of every clip once

    def draw(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The clips of an epoch, as many as there are: (clip,) in its order, and (clip,) sorted."""
        clips = self._balanced(epoch) if self.balanced else np.arange(len(self.clips))
        return np.random.default_rng([self.seed, epoch]).permutation(clips), clips

    def _balanced(self, epoch: int) -> NDArray[np.int64]:
        """(clip,) sorted: every label as often as every other, or one off.

        A clip of a frequent label is left out of some epochs, one of a rare label is there twice or
        more, each about as often as its label's others. Where labels have the same number of clips,
        every clip is there once. source: systematic sampling (Madow and Madow 1944)
        """
        truth = self.clips.targets.argmax(axis=1)
        by_label, sizes = np.argsort(truth, kind="stable"), np.bincount(truth)
        expected = len(truth) / np.count_nonzero(sizes) / sizes[truth[by_label]]
        start = np.random.default_rng([self.seed, epoch, _BALANCE]).random()
        # rounded: a sum of thirds is no whole number
        passed = np.floor(np.round(np.cumsum(expected), _DIGITS) + start).astype(np.int64)
        return np.sort(np.repeat(by_label, np.diff(passed, prepend=0)))
