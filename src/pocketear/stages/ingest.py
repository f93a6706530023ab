"""ingest: a dataset -> the clip table: what each file is called, holds, and measures.

Every file is hashed and decoded once in its life (data/cache), on all cores or on a Dask
cluster. A clip that cannot be used is a row with its `error`, never left out. Nothing of this
machine or this hour is in the table: the same data give the same bytes.
"""

import difflib
import hashlib
import math
import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from pocketear.base import process
from pocketear.base.errors import ClipError, DataError, shown
from pocketear.base.files import replacing
from pocketear.base.parallel import in_threads
from pocketear.base.progress import track
from pocketear.data.cache import decode, waveform_cache
from pocketear.data.clips import COLUMNS, GIVEN, UNKNOWN, write_clips
from pocketear.data.sources import SOURCES
from pocketear.data.sources.row import Listing, Row
from pocketear.data.workers import open_workers
from pocketear.params import DataParams, load_params

_DIGITS = 6
_NEAR = 0.85  # likeness of two labels from which one is taken for the other, misspelt
_NOT_DECODED: dict[str, Any] = {
    name: {"str": "", "int64": 0, "float64": math.nan}[kind] for name, kind in COLUMNS.items()
}


@dataclass(frozen=True)
class HashedRow(Row):
    """A row, and the hash of its file."""

    sha256: str = ""


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
    label = plain(row.label)
    row = replace(row, label=label, group=plain(row.group))
    if row.error:
        return row
    if not label or not label.isprintable():
        return replace(row, error=f"label {shown(row.label)} is empty or not plain text; rename it")
    if not params.labels or label in params.labels:
        return row
    near = difflib.get_close_matches(label, params.labels, 1, _NEAR)
    if near:
        return replace(row, error=f"label {shown(label)} is not in data.labels; is it {near[0]!r}?")
    if params.other:
        return replace(row, label=params.other)
    return replace(
        row, error=f"label {shown(label)} is not in data.labels; list it, or set data.other"
    )


def plain(name: str) -> str:
    """A name as one way of writing it: composed Unicode, no space at its ends."""
    return unicodedata.normalize("NFC", printable(name)).strip()


def measure_all(rows: list[Row], sample_rate: int, name: Callable[[Path], str]) -> pd.DataFrame:
    """The clip table, sorted by path. name: what a file is called in it."""
    waveforms = waveform_cache(sample_rate)
    hashed = cache(sha256)

    with open_workers() as workers:

        def decoded(row: HashedRow) -> dict[str, Any]:
            return decode(row, waveforms, sample_rate, workers)

        def work(row: Row) -> dict[str, Any]:
            return record(row, name(row.path), hashed, decoded)

        done = in_threads(work, rows, workers.threads)
        records = list(track(done, len(rows), "clips decoded"))
    table = pd.DataFrame(records, columns=list(COLUMNS))
    return table.sort_values(["path", "start", "end"], kind="stable", ignore_index=True)


def record(
    row: Row,
    name: str,
    hashed: Callable[[Path], str],
    decoded: Callable[[HashedRow], dict[str, Any]],
) -> dict[str, Any]:
    """One row of the clip table; a file that cannot be read has its reason as `error`.

    name: what the file is called in it; hashed: its SHA-256; decoded: what is measured of it
    """
    known = {**_NOT_DECODED, **vars(row), "path": printable(name)}
    known["group"] = row.group or f"file:{known['path']}"
    known["group_from"] = GIVEN if row.group else UNKNOWN
    try:
        known["sha256"] = hashed(row.path)
        known["group"] = row.group or known["sha256"][:16]
        if known["path"] != name:  # nor could the decoders open it
            raise ClipError("its name is not UTF-8; rename it")
        known |= rounded(decoded(HashedRow(**vars(row), sha256=known["sha256"])))
    except ClipError as error:
        known["error"] = row.error or str(error).removeprefix(f"{row.path}: ")
    return known


def rounded(measured: dict[str, Any]) -> dict[str, Any]:
    """Measures without the last digits, in which one kind of machine differs from another."""
    return {k: round(v, _DIGITS) if isinstance(v, float) else v for k, v in measured.items()}


def sha256(path: Path) -> str:
    """The hash of a file's bytes.

    raises: ClipError if it is not a file or cannot be read
    """
    if not path.is_file():
        broken = path.is_symlink() and not path.exists()
        raise ClipError(
            "a link to nothing; `dvc checkout`, or copy the file again"
            if broken
            else "no such file; copy it there, or remove it from the table"
        )
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ClipError(f"cannot be read ({error.strerror}); correct its permissions") from error


def printable(name: str) -> str:
    """`name` as UTF-8 can write it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


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
        table = measure_all(
            listing.rows, params.frontend.sample_rate, lambda path: name_of(path, fresh, out)
        )
        write_clips(table, fresh / "clips.parquet")
    print("\n".join(f"ingest: {line}" for line in (*listing.notes, summary(table))))


def name_of(path: Path, fresh: Path, out: Path) -> str:
    """A file's name in the table: from the project's folder, made files where they will lie."""
    final = out / path.relative_to(fresh) if path.is_relative_to(fresh) else path
    return Path(os.path.relpath(final)).as_posix()


if __name__ == "__main__":
    process.run(main)
