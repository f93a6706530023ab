"""sides: the clips that a network is fitted to or judged by, and what each of them counts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.arrays import Scores, Waveform
from pocketear.base.errors import DataError
from pocketear.data.store import Store
from pocketear.params import AugmentParams


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

    def order(self, epoch: int) -> NDArray[np.int64]:
        """(clip,) the order in which an epoch takes the clips"""
        return np.random.default_rng([self.seed, epoch]).permutation(len(self.clips))
