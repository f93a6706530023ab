"""walk: every file below a folder, links followed, each loop of links cut where it closes."""

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Found:
    """What lies below a folder."""

    files: list[Path] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    hidden: int = 0  # files and folders whose name starts with a dot
    loops: list[Path] = field(default_factory=list)  # links to a folder that they lie in


def walk(folder: Path) -> Found:
    """Everything below `folder`, in the order of names.

    raises: OSError if a folder cannot be read: its clips must not vanish in silence
    """
    found = Found()
    _enter(folder, frozenset(), found)
    return found


def _enter(folder: Path, above: frozenset[tuple[int, int]], found: Found) -> None:
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        found.loops.append(folder)
        return
    found.folders.append(folder)
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        if name.startswith(".") or name == "__MACOSX":
            found.hidden += 1
        elif os.path.isdir(folder / name):  # noqa: PTH112  Path.is_dir raises on a link to itself
            _enter(folder / name, above | {here}, found)
        else:
            found.files.append(folder / name)
