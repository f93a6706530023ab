"""archive: folders and zips as names and bytes; a zip is the same bytes every time."""

import hashlib
import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path

from pocketear.base.errors import PackagingError, first_line, shown
from pocketear.base.files import replacing

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
_UNIX = 3
_FILE_MODE = 0o100644
MOST_FILES, MOST_BYTES = 10_000, 1 << 30  # of one model's folder or zip; real ones have 10 and 1 MB
_DAMAGE = (  # what zipfile raises on bytes that were changed, or that it cannot unpack
    zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError, zlib.error, OverflowError,
)  # fmt: skip


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

    raises: PackagingError if `path` is not a zip, holds more than a model does, or a name in it is
        not that of a file inside the folder
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            check_size(path, len(archive.infolist()), sum(entry.file_size for entry in entries))
            for entry in entries:
                check_name(path, entry.filename)
            # no more of an entry is unpacked than its size, which was counted
            return {entry.filename: archive.read(entry) for entry in entries}
    except _DAMAGE as error:
        reason = first_line(error)
        raise PackagingError(f"{path}: not a whole zip file ({reason}); make it again") from error


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file below `folder` as posix name -> content, sorted by name."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def sha256(content: bytes) -> str:
    """The SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def check_name(path: Path, name: str) -> None:
    """Whether a name from an archive or a server is that of a file inside the folder it goes to.

    path: where it was found
    raises: PackagingError if it is not
    """
    parts = name.replace("\\", "/").split("/")  # not PurePosixPath, which passes over "." and ""
    inside = all(part not in ("", ".", "..") and ":" not in part for part in parts)
    if not inside or not name.isprintable():
        raise PackagingError(
            f"{path}: holds {shown(name)}, which would be written outside; refused"
        )


def check_size(path: object, files: int, size: int) -> None:
    """Whether something is as small as a model, before it is read. size: in bytes

    raises: PackagingError if it is not
    """
    if files > MOST_FILES or size > MOST_BYTES:
        raise PackagingError(
            f"{path}: {files:,} files and {size:,} bytes, want at most {MOST_FILES:,} and "
            f"{MOST_BYTES:,}; this is no model of ours"
        )
