"""store: what `featurize` writes and the later stages read: the clips of one table, on disk.

Waveforms and features are one flat memory-mapped file each, in the table's order: the same bytes
every time.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from pocketear.base.arrays import Features, Waveform
from pocketear.base.errors import DataError
from pocketear.contracts.normalisation import Normalisation
from pocketear.contracts.report_file import read
from pocketear.data.decoding.int16 import from_int16


class Store:
    """Waveforms and features of a clip table, memory-mapped, by row number."""

    def __init__(self, folder: Path) -> None:
        try:
            self.index = pd.read_parquet(folder / "index.parquet")
            self._waveforms = np.memmap(folder / "waveforms.i16", "<i2", "r")
            self._features = np.memmap(folder / "features.f32", "<f4", "r")
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder}: not a feature store; `dvc repro featurize` makes it"
            ) from error
        self.normalisation = read(folder / "normalisation.json", Normalisation)

    def __len__(self) -> int:
        return len(self.index)

    def waveform(self, row: int) -> Waveform:
        """(sample,) float32, [-1, 1)"""
        clip = self.index.iloc[row]
        raw = self._waveforms[clip["sample"] : clip["sample"] + clip["samples"]]
        return from_int16(raw)

    def features(self, row: int) -> Features:
        """(frame, coefficient) float32, before normalisation"""
        clip = self.index.iloc[row]
        width = len(self.normalisation.mean)
        raw = self._features[clip["frame"] * width : (clip["frame"] + clip["frames"]) * width]
        return np.asarray(raw).reshape(-1, width)


def open_store(folder: Path) -> Store:
    """Open what `featurize` wrote.

    raises: DataError if it is not there
    """
    return Store(folder)
