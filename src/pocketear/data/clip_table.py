"""clip_table: rows of a dataset -> the clip table: each file hashed, decoded and measured once.

A clip that cannot be used is a row with its `error`, never left out.
"""

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

from pocketear.base.errors import ClipError, shown
from pocketear.base.parallel import in_threads
from pocketear.base.progress import track
from pocketear.data.cache import ArrayCache, decode
from pocketear.data.clips import COLUMNS, GIVEN, UNKNOWN
from pocketear.data.sources.row import Row
from pocketear.data.workers import open_workers

_DIGITS = 6
_NOT_DECODED: dict[str, Any] = {
    name: {"str": "", "int64": 0, "float64": math.nan}[kind] for name, kind in COLUMNS.items()
}


@dataclass(frozen=True)
class HashedRow(Row):
    """A row, and the hash of its file."""

    sha256: str = ""


def measure_all(
    rows: list[Row], waveforms: ArrayCache, sample_rate: int, name: Callable[[Path], str]
) -> pd.DataFrame:
    """The clip table, sorted by path.

    waveforms: where the decoded clips are put, at `sample_rate`; name: what a file is called
    """
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


def plain(name: str) -> str:
    """A name as one way of writing it: composed Unicode, no space at its ends."""
    return unicodedata.normalize("NFC", printable(name)).strip()


def normalised(row: Row) -> Row:
    """A row with label and group as `plain` writes them, and an error where no label is left."""
    row = replace(row, label=plain(row.label), group=plain(row.group))
    if row.error or (row.label and row.label.isprintable()):
        return row
    return replace(row, error=f"label {shown(row.label)} is empty or not plain text; rename it")
