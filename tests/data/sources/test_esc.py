from collections import Counter
from pathlib import Path

import pytest

from pocketear.base.errors import DataError
from pocketear.data.sources.esc import Esc
from pocketear.data.sources.esc10 import Esc10
from pocketear.data.sources.row import Row

# The first lines of meta/esc50.csv as published.
ESC50 = """\
filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
1-100038-A-14.wav,1,14,chirping_birds,False,100038,A
1-100210-A-36.wav,1,36,vacuum_cleaner,False,100210,A
1-100210-B-36.wav,1,36,vacuum_cleaner,False,100210,B
"""


@pytest.fixture
def esc50(tmp_path: Path) -> Path:
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta/esc50.csv").write_text(ESC50)
    return tmp_path


def test_esc50_as_published(esc50: Path) -> None:
    rows = Esc().read(esc50, esc50).rows
    assert rows[0] == Row(esc50 / "audio/1-100032-A-0.wav", "dog", "100032", 1)
    assert [row.group for row in rows[2:]] == ["100210", "100210"]
    assert len(rows) == 4


def test_esc10_is_what_esc50s_own_table_flags(esc50: Path) -> None:
    assert [row.label for row in Esc10().read(esc50, esc50).rows] == ["dog"]


def test_the_real_esc10_has_ten_labels_in_five_official_folds(esc10: Path) -> None:
    rows = Esc().read(esc10, esc10).rows
    assert len(rows) == 400
    counts = Counter((row.label, row.fold) for row in rows)
    assert len(counts) == 50
    assert set(counts.values()) == {8}
    assert {row.label for row in rows} >= {"baby_cry", "dog_bark", "fire_crackling"}
    assert all(row.path.is_file() for row in rows)


def test_no_recording_of_the_real_esc10_is_in_two_folds(esc10: Path) -> None:
    rows = Esc().read(esc10, esc10).rows
    assert len({(row.group, row.fold) for row in rows}) == len({row.group for row in rows})


def test_the_folders_alone_say_what_the_table_says(esc10: Path, tmp_path: Path) -> None:
    for folder in esc10.iterdir():
        if folder.is_dir():
            (tmp_path / folder.name).symlink_to(folder, target_is_directory=True)
    by_folder = {
        (r.path.name, r.label, r.group, r.fold) for r in Esc().read(tmp_path, tmp_path).rows
    }
    by_table = {(r.path.name, r.label, r.group, r.fold) for r in Esc().read(esc10, esc10).rows}
    assert by_folder == by_table


def test_a_file_that_is_not_named_as_in_esc_says_so(tmp_path: Path) -> None:
    (tmp_path / "004 - Baby cry").mkdir()
    (tmp_path / "004 - Baby cry/mine.wav").touch()
    (row,) = Esc().read(tmp_path, tmp_path).rows
    assert "FOLD-RECORDING-TAKE" in row.error


def test_another_folder_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"meta/esc50.csv beside audio/, or folders such as '004"):
        Esc().read(tmp_path, tmp_path)


def test_a_fold_that_is_no_number_is_named_with_its_line(esc50: Path) -> None:
    (esc50 / "meta/esc50.csv").write_text(ESC50.replace("wav,1,0,dog", "wav,one,0,dog"))
    with pytest.raises(DataError, match="line 2: fold must be a number, found 'one'"):
        Esc().read(esc50, esc50)
