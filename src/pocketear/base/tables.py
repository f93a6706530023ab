"""tables: rows as a Markdown table, whatever text a cell holds."""

import html
import re
from collections.abc import Sequence

from tabulate import tabulate

_ESCAPED = re.compile(r"\\(?=\\*\|)|\|")  # a pipe, and every backslash right before it


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that reads well as plain text too; a cell cannot end its row, nor be HTML."""
    cells = [[_cell(cell) for cell in row] for row in rows]
    return str(
        tabulate(cells, headers=[*map(_cell, head)], tablefmt="github", disable_numparse=True)
    )


def _cell(text: str) -> str:
    one_line = " ".join(text.splitlines())
    return _ESCAPED.sub(r"\\\g<0>", html.escape(one_line, quote=False))
