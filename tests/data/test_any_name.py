"""Any name of a folder, a file or a label, from the folder to the tables that later stages read."""

import csv
import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pocketear.base.tables import write_csv
from pocketear.data.cache import ArrayCache
from pocketear.data.clip_table import measure_all, normalised
from pocketear.data.clips import read_clips, read_labels, write_clips, write_labels
from pocketear.data.decoding.untrusted import load_untrusted
from pocketear.data.sources.csv import Csv
from pocketear.data.sources.folder import Folder, is_note
from pocketear.report.tables import read_table
from sounds import tone, write

RATE = 8000
# A space, quotes, an ampersand, a colon, per cent, a question mark, brackets, CR, emoji, right to
# left, both ways to write an accent, 200 bytes, words of YAML 1.1 and of pandas, numbers, dates
NAMES = [
    *("My Sounds", 'it\'s "loud"', "R&D (2024)", "12:30:05", "100%", "My%20Sounds", "who?", "[a]"),
    *(
        "Icon\r1",
        "😭",
        "בכי",
        "gr\u00f6\u00dfer",
        "gro\u0308\u00dfer",
        "é" * 100,
        "yes",
        "no",
        "on",
    ),
    *("None", "nan", "NA", "null", "N/A".replace("/", "-"), "007", "1e3", "2024-01-05", "~", "-rf"),
    *("$HOME", "`id`", "a;b", "a,b", "a\\b", "*", "{x}", "#1", "=1+1", "http:", "file:", "a|b"),
]
ANY = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=50
).filter(lambda name: name not in (".", "..") and not name.startswith("."))


def journey(folder: Path, name: str) -> None:
    """A folder, a label and a file of one name: read, decoded, written and read again."""
    os.chdir(folder)
    sounds = Path("sounds", name)
    sounds.mkdir(parents=True)
    plain = write(folder / "a.wav", tone(0.5, RATE), RATE)
    for kind in ("flac", "ogg"):
        content = write(folder / f"a.{kind}", tone(0.5, RATE), RATE).read_bytes()
        (sounds / f"{name}.{kind}").write_bytes(content)
    (sounds / name).write_bytes(plain.read_bytes())
    listing = Folder().read(Path("sounds"), folder)
    left_out = [path for path in sounds.iterdir() if is_note(path)]
    assert len(listing.rows) == 3 - len(left_out)
    rows = [normalised(row) for row in listing.rows]
    waveforms = ArrayCache(folder / "cache", "<i2")
    made = measure_all(rows, waveforms, RATE, lambda path: Path(os.path.relpath(path)).as_posix())
    write_clips(made, folder / "clips.parquet")
    table = read_clips(folder / "clips.parquet")
    pd.testing.assert_frame_equal(table, made, check_dtype=False)
    label = unicodedata.normalize("NFC", name).strip()
    for clip in table.itertuples():
        assert Path(str(clip.path)).is_file()
        assert ("is empty or not plain text" in str(clip.error)) == (
            not label or not label.isprintable()
        )
        assert clip.label == label
    if not label or not label.isprintable():
        return
    write_labels((label, "other"), folder / "labels.txt")
    assert read_labels(folder / "labels.txt") == (label, "other")
    for_people = table[["path", "label"]]
    write_csv(for_people, folder / "clips.csv")
    again = read_table(folder / "clips.csv", ["path", "label"])
    assert again["label"].tolist() == table["label"].tolist()
    assert again["path"].tolist() == table["path"].tolist()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_names_that_people_have(folder: Path, name: str) -> None:
    journey(folder, name)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ANY)
@example("\u2028")
@example(" a ")
@example("\x1b[2J")
def test_any_other_name(folder: Path, name: str) -> None:
    if len(name.encode()) > 200:
        name = name[:10]
    place = folder / str(len(list(folder.iterdir())))
    place.mkdir()
    journey(place, name)
    shutil.rmtree(place / "sounds")


@pytest.mark.parametrize("name", NAMES)
def test_a_bare_name_is_read_where_it_lies(folder: Path, name: str) -> None:
    """FFmpeg would take what is before a colon for a protocol."""
    write(folder / "a.ogg", tone(0.5, RATE), RATE).rename(folder / name)
    assert len(load_untrusted(Path(name), RATE)) == RATE // 2


@pytest.mark.parametrize("name", NAMES)
def test_a_table_names_it(folder: Path, name: str) -> None:
    write(folder / "a.wav", tone(0.5, RATE), RATE).rename(folder / name)
    pd.DataFrame({"path": [name], "label": [name]}).to_csv(
        "clips.csv", index=False, quoting=csv.QUOTE_ALL
    )
    (row,) = Csv().read(Path("clips.csv"), folder).rows
    assert (row.path, row.label, row.error) == (Path(name), name, "")
    assert np.isfinite(load_untrusted(row.path, RATE)).all()
