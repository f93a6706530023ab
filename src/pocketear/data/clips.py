"""clips: the clip table, one row a clip, as every stage reads and writes it."""

from pathlib import Path

import pandas as pd

from pocketear.base.errors import DataError
from pocketear.base.files import replacing

COLUMNS = {
    "path": "str",  # relative to the project's folder, posix
    "sha256": "str",  # of the file's bytes
    "label": "str",  # "" where the source does not know
    "group": "str",  # recordings of one origin: never on two sides of a split
    "group_from": "str",  # GIVEN, FOUND or UNKNOWN, below
    "fold": "int64",  # the dataset's own fold, 0: none
    "start": "float64",  # s
    "end": "float64",  # s, 0: to the end of the file
    "error": "str",  # "" or why the clip cannot be decoded
    "duration": "float64",  # s
    "sample_rate": "int64",  # Hz, of the file
    "channels": "int64",
    "subtype": "str",  # the file's sample format, such as PCM_16
    "container": "str",  # such as wav, ogg, mov
    "codec": "str",  # such as pcm, flac, vorbis, aac
    "bit_depth": "int64",  # of a sample, 0: the codec has none
    "level_dbfs": "float64",  # RMS, dB re full scale
    "peak": "float64",  # full scale = 1
    "clipped_share": "float64",  # of the samples
    "dc_offset": "float64",  # absolute mean, full scale = 1
    "silence_share": "float64",  # of the 10 ms blocks
    "leading_silence": "float64",  # s of digital silence before the sound
    "trailing_silence": "float64",  # s of it behind the sound
    "noise_floor_dbfs": "float64",  # the sum of what each octave keeps above most of the time
    "sound": "str",  # SHA-256 of the decoded samples, "" where there are none
    "bandwidth": "float64",  # Hz, measured: where the spectrum ends in an edge, else half the rate
    "bits_in_use": "int64",  # measured: in how many bits the sound was made, 16: so many or more
    "hum": "float64",  # dB by which harmonics of 50 or 60 Hz stand out; noise alone gives some 6
}
# who says the group: the dataset, the stage `group`, or nobody, and then it is this file alone
GIVEN, FOUND, UNKNOWN = "given", "found", "unknown"
SPLITS = ("train", "val", "test")  # the values of the column `split`, once there


def write_clips(table: pd.DataFrame, path: Path) -> None:
    """Write a clip table as Parquet; the same rows give the same bytes."""
    known = table.astype({name: kind for name, kind in COLUMNS.items() if name in table})
    with replacing(path) as fresh:
        known.to_parquet(fresh, index=False, compression="zstd")


def read_clips(path: Path) -> pd.DataFrame:
    """Read a clip table.

    raises: DataError if it is missing, not Parquet, or lacks a column
    """
    try:
        table = pd.read_parquet(path)
    except FileNotFoundError as error:
        raise DataError(f"{path}: not found; `dvc repro` makes it") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a clip table ({error}); `dvc repro` makes it anew") from error
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise DataError(
            f"{path}: lacks the columns {', '.join(missing)}; `dvc repro` makes it anew"
        )
    return table


def known_labels(table: pd.DataFrame, labels: tuple[str, ...]) -> tuple[str, ...]:
    """The labels in output order: as given, or all in the table, alphabetically."""
    return labels or tuple(sorted(set(table["label"]) - {""}))


def read_labels(path: Path) -> tuple[str, ...]:
    """The labels in output order, one a line.

    raises: DataError if the file is missing or empty
    """
    try:
        labels = tuple(path.read_text(encoding="utf-8").splitlines())
    except FileNotFoundError as error:
        raise DataError(f"{path}: not found; `dvc repro` makes it") from error
    if not labels:
        raise DataError(f"{path}: holds no label; `dvc repro` makes it anew")
    return labels


def write_labels(labels: tuple[str, ...], path: Path) -> None:
    """Write labels.txt: the label of output number n in line n."""
    path.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
