"""archive: files written whole or not at all, and zips that are the same bytes every time."""

import fcntl
import glob
import os
import shutil
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pocketear.base.errors import PackagingError

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
_UNIX = 3
_SCRATCH, _OLD = ".tmp", "old"  # .dvcignore knows the first
_FILE_MODE = 0o100644


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write a file or folder at; on success it takes `path`'s place.

    On an error, or a kill, `path` is left as it was; what a kill leaves beside it goes next time.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_up(path)
    with _scratch_folder(path) as scratch:
        fresh = scratch / path.name
        yield fresh
        if fresh.is_dir() and path.exists():
            path.rename(scratch / _OLD)
        fresh.replace(path)


@contextmanager
def _scratch_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path`, locked as long as its process lives."""
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_SCRATCH, dir=path.parent))
        with _locked(scratch) as ours:
            if not ours:  # another process cleared it up before it was locked
                continue
            try:
                yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            return


def _clear_up(path: Path) -> None:
    """Remove the scratch folders of processes that were killed."""
    for scratch in path.parent.glob(f".{glob.escape(path.name)}.*{_SCRATCH}"):
        with _locked(scratch) as dead:
            if dead:
                if (scratch / _OLD).exists() and not path.exists():  # killed between two renames
                    (scratch / _OLD).rename(path)
                shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the folder is there, and this process holds its lock."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held = folder.exists()
    except BlockingIOError:
        held = False
    try:
        yield held
    finally:
        os.close(handle)


def write_zip(path: Path, files: Mapping[str, bytes], *, stored: Collection[str] = ()) -> None:
    """Write `files` (posix name -> content) to `path`: sorted, one fixed date, fixed modes.

    stored: names that are kept uncompressed, so that a phone can map them into memory
    """
    with replacing(path) as fresh, zipfile.ZipFile(fresh, "w") as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = _UNIX
            entry.external_attr = _FILE_MODE << 16
            kept = name in stored
            entry.compress_type = zipfile.ZIP_STORED if kept else zipfile.ZIP_DEFLATED
            archive.writestr(entry, files[name])


def read_zip(path: Path) -> dict[str, bytes]:
    """Read every file of a zip into memory.

    raises: PackagingError if `path` is not a zip, or a name in it would leave the folder
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
            for name in names:
                _check_name(path, name)
            return {name: archive.read(name) for name in names}
    except zipfile.BadZipFile as error:
        raise PackagingError(f"{path}: not a whole zip file ({error}); make it again") from error


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` as posix name -> content, sorted by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise PackagingError(f"{path}: holds {name!r}, which would be written outside; refused")
