"""Zips from elsewhere: no name leads outside, and nothing is larger than a model."""

import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pocketear.base import archive
from pocketear.base.archive import check_name, read_zip, write_zip
from pocketear.base.errors import PackagingError


@pytest.mark.parametrize(
    "name",
    [".", "./a", "a/.", "..", "a/../../b", "/a", "\\a", "C:a", "a/C:b", "a//b", "a\nb", "a\x1b"],
)
def test_names_that_are_no_files_inside_are_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        bad.writestr(name, b"x")
    with pytest.raises(PackagingError, match="refused"):
        read_zip(tmp_path / "bad.zip")


@given(st.text(st.sampled_from("./\\:a")) | st.text())
@example("...")
def test_a_name_that_is_taken_leads_inside(name: str) -> None:
    try:
        check_name(Path("x.zip"), name)
    except PackagingError:
        return
    place = Path("/folder", name)
    assert place.is_relative_to("/folder") and place != Path("/folder")
    assert ".." not in place.parts


def test_more_than_a_model_holds_is_not_unpacked(tmp_path: Path, monkeypatch) -> None:
    write_zip(tmp_path / "large.zip", {"a": bytes(3000), "b": bytes(3000)})
    monkeypatch.setattr(archive, "MOST_BYTES", 5000)
    with pytest.raises(PackagingError, match="2 files and 6,000 bytes, want at most"):
        read_zip(tmp_path / "large.zip")
    monkeypatch.undo()
    monkeypatch.setattr(archive, "MOST_FILES", 1)
    with pytest.raises(PackagingError, match="this is no model of ours"):
        read_zip(tmp_path / "large.zip")


def test_an_entry_larger_than_it_says_is_not_unpacked_beyond_that(tmp_path: Path) -> None:
    path = tmp_path / "lies.zip"
    write_zip(path, {"a": bytes(1 << 20)})
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<L", 1 << 20), struct.pack("<L", 10)))
    with pytest.raises(PackagingError, match="not a whole zip file"):
        read_zip(path)


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_zip_is_refused_in_one_line_or_read(tmp_path: Path, seed: int) -> None:
    import random

    rng, path = random.Random(seed), tmp_path / "a.zip"
    write_zip(path, {"a/b.txt": b"text" * 50, "c": bytes(range(256))}, stored=["c"])
    content = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 4)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(content)
    try:
        read_zip(path)
    except PackagingError as error:
        assert "\n" not in str(error)
