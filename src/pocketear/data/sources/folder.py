"""folder: LABEL/clip.wav or LABEL/GROUP/clip.wav, in any format that audio.py reads."""

from pathlib import Path

from pocketear.base.errors import DataError
from pocketear.data.sources.row import Listing, Row
from pocketear.data.sources.walk import Found, walk

# Notes, lists and pictures that lie beside recordings. Any other file is taken for a recording,
# and needs a reason why it is none.
NOT_SOUND = (
    ".cfg", ".csv", ".db", ".docx", ".dvc", ".gif", ".html", ".ini", ".jpeg", ".jpg", ".json",
    ".log", ".md", ".pdf", ".png", ".py", ".rtf", ".textgrid", ".tsv", ".txt", ".url", ".xlsx",
    ".xml", ".yaml", ".yml",
)  # fmt: skip


class Folder:
    """A folder of label folders. A folder below a label's is a group: one person, place or day.

    Groups of one name are one group under every label: who both cries and laughs is not split.
    """

    def read(self, path: Path, made: Path) -> Listing:
        """List every file; those that lie in no label's folder say so."""
        if not path.is_dir():
            raise DataError(f"{path}: not a folder; want one folder a label, with recordings in it")
        found = walk(path)
        sounds = [file for file in found.files if file.suffix.lower() not in NOT_SOUND]
        rows = [row_of(path, file) for file in sounds]
        if not any(row.label for row in rows):
            raise DataError(f"{path}: holds no LABEL/clip.wav; make a folder for each label")
        return Listing(rows, notes(found, len(found.files) - len(sounds)))


def row_of(folder: Path, file: Path) -> Row:
    """Label and group, as the folders say."""
    label, *groups = file.relative_to(folder).parts[:-1] or ("",)
    lost = "" if label else "it lies in no label's folder; move it into one"
    return Row(file, label, groups[0] if groups else "", error=lost)


def notes(found: Found, not_sound: int) -> list[str]:
    """What was left out, for the log."""
    left_out = {"not sound by their names": not_sound, "hidden": found.hidden}
    notes = [f"{count} files left out: {why}" for why, count in left_out.items() if count]
    return notes + [f"{link}: a link into a folder above it, left out" for link in found.loops]
