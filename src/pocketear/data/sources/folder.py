"""folder: LABEL/clip.wav or LABEL/GROUP/clip.wav, in any format that audio.py reads."""

import re
from pathlib import Path

from pocketear.base.errors import DataError, shown
from pocketear.data.sources.row import Listing, Row
from pocketear.data.sources.walk import Found, walk

# Notes, lists and pictures that lie beside recordings. Any other file is taken for a recording,
# and needs a reason why it is none.
NOT_SOUND = (
    ".cfg", ".csv", ".db", ".docx", ".dvc", ".eaf", ".gif", ".html", ".ini", ".jpeg", ".jpg",
    ".json", ".lab", ".lnk", ".log", ".md", ".md5", ".pdf", ".png", ".py", ".rtf", ".sha256",
    ".srt", ".textgrid", ".tsv", ".txt", ".url", ".vtt", ".xlsx", ".xml", ".yaml", ".yml",
    # what editors keep beside a recording: its peaks, its beats
    ".asd", ".gpk", ".h0", ".mrk", ".pk", ".pkf", ".reapeaks", ".reapindex", ".sfap0", ".sfk",
    ".sfl",
)  # fmt: skip
_NOTES = ("authors", "changelog", "citation", "copying", "icon\r", "licence", "license", "manifest",
          "md5sums", "notice", "readme", "sha256sums")  # fmt: skip
_STREAM = re.compile(r"(.+)[:\uf03a][\w. -]+", re.DOTALL)


class Folder:
    """A folder of label folders. A folder below a label's is a group: one person, place or day.

    Groups of one name are one group under every label: who both cries and laughs is not split.
    """

    def read(self, path: Path, made: Path) -> Listing:
        """List every file; those that lie in no label's folder say so."""
        if not path.is_dir():
            raise DataError(f"{path}: not a folder; want one folder a label, with recordings in it")
        found = walk(path)
        sounds = [file for file in found.files if not is_note(file)]
        rows = [row_of(path, file) for file in sounds]
        if not any(row.label for row in rows):
            raise DataError(f"{path}: holds no LABEL/clip.wav; make a folder for each label")
        left_out = notes(found, len(found.files) - len(sounds))
        return Listing(rows, left_out + without_sound(path, found, rows))


def is_note(file: Path) -> bool:
    """Whether a file is something that lies beside recordings, by its name.

    Windows keeps where a download came from in a stream of the file, which becomes a file of its
    own on other systems: a.wav:Zone.Identifier.
    """
    stream = _STREAM.fullmatch(file.name)
    return (
        file.suffix.lower() in NOT_SOUND
        or file.name.lower() in _NOTES
        or bool(stream and file.with_name(stream[1]).is_file())
    )


def row_of(folder: Path, file: Path) -> Row:
    """Label and group, as the folders say."""
    label, *groups = file.relative_to(folder).parts[:-1] or ("",)
    lost = "" if label else "it lies in no label's folder; move it into one"
    return Row(file, label, groups[0] if groups else "", error=lost)


def without_sound(path: Path, found: Found, rows: list[Row]) -> list[str]:
    """The folders that would be labels, but hold no recording, for the log."""
    folders = {folder.name for folder in found.folders if folder.parent == path}
    empty = sorted(folders - {row.label for row in rows})
    return [f"no recording in the folders {shown(', '.join(empty))}"] if empty else []


def notes(found: Found, not_sound: int) -> list[str]:
    """What was left out, for the log."""
    left_out = {"not sound by their names": not_sound, "hidden": found.hidden}
    notes = [f"{count} files left out: {why}" for why, count in left_out.items() if count]
    return notes + [f"{link}: a link into a folder above it, left out" for link in found.loops]
