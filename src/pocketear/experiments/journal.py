"""journal: a run kept as files until the tracking server has all of it.

A journal is a folder: `events.jsonl`, one event a line, and `artifacts/`, what was logged. The
writer holds a lock while it lives: a journal without one is of a writer that ended or was killed.
"""

import fcntl
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

Event = dict[str, Any]
_EVENTS = "events.jsonl"


class Journal:
    """One run's events and artefacts on disk. `name` is unique for ever."""

    def __init__(self, folder: Path, lines: TextIO) -> None:
        self.folder = folder
        self.name = folder.name
        self._lines = lines

    @classmethod
    def create(cls, parent: Path) -> "Journal":
        """A new, empty, locked journal below `parent`."""
        while True:
            folder = parent / uuid.uuid4().hex
            folder.mkdir(parents=True)
            lines = (folder / _EVENTS).open("a+", encoding="utf-8")
            fcntl.flock(lines, fcntl.LOCK_EX)
            if (folder / _EVENTS).exists():
                return cls(folder, lines)
            lines.close()  # another process locked it first, and took it for one left behind

    def append(self, event: Event) -> None:
        """Write one event; it survives a kill of this process."""
        self._lines.write(json.dumps(event) + "\n")
        self._lines.flush()

    def keep(self, path: Path) -> str:
        """Copy a file or a folder into the journal; gives its place there."""
        kept = Path("artifacts") / uuid.uuid4().hex / path.name
        if path.is_dir():
            shutil.copytree(path, self.folder / kept)
        else:
            (self.folder / kept).parent.mkdir(parents=True)
            shutil.copyfile(path, self.folder / kept)
        return kept.as_posix()

    def events(self) -> list[Event]:
        """Every whole event; a last line that a kill cut short is left out."""
        self._lines.seek(0)
        return [json.loads(line) for line in self._lines if line.endswith("\n")]

    def discard(self) -> None:
        """Delete the journal: all of it has arrived."""
        shutil.rmtree(self.folder)
        self._lines.close()

    def close(self) -> None:
        """Give up the lock and leave the files for the next chance."""
        self._lines.close()


def left_behind(parent: Path) -> Iterator[Journal]:
    """The journals below `parent` that no living process writes; each is locked when given.

    Other processes may begin, send and delete journals meanwhile.
    """
    for events in sorted(parent.glob(f"*/{_EVENTS}"), key=_last_written):
        with suppress(FileNotFoundError), events.open("r+", encoding="utf-8") as lines:
            try:
                fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if events.exists():
                yield Journal(events.parent, lines)


def _last_written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
