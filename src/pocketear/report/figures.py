"""figures: the numbers of a report as flat names, and tables of them in Markdown."""

from collections.abc import Mapping
from typing import Any

_ROW_NAMES = ("name", "runtime", "stage")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown that reads well as plain text too."""
    cells = [[cell.replace("|", "/").replace("\n", " ") for cell in row] for row in [head, *rows]]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(head))]
    cells.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    )


def scalars(nested: Any, prefix: str = "") -> dict[str, float]:
    """Every number below a nested report as `outer.inner` -> value, named as MLflow wants.

    The rows of a list are named by what they say they are: `runtime` and `stage`, or `name`.
    """
    found: dict[str, float] = {}
    if isinstance(nested, Mapping):
        for name, value in nested.items():
            clean = "".join(c if c.isalnum() or c in "_-. /" else "_" for c in str(name))
            found |= scalars(value, f"{prefix}.{clean}" if prefix else clean)
    elif isinstance(nested, list):
        for row in nested:
            names = [row[key] for key in _ROW_NAMES if key in row] if isinstance(row, dict) else []
            if names:
                found |= scalars({".".join(names): row}, prefix)
    elif isinstance(nested, int | float) and not isinstance(nested, bool):
        found[prefix] = float(nested)
    return found
