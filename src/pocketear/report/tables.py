"""tables: the tables that stages write -> data frames, and how often labels are confused."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.errors import DataError
from pocketear.base.tables import plain_text
from pocketear.evaluation.metrics import confusion

# A label may look like a number ("007") or like a missing value ("NA"): it is text all the same.
_TEXT = dict.fromkeys(("label", "actual", "predicted", "path", "reason"), str)


def read_table(path: Path, columns: Iterable[str]) -> pd.DataFrame:
    """Read a .csv or .parquet file that has these columns, and perhaps others.

    raises: DataError if it cannot be read, or lacks one of them
    """
    try:
        table = (
            pd.read_parquet(path)
            if path.suffix == ".parquet"
            else pd.read_csv(path, dtype=_TEXT, keep_default_na=False, na_values=[""])
        )
    except (ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path}: not a table ({reason}); `dvc repro` makes it again") from error
    table = plain_text(table)
    missing = [name for name in columns if name not in table]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}; `dvc repro` makes it again")
    return table


def count_pairs(
    truth: "pd.Series[str]", predicted: "pd.Series[str]", labels: Sequence[str]
) -> NDArray[np.int64]:
    """(true label, predicted label) counts, both in the order of `labels`."""
    place = {label: i for i, label in enumerate(labels)}
    rows, columns = (np.asarray(side.map(place), np.int64) for side in (truth, predicted))
    return confusion(rows, columns, len(labels))
