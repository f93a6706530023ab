"""csv: a table with the columns path, label and, where wanted, group, fold, start, end."""

import csv
import difflib
import io
import math
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pocketear.base.errors import DataError, shown
from pocketear.data.sources.row import Listing, Row

REQUIRED = ("path", "label")
OPTIONAL = ("group", "fold", "start", "end")
TABLE = "clips.csv"  # in the folder, where data.path is one
_NAMED = 5  # faulty lines named in an error


@dataclass(frozen=True)
class Line:
    """One line of a table. number: as an editor counts, from 1."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A CSV file in memory."""

    path: Path
    lines: list[Line]
    decimal: str = "."  # a comma too where cells are not split by it, as spreadsheets write there


class Csv:
    """A CSV table, or a folder with clips.csv in it; paths in it are relative to the table."""

    def read(self, path: Path, made: Path) -> Listing:
        """One row a line. Every faulty line is named, in one error."""
        table = read_table(path / TABLE if path.is_dir() else path, REQUIRED, OPTIONAL)
        rows, faults = [], []
        for line in table.lines:
            try:
                rows.append(_row(table, line))
            except DataError as error:
                faults.append(str(error))
        if faults:
            more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
            raise DataError("; ".join(faults[:_NAMED]) + more)
        return Listing(rows)


def read_table(path: Path, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Table:
    """Read a CSV file in UTF-8, byte order mark or not, split by comma, semicolon or tab.

    raises: DataError if it is missing, not such a file, empty, or a column or a cell is missing
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")  # a name may hold a line end
    except FileNotFoundError as error:
        raise DataError(f"{path}: not found; correct data.path in params.yaml") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text in UTF-8; save it as 'CSV UTF-8'") from error
    first = next(iter(text.splitlines()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        skipinitialspace=True,
        strict=True,
    )
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header, required, optional)
        lines = list(_lines(path, reader, header))
    except csv.Error as error:
        raise DataError(f"{path} line {reader.line_num}: {error}; correct the quotes") from error
    if not lines:
        raise DataError(f"{path}: holds no clips; want a line for each")
    return Table(path, lines, "." if delimiter == "," else ",")


def number(table: Table, line: Line, column: str) -> float:
    """A cell as a number from 0 up; 0 where it is empty or its column is missing.

    raises: DataError naming the line
    """
    cell = line.cells.get(column, "").strip()
    try:
        value = float(cell.replace(table.decimal, ".") or 0)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise DataError(
            f"{table.path} line {line.number}: {column} must be a number, found {shown(cell)}"
        )
    return value


def whole(table: Table, line: Line, column: str) -> int:
    """A cell as a whole number from 0 up; as `number`."""
    value = number(table, line, column)
    if value != int(value):
        raise DataError(f"{table.path} line {line.number}: {column} must be whole, found {value:g}")
    return int(value)


def _row(table: Table, line: Line) -> Row:
    where = f"{table.path} line {line.number}"
    if not line.cells["path"]:
        raise DataError(f"{where}: path is empty")
    start, end = number(table, line, "start"), number(table, line, "end")
    if end and end <= start:
        raise DataError(f"{where}: end must be after start, found {start:g} to {end:g} s")
    path, near = (
        table.path.parent / line.cells["path"],
        _near(table.path.parent, line.cells["path"]),
    )
    return Row(
        path=path,
        error=near and f"no such file; is it {shown(near)}?",
        label=line.cells["label"],
        group=line.cells.get("group", ""),
        fold=whole(table, line, "fold"),
        start=start,
        end=end,
    )


def _near(folder: Path, cell: str) -> str:
    """A path that is there, where that of a cell is not: but for spaces, backslashes or accents.

    returns: "" where the path is there, or nothing like it is
    """
    if os.path.lexists(folder / cell):
        return ""
    plain = cell.strip().replace("\\", "/")
    tried = (plain, *(unicodedata.normalize(form, plain) for form in ("NFC", "NFD")))
    return next((one for one in tried if one and (folder / one).is_file()), "")


def _lines(path: Path, reader: Iterator[list[str]], header: list[str]) -> Iterator[Line]:
    for cells in reader:
        at = reader.line_num  # type: ignore[attr-defined]
        if any(cell.strip() for cell in cells):
            if len(cells) != len(header):
                raise DataError(
                    f"{path} line {at}: has {len(cells)} cells, the first line has {len(header)}; "
                    "put quotes round a cell that holds a comma"
                )
            yield Line(at, dict(zip(header, cells, strict=True)))


def _check_header(
    path: Path, header: list[str], required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    known = (*required, *optional)
    for name in (name for name in known if header.count(name) > 1):
        raise DataError(f"{path} line 1: the column {name} is there twice; remove one")
    unknown = [name for name in header if name not in known]
    for name in known:
        near = difflib.get_close_matches(name, [u.lower() for u in unknown], 1)
        if name not in header and near:
            found = next(u for u in unknown if u.lower() == near[0])
            raise DataError(f"{path} line 1: the column {shown(found)} is unknown; is it {name!r}?")
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(
            f"{path} line 1: lacks the column {', '.join(missing)}; found {shown(header)}"
        )
