"""ingest: a dataset -> the clip table: what each file is called, holds, and measures.

Every file is hashed and decoded once in its life (data/cache), on all cores or on a Dask
cluster. A clip that cannot be used is a row with its `error`, never left out. Nothing of this
machine or this hour is in the table: the same data give the same bytes.
"""

import difflib
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd

from pocketear.base import process
from pocketear.base.errors import DataError, shown
from pocketear.base.files import replacing
from pocketear.data.cache import waveform_cache
from pocketear.data.clip_table import measure_all, normalised
from pocketear.data.clips import write_clips
from pocketear.data.part_notes import part_notes
from pocketear.data.sources import SOURCES
from pocketear.data.sources.row import Listing, Row
from pocketear.params import DataParams, load_params

_NEAR = 0.85  # likeness of two labels from which one is taken for the other, misspelt


def list_clips(made: Path, params: DataParams) -> Listing:
    """The rows of the dataset at data.path, their labels and groups as the project writes them.

    made: a folder for sounds that a recipe renders
    raises: DataError if the dataset is missing or cannot be read as data.source says
    """
    data = params.path
    if not data.exists():
        raise DataError(
            f"{data}: not found; `dvc pull` fetches what DVC tracks, "
            "else copy it there or correct data.path in params.yaml"
        )
    listing = SOURCES[params.source].read(data, made)
    return Listing([settle(row, params) for row in listing.rows], listing.notes)


def settle(row: Row, params: DataParams) -> Row:
    """Normalise label and group, and see what becomes of a label that is not listed.

    Unlisted labels become data.other, where there is one; but not those that look misspelt.
    """
    row = normalised(row)
    label = row.label
    if row.error or not params.labels or label in params.labels:
        return row
    near = difflib.get_close_matches(label, params.labels, 1, _NEAR)
    if near:
        return replace(row, error=f"label {shown(label)} is not in data.labels; is it {near[0]!r}?")
    if params.other:
        return replace(row, label=params.other)
    return replace(
        row, error=f"label {shown(label)} is not in data.labels; list it, or set data.other"
    )


def summary(table: pd.DataFrame) -> str:
    """What was found, in a line."""
    bad = int((table["error"] != "").sum())
    minutes = table["duration"].sum() / 60
    labels = table.loc[table["error"] == "", "label"].nunique()
    aside = f", {bad} of them not usable (validate names each)" if bad else ""
    return f"{len(table)} clips, {labels} labels, {minutes:.1f} minutes{aside}"


def main(out: Path) -> None:
    """List the clips of data.path and measure every one."""
    params = load_params()
    with replacing(out) as fresh:
        fresh.mkdir()
        listing = list_clips(fresh / "audio", params.data)
        rate = params.frontend.sample_rate
        table = measure_all(
            listing.rows, waveform_cache(rate), rate, lambda path: name_of(path, fresh, out)
        )
        write_clips(table, fresh / "clips.parquet")
    lines = (*listing.notes, *part_notes(table), summary(table))
    print("\n".join(f"ingest: {line}" for line in lines))


def name_of(path: Path, fresh: Path, out: Path) -> str:
    """A file's name in the table: from the project's folder, made files where they will lie."""
    final = out / path.relative_to(fresh) if path.is_relative_to(fresh) else path
    return Path(os.path.relpath(final)).as_posix()


if __name__ == "__main__":
    process.run(main)
