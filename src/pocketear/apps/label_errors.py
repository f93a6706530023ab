"""label_errors: out-of-fold predictions -> a table of clips whose label is probably wrong."""

from pathlib import Path

import pandas as pd

from pocketear.base.errors import DataError
from pocketear.base.files import replacing
from pocketear.base.tables import plain_table, write_csv
from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.names import KERAS
from pocketear.contracts.report_file import read_if_made
from pocketear.evaluation.label_errors import label_errors
from pocketear.evaluation.wording import plural
from pocketear.report.tables import read_table

_SHOWN = 10
_COLUMNS = ("path", "label")


def out_of_fold(reports: Path) -> tuple[pd.DataFrame, str]:
    """Each clip's scores by a model that was not trained on it, and the file that they are in.

    raises: DataError if neither the stage `crossvalidate` nor its flow made any
    """
    folds, flow = (reports / name / "predictions.parquet" for name in ("folds", "crossvalidation"))
    if folds.exists():
        return read_table(folds, _COLUMNS), str(folds)
    if flow.exists():
        table = read_table(flow, (*_COLUMNS, "runner"))
        return table[table["runner"] == KERAS].reset_index(drop=True), str(flow)
    made = read_if_made(reports / "folds" / "folds.json", GroupFolds)
    why = f" ({made.why})" if made else ""
    raise DataError(
        f"{folds}: no scores of models that never saw the clips{why}; set split.crossvalidate: "
        "always in params.yaml and run `dvc repro crossvalidate`, or run "
        "`python flows/crossvalidate.py`"
    )


def run(reports: Path, out: Path) -> None:
    """Write the suspects to `out`, and print the first of them."""
    table, source = out_of_fold(reports)
    found = label_errors(table)
    with replacing(out) as fresh:
        write_csv(found, fresh)
    rows = [
        (path, label, suggested, f"{score:.2f}")
        for path, label, suggested, score in found.head(_SHOWN).itertuples(index=False)
    ]
    if rows:
        print(plain_table(("path", "label", "suggested", "score of its label"), rows))
    count = plural(len(found), "suspect")
    print(f"{count} among {plural(len(table), 'clip')} of {source}: {out}")
