"""esc: ESC-50 and ESC-10 as published, with their official folds.

Source: K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", 2015. Clips that were
cut from one Freesound recording are one group; the published folds never part them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pocketear.base.errors import DataError
from pocketear.data.sources.csv import Line, Table, read_table, whole
from pocketear.data.sources.row import Listing, Row


@dataclass(frozen=True)
class Layout:
    """A table of an ESC copy, and what its columns are called."""

    table: str
    audio: str
    file: str
    label: str
    fold: str
    recording: str


_LAYOUTS = (
    Layout("meta/esc50.csv", "audio", "filename", "category", "fold", "src_file"),
    Layout("clips.csv", ".", "file", "label", "fold", "freesound_id"),
)
_FOLDER = re.compile(r"\d{3} - (.+)")  # 004 - Baby cry
_FILE = re.compile(r"(\d)-(\d+)-\w+\.\w+")  # 1-187207-A.ogg: fold, recording, take


class Esc:
    """A copy of ESC-50, or of ESC-10 as it was published first: one folder a label."""

    only_esc10 = False

    def read(self, path: Path, made: Path) -> Listing:
        """List the clips by whichever layout is there."""
        for layout in _LAYOUTS:
            if (path / layout.table).is_file():
                return Listing(self._from_table(path, layout))
        rows = _from_folders(path)
        if not rows:
            raise DataError(
                f"{path}: not an ESC dataset; want meta/esc50.csv beside audio/, "
                "or folders such as '004 - Baby cry' with 1-187207-A.ogg in them"
            )
        return Listing(rows)

    def _from_table(self, path: Path, layout: Layout) -> list[Row]:
        wanted = (layout.file, layout.label, layout.fold, layout.recording)
        table = read_table(path / layout.table, required=wanted)
        return [_row(path, layout, table, line) for line in table.lines if self._wants(line)]

    def _wants(self, line: Line) -> bool:
        return not self.only_esc10 or line.cells.get("esc10", "True") == "True"


def _row(path: Path, layout: Layout, table: Table, line: Line) -> Row:
    return Row(
        path=path / layout.audio / line.cells[layout.file],
        label=line.cells[layout.label],
        group=line.cells[layout.recording],
        fold=whole(table, line, layout.fold),
    )


def _from_folders(path: Path) -> list[Row]:
    rows = []
    for folder in sorted(path.iterdir()) if path.is_dir() else []:
        named = _FOLDER.fullmatch(folder.name)
        if named and folder.is_dir():
            label = named[1].lower().replace(" ", "_")
            rows += [_row_of_file(file, label) for file in sorted(folder.iterdir()) if _plain(file)]
    return rows


def _row_of_file(file: Path, label: str) -> Row:
    parts = _FILE.fullmatch(file.name)
    if not parts:
        return Row(
            file, label, error="its name is not FOLD-RECORDING-TAKE.ogg as in ESC; rename it"
        )
    return Row(file, label, group=parts[2], fold=int(parts[1]))


def _plain(file: Path) -> bool:
    return not file.name.startswith(".") and not file.is_dir()
