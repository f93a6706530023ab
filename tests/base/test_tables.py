"""A Markdown table holds any text, as a Markdown reader sees it."""

from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pocketear.base.tables import markdown_table

READER = MarkdownIt("commonmark").enable("table")


@given(st.lists(st.text(), min_size=4, max_size=4))
@example(["a|b", "<script>alert(1)</script>", "R&amp;D", "a\\|b"])
@example(["one\ntwo", "one\r\ntwo", "one\u2028two", "\x0bone\ttwo"])
@example(["\\", "|", "||\\", ""])
def test_no_text_ends_its_cell_or_its_row_or_becomes_html(cells: list[str]) -> None:
    tokens = READER.parse(markdown_table(cells[:2], [cells[2:], ["last", "row"]]))
    kinds = [token.type for token in tokens]
    assert kinds[0] == "table_open" and kinds[-1] == "table_close"
    assert [kinds.count(kind) for kind in ("th_open", "tr_open", "td_open")] == [2, 3, 4]
    assert not [c for token in tokens for c in token.children or () if c.type == "html_inline"]
    assert [token.content for token in tokens if token.type == "inline"][-2:] == ["last", "row"]


def test_a_table_reads_well_as_plain_text_too() -> None:
    assert markdown_table(("gate", "value"), [("a | b", "1.50"), ("c", "2")]).splitlines() == [
        "| gate   | value   |",
        "|--------|---------|",
        "| a \\| b | 1.50    |",
        "| c      | 2       |",
    ]
