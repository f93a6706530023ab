import os
from pathlib import Path

import pytest

from pocketear.base.errors import DataError
from pocketear.data.sources.folder import Folder
from pocketear.data.sources.row import Listing


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"sound")


def read(folder: Path) -> Listing:
    return Folder().read(folder, folder)


def names(listing: Listing) -> dict[str, tuple[str, str]]:
    return {row.path.name: (row.label, row.group) for row in listing.rows}


def test_the_first_folder_is_the_label_and_the_second_the_group(tmp_path: Path) -> None:
    touch(tmp_path, "cry/a.wav", "cry/anna/b.m4a", "laugh/anna/monday/c.3gp")
    assert names(read(tmp_path)) == {
        "a.wav": ("cry", ""),
        "b.m4a": ("cry", "anna"),
        "c.3gp": ("laugh", "anna"),
    }


def test_names_with_spaces_quotes_and_unicode_are_kept(tmp_path: Path) -> None:
    odd = ['it\'s "loud".wav', "Weinen – größer.wav", "泣き声 1.flac", "-rf.wav", "a\nb.wav"]
    touch(tmp_path, *(f"cry/{name}" for name in odd))
    assert set(names(read(tmp_path))) == set(odd)


def test_what_is_not_sound_by_its_name_is_counted_and_the_rest_are_rows(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "cry/a.wav",
        "cry/notes.txt",
        "README.md",
        "cry/.DS_Store",
        ".git/x",
        "cry/b",
        "cry/c.zip",
    )
    listing = read(tmp_path)
    assert set(names(listing)) == {"a.wav", "b", "c.zip"}
    assert listing.notes == [
        "2 files left out: not sound by their names",
        "2 files left out: hidden",
    ]


def test_a_recording_outside_every_label_says_so(tmp_path: Path) -> None:
    touch(tmp_path, "cry/a.wav", "lost.wav")
    (row,) = (row for row in read(tmp_path).rows if row.path.name == "lost.wav")
    assert "in no label's folder" in row.error


def test_links_are_followed_and_those_that_loop_are_cut(tmp_path: Path) -> None:
    touch(tmp_path, "data/cry/a.wav", "elsewhere/b.wav")
    data = tmp_path / "data"
    (data / "cry" / "again").symlink_to(data, target_is_directory=True)
    (data / "laugh").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (data / "cry" / "self.wav").symlink_to("self.wav")
    (data / "cry" / "gone.wav").symlink_to("nowhere.wav")
    listing = read(data)
    assert names(listing) == {
        "a.wav": ("cry", ""),
        "b.wav": ("laugh", ""),
        "gone.wav": ("cry", ""),
        "self.wav": ("cry", ""),
    }
    assert listing.notes == [f"{data}/cry/again: a link into a folder above it, left out"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read_is_an_error_not_a_gap(tmp_path: Path) -> None:
    touch(tmp_path, "cry/a.wav", "laugh/b.wav")
    (tmp_path / "laugh").chmod(0)
    with pytest.raises(PermissionError):
        read(tmp_path)


@pytest.mark.parametrize("there", [[], ["a.wav", "b.wav"], ["cry/notes.txt"]])
def test_a_folder_without_labels_says_what_is_wanted(tmp_path: Path, there: list[str]) -> None:
    touch(tmp_path, *there)
    with pytest.raises(DataError, match=r"holds no LABEL/clip\.wav"):
        read(tmp_path)


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    with pytest.raises(DataError, match="not a folder"):
        read(tmp_path / "a.wav")


def test_what_systems_and_editors_leave_beside_recordings_is_counted(tmp_path: Path) -> None:
    beside = ["a.wav:Zone.Identifier", "a.wav\uf03aZone.Identifier", "a.wav:com.dropbox.attrs",
              "a.wav.reapeaks", "a.wav.asd", "a.sfk", "a.pkf", "LICENSE", "README", "Icon\r",
              "SHA256SUMS", "a.lab"]  # fmt: skip
    touch(tmp_path, "cry/a.wav", *(f"cry/{name}" for name in beside))
    listing = read(tmp_path)
    assert set(names(listing)) == {"a.wav"}
    assert listing.notes == [f"{len(beside)} files left out: not sound by their names"]


def test_a_time_as_a_name_is_no_stream_of_another_file(tmp_path: Path) -> None:
    touch(tmp_path, "cry/12:30:05.m4a", "cry/b:c", "cry/license.wav", "cry/readme 1")
    assert set(names(read(tmp_path))) == {"12:30:05.m4a", "b:c", "license.wav", "readme 1"}


def test_a_folder_of_a_label_without_recordings_is_named(tmp_path: Path) -> None:
    """BirdNET-Analyzer#559: it was no label, without a word."""
    for name in ("cry/a.wav", "laugh/b.wav", "Lanius/notes.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "__MACOSX").mkdir()
    notes = Folder().read(tmp_path, tmp_path).notes
    assert "no recording in the folders 'Lanius'" in notes
