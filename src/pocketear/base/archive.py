"""archive: folders and zips as names and bytes; a zip is the same bytes every time."""

import hashlib
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from pocketear.base.errors import PackagingError
from pocketear.base.files import replacing

_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can hold
_UNIX = 3
_FILE_MODE = 0o100644


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


def sha256(content: bytes) -> str:
    """The SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _check_name(path: Path, name: str) -> None:
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or ":" in parts.parts[0]:
        raise PackagingError(f"{path}: holds {name!r}, which would be written outside; refused")
