"""tables: text that anybody wrote, on a terminal, in Markdown and in CSV files, as text alone.

A label, a path or a reason may hold what Markdown takes for HTML, a link or a heading, or what a
spreadsheet takes for a formula.
"""

import csv
import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

if TYPE_CHECKING:
    import pandas as pd

# every sign that begins something within a line; `_` only where it does not join two letters
_SIGNS = re.compile(r"[\\`*\[\]{}|~$]|(?<= )#|(?<![^\W_])_|_(?![^\W_])")
_AT_START = re.compile(r"[#+:=-]|\d{1,9}(?=[.)])")  # a heading, a list, a rule
# "'" is our own sign for text, which a formula's sign follows, in full width too
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table for a terminal: paths can be copied; what would steer the terminal is written out."""
    cells = [[_visible(cell) for cell in row] for row in rows]
    return str(tabulate(cells, headers=head, tablefmt="simple", disable_numparse=True))


def _visible(text: str) -> str:
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that reads well as plain text too; a cell is its text, whatever that is."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    return str(
        tabulate(cells, headers=[*map(_cell, head)], tablefmt="github", disable_numparse=True)
    )


def markdown_text(text: str) -> str:
    """Any text as one line of Markdown that shows it: in a heading, in a list, or by itself."""
    escaped = _cell(" ".join(text.split()))
    start = _AT_START.match(escaped)
    if not start:
        return escaped
    place = start.end() - (0 if start[0].isdigit() else 1)
    return f"{escaped[:place]}\\{escaped[place:]}"


def write_csv(table: "pd.DataFrame", path: Path, *, index: bool = False) -> None:
    """Write a table for people, who may open it with a spreadsheet: no cell is a formula there.

    Text that would be one gets a "'" in front, as spreadsheets mark text; all text is in quotes,
    so that a comma or a semicolon in it parts no cells. `plain_text` takes the mark away.
    """
    marked = _each_text(table, _marked)
    if index:
        marked.index = marked.index.map(lambda name: _marked(str(name)))
    marked.to_csv(path, index=index, quoting=csv.QUOTE_NONNUMERIC)


def plain_text(table: "pd.DataFrame") -> "pd.DataFrame":
    """A table as it was before `write_csv`."""
    return _each_text(table, _unmarked)


def _cell(text: str) -> str:
    one_line = " ".join(text.splitlines())
    return _SIGNS.sub(r"\\\g<0>", html.escape(one_line, quote=False))


def _marked(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text


def _unmarked(text: str) -> str:
    return text[1:] if text[:1] == "'" and _FORMULA.match(text[1:]) else text


def _each_text(table: "pd.DataFrame", change: Callable[[str], str]) -> "pd.DataFrame":
    """A copy of a table with `change` made to every text in it, and to the columns' names."""

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) else value

    made = table.copy()
    for name, kind in table.dtypes.items():
        if kind.kind not in "biufcmM":
            made[name] = made[name].map(changed)
    return made.rename(columns=changed)
