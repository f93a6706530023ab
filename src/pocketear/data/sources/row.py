"""row: what every source turns a dataset into."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Row:
    """One clip as the dataset describes it; not decoded yet."""

    path: Path
    label: str
    group: str = ""  # recordings of one origin; "": this recording alone
    fold: int = 0  # the dataset's own, from 1; 0: none
    start: float = 0.0  # s
    end: float = 0.0  # s, 0: to the end of the file
    error: str = ""  # why it cannot be a clip, where that is known already


@dataclass(frozen=True)
class Listing:
    """The rows of a dataset, and what a person should know of what is not among them."""

    rows: list[Row]
    notes: list[str] = field(default_factory=list)


class Source(Protocol):
    """One way in which a dataset lies on disk. One class in one file each."""

    def read(self, path: Path, made: Path) -> Listing:
        """List the dataset at `path`; sounds that must be made first go into the folder `made`.

        raises: DataError or ParamsError if nothing at `path` can be read this way
        """
        ...
