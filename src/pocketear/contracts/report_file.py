"""report_file: the JSON files that stages hand each other: written whole, read as a type.

Each file has one writer and its type in a file of this folder, and every reader parses it: `read`
gives the type, or one line that says what is wrong. docs/decisions/0011-the-house.md says why.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pocketear.base.errors import DataError
from pocketear.base.files import replacing

Kind = TypeVar("Kind", bound=BaseModel)


class Contract(BaseModel):
    """Immutable; a field that is not known is an error, and so is a figure that JSON cannot say."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def write(content: BaseModel, path: Path) -> None:
    """Write a report as JSON, whole or not at all; fields at their default are left out."""
    with replacing(path) as fresh:
        text = content.model_dump_json(indent=2, exclude_defaults=True)
        fresh.write_text(f"{text}\n", encoding="utf-8")


def read(path: Path, kind: type[Kind]) -> Kind:
    """Read what a stage wrote.

    raises: DataError if it is missing, or is not what this version of pocketear writes
    """
    try:
        return kind.model_validate_json(path.read_bytes(), strict=True)
    except FileNotFoundError as error:
        raise DataError(f"{path}: not found; `dvc repro` makes it") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: is a folder; remove it; `dvc repro` makes the file") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        wrong = f"{where}: {first['msg'][0].lower()}{first['msg'][1:]}"
        raise DataError(
            f"{path}: damaged, or written by another version ({wrong}); `dvc repro` makes it again"
        ) from error


def read_if_made(path: Path, kind: type[Kind]) -> Kind | None:
    """`read`; None where the stage has not run."""
    return read(path, kind) if path.exists() else None
