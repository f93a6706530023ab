from pathlib import Path

import pytest

from pocketear.base.errors import DataError
from pocketear.data.sources.csv import Csv
from pocketear.data.sources.row import Row


def read(folder: Path, text: str | bytes) -> list[Row]:
    table = folder / "clips.csv"
    table.write_bytes(text.encode() if isinstance(text, str) else text)
    return Csv().read(table, folder).rows


def test_a_table_with_everything(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        "path,label,group,fold,start,end\n"
        "a b.wav,cry,anna,2,0.5,1.75\n"
        '"it\'s ""loud"", really.m4a",laugh,,,,\n',
    )
    assert rows == [
        Row(tmp_path / "a b.wav", "cry", "anna", 2, 0.5, 1.75),
        Row(tmp_path / 'it\'s "loud", really.m4a', "laugh"),
    ]


@pytest.mark.parametrize(
    "text",
    ["label;path\ncry;a.wav\n", "label\tpath\ncry\ta.wav", "path, label\r\na.wav, cry\r\n\r\n"],
)
def test_other_ways_of_writing_a_table(tmp_path: Path, text: str) -> None:
    assert read(tmp_path, text) == [Row(tmp_path / "a.wav", "cry")]


@pytest.mark.parametrize("split", [";", "\t"])
def test_a_decimal_comma_where_commas_do_not_split(tmp_path: Path, split: str) -> None:
    """As spreadsheets write tables in half of Europe (audiomate#31)."""
    text = "path,label,start,end\na.wav,cry,0!5,12!25\n".replace(",", split).replace("!", ",")
    assert read(tmp_path, text) == [Row(tmp_path / "a.wav", "cry", start=0.5, end=12.25)]


def test_a_byte_order_mark_and_unicode(tmp_path: Path) -> None:
    rows = read(tmp_path, "path,label\nWeinen – größer.wav,泣き声\n".encode("utf-8-sig"))
    assert rows == [Row(tmp_path / "Weinen – größer.wav", "泣き声")]


def test_a_column_of_ones_own_is_no_harm(tmp_path: Path) -> None:
    rows = read(tmp_path, "path,label,noted by\na.wav,cry,me\n")
    assert rows == [Row(tmp_path / "a.wav", "cry")]


def test_a_folder_is_read_by_its_table_and_paths_may_lead_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    (tmp_path / "sounds/clips.csv").write_text("path,label\n/far/a.wav,cry\n../b.wav,laugh\n")
    paths = [row.path for row in Csv().read(tmp_path / "sounds", tmp_path).rows]
    assert paths == [Path("/far/a.wav"), tmp_path / "sounds/../b.wav"]


def test_a_fold_as_a_spreadsheet_writes_it(tmp_path: Path) -> None:
    assert read(tmp_path, "path,label,fold\na.wav,cry,3.0\n")[0].fold == 3


MISTAKES = {
    "path,lable\na.wav,cry\n": "line 1: the column 'lable' is unknown; is it 'label'?",
    "path,label,Fold\na.wav,cry,1\n": "line 1: the column 'Fold' is unknown; is it 'fold'?",
    "path\na.wav\n": "line 1: lacks the column label",
    "path,label,path\na.wav,cry,b.wav\n": "line 1: the column path is there twice",
    "path,label\n": "holds no clips",
    "": "lacks the column path, label",
    "path,label\na.wav,cry\nb, b.wav,cry\n": "line 3: has 3 cells, the first line has 2",
    "path,label\na.wav\n": "line 2: has 1 cells",
    'path,label\n"a.wav,cry\n': "correct the quotes",
    "path,label,fold\na.wav,cry,one\n": "line 2: fold must be a number, found 'one'",
    "path,label,fold\na.wav,cry,1.5\n": "line 2: fold must be whole, found 1.5",
    "path,label,start\na.wav,cry,-1\n": "line 2: start must be a number",
    "path,label,end\na.wav,cry,nan\n": "line 2: end must be a number",
    'path,label,start\na.wav,cry,"0,5"\n': "line 2: start must be a number, found '0,5'",
    "path;label;start\na.wav;cry;1.000,5\n": "line 2: start must be a number, found '1.000,5'",
    "path,label,start,end\na.wav,cry,2,1\n": "line 2: end must be after start, found 2 to 1 s",
    "path,label\n,cry\n": "line 2: path is empty",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError) as refused:
        read(tmp_path, text)
    assert MISTAKES[text] in str(refused.value)
    assert "clips.csv" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_faulty_line_is_named_at_once_up_to_a_few(tmp_path: Path) -> None:
    lines = "".join(f"{n}.wav,cry,x\n" for n in range(9))
    with pytest.raises(DataError, match=r"line 2: .*line 6: .*and 4 more"):
        read(tmp_path, f"path,label,fold\n{lines}")


def test_what_excel_calls_unicode_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not text in UTF-8"):
        read(tmp_path, "path,label\na.wav,cry\n".encode("utf-16"))


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not found"):
        Csv().read(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("cell", "there"),
    [
        ("night\\a.wav", "night/a.wav"),
        ("night/a.wav ", "night/a.wav"),
        ("größer.wav", "gro\u0308ßer.wav"),
    ],
)
def test_a_path_that_is_not_there_but_for_its_writing_is_named(
    tmp_path: Path, cell: str, there: str
) -> None:
    (tmp_path / "night").mkdir()
    (tmp_path / there).write_bytes(b"sound")
    (row,) = read(tmp_path, f"path,label\n{cell},cry\n")
    assert row.error == f"no such file; is it {there!r}?"
    (row,) = read(tmp_path, f"path,label\n{there},cry\n")
    assert row.error == ""
    (row,) = read(tmp_path, "path,label\nnight/b.wav,cry\n")
    assert row.error == ""  # whoever decodes it says that it is not there
