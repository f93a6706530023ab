"""files: outputs that appear whole or not at all. Where bytes are put, never which."""

import glob
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_SCRATCH, _OLD, _LOCK = ".tmp", "old", ".lock"  # .dvcignore knows the first


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
def without_links(path: Path) -> Iterator[Path]:
    """Yield a file or folder of the name of `path` in which nothing is a symbolic link.

    It is `path` itself, or a copy where a cache is linked by symbolic links; the copy goes behind.
    """
    below = path.rglob("*") if path.is_dir() else ()
    if not any(one.is_symlink() for one in (path, *below)):
        yield path
        return
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(scratch, path.name)
        if path.is_dir():
            shutil.copytree(path, copied)
        else:
            shutil.copy2(path, copied)
        yield copied


@contextmanager
def _scratch_folder(path: Path) -> Iterator[Path]:
    """A folder beside `path`, locked as long as its process lives."""
    while True:
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_SCRATCH, dir=path.parent))
        with _locked(scratch) as held:
            if not held:  # another process cleared it up before it was locked
                continue
            try:
                yield scratch
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
            return


def _clear_up(path: Path) -> None:
    """Remove the scratch folders of processes that were killed."""
    for scratch in path.parent.glob(f".{glob.escape(path.name)}.*{_SCRATCH}"):
        with _locked(scratch) as abandoned:
            if abandoned:
                if (scratch / _OLD).exists() and not path.exists():  # killed between two renames
                    (scratch / _OLD).rename(path)
                shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the folder is there, and this process holds its lock."""
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):  # held by its owner, or removed by it just now
        yield False
        return
    try:
        yield (folder / _LOCK).exists()
    finally:
        lock.release()


def remove_older(folder: Path, days: float) -> None:
    """Remove the files and folders in `folder`, if there is one, that nobody wrote for so long.

    Not all that this process does not need: another may run beside it.
    """
    latest = time.time() - days * 24 * 3600
    for old in folder.glob("*"):
        with suppress(FileNotFoundError):  # which another process has removed just now
            if old.stat().st_mtime < latest:
                shutil.rmtree(old) if old.is_dir() else old.unlink()
