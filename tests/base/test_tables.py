"""Text that anybody wrote, as a Markdown reader and a spreadsheet see it."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from pocketear.base.tables import markdown_table, markdown_text, plain_table, plain_text, write_csv
from pocketear.report.tables import read_table

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SIGNS = st.text("ab1.)#+-=*_`~[]()!<>&|\\:;$ '\"{}\n\t0_")
LINK = "[press](javascript:alert(1)) ![x](http://elsewhere/p.png)"


def shown(token: Token) -> str:
    """The text of a piece of Markdown, which must be text and nothing else."""
    assert {child.type for child in token.children or ()} <= {"text", "text_special"}
    return "".join(child.content for child in token.children or ())


@given(st.lists(st.text() | SIGNS, min_size=4, max_size=4))
@example(["a|b", "<script>alert(1)</script>", "R&amp;D", "a\\|b"])
@example(["one\ntwo", "one\r\ntwo", "one\u2028two", "\x0bone\ttwo"])
@example(["\\", "|", "||\\", ""])
@example([LINK, "**a**", "`a`", "~~a~~"])
def test_no_text_ends_its_cell_or_its_row_or_becomes_anything_but_text(cells: list[str]) -> None:
    tokens = READER.parse(markdown_table(cells[:2], [cells[2:], ["last", "row"]]))
    kinds = [token.type for token in tokens]
    assert kinds[0] == "table_open" and kinds[-1] == "table_close"
    assert [kinds.count(kind) for kind in ("th_open", "tr_open", "td_open")] == [2, 3, 4]
    texts = [shown(token) for token in tokens if token.type == "inline"]
    assert texts[-2:] == ["last", "row"]


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])) | SIGNS)
@example("<details><summary>x</summary>")
@example(LINK)
@example("1. one")
@example("---")
@example("x ##")
@pytest.mark.parametrize(
    ("line", "kinds"),
    [
        ("# x {}", ["heading_open", "inline", "heading_close"]),
        ("- {}", ["bullet_list_open", "list_item_open", "paragraph_open", "inline",
                  "paragraph_close", "list_item_close", "bullet_list_close"]),
        ("{}", ["paragraph_open", "inline", "paragraph_close"]),
    ],
    ids=["heading", "list", "paragraph"],
)  # fmt: skip
def test_in_a_heading_or_a_list_any_text_is_that_text(line: str, kinds: list[str], text: str):
    plain = " ".join(text.split())
    if not plain:
        return
    tokens = READER.parse(line.format(markdown_text(text)))
    assert [token.type for token in tokens] == kinds
    (inline,) = [token for token in tokens if token.type == "inline"]
    assert shown(inline) == plain if line != "# x {}" else shown(inline) == f"x {plain}"


def test_a_table_reads_well_as_plain_text_too() -> None:
    assert markdown_table(("gate", "value"), [("a | b", "1.50"), ("c", "2")]).splitlines() == [
        "| gate   | value   |",
        "|--------|---------|",
        "| a \\| b | 1.50    |",
        "| c      | 2       |",
    ]
    assert markdown_text("false_alarms_per_hour: 0.5 (limit 1)") == (
        "false_alarms_per_hour: 0.5 (limit 1)"
    )


FORMULAS = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "'=1", "''+"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"])), min_size=1))
@example(FORMULAS)
@example(["a;=1", 'a",=1', "O'Neill", "'", "-", "NA", "007"])
def test_no_cell_is_a_formula_and_every_reader_gets_the_text(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "table.csv"
    table = pd.DataFrame({"label": texts, "misses": [0.5] * len(texts)})
    write_csv(table, path)
    with path.open(newline="", encoding="utf-8") as file:
        cells = [row["label"] for row in csv.DictReader(file)]
    assert not [cell for cell in cells if cell.lstrip()[:1] in tuple("=+-@＝＋－＠")]
    expected = [text or None for text in texts]
    found = read_table(path, ["label", "misses"])
    assert [text if isinstance(text, str) else None for text in found["label"]] == expected
    assert plain_text(found.rename(columns={"label": "=x"})).columns[0] == "=x"


def test_names_of_rows_and_columns_are_no_formulas_either(tmp_path: Path) -> None:
    labels = ["=cmd|calc", "cry"]
    write_csv(pd.DataFrame([[1, 2], [3, 4]], labels, labels), tmp_path / "c.csv", index=True)
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["", "'=cmd|calc", "cry"], ["'=cmd|calc", "1", "2"], ["cry", "3", "4"]]


def test_on_a_terminal_paths_can_be_copied_and_nothing_steers_it() -> None:
    shown = plain_table(("path", "label"), [("my_[clips]/a_b*.wav", "cry"), ("\x1b[2Jb.wav", "no")])
    assert "my_[clips]/a_b*.wav  cry" in shown
    assert "\x1b" not in shown and "\\x1b[2Jb.wav" in shown
