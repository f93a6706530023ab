"""chart: each audited property by label, as a picture; the same clips give the same bytes."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pocketear.data.audit.shortcuts import Property

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH, _ROW, _ABOVE, _BELOW = 8.0, 0.3, 0.1, 0.5  # inches
_LEFT, _RIGHT = 0.3, 0.8  # of the width: labels to the left, a legend to the right
_LONGEST = 40  # letters of a label
_MOST_VALUES = 8  # of a category that have a colour of their own
_STYLE: dict[str, Any] = {
    "font.size": 9,
    "text.parse_math": False,  # a label with two dollar signs is no formula
    "svg.fonttype": "none",
    "svg.hashsalt": "audit",
}


def draw(table: pd.DataFrame, one: Property, path: Path) -> None:
    """Write an SVG: numbers as boxes with every clip as a dot, categories as shares of a bar.

    table: clips, with the column of `one`
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    labels = sorted(set(table["label"]))
    with matplotlib.style.context(["default", _STYLE]):
        height = _ABOVE + _BELOW + _ROW * len(labels)
        figure = Figure((_WIDTH, height))
        part = (_LEFT, _BELOW / height, _RIGHT - _LEFT, 1 - (_ABOVE + _BELOW) / height)
        axes = figure.add_axes(part)
        (_shares if one.category else _boxes)(axes, table, one.name, labels)
        axes.set_yticks(range(len(labels)), [_printable(label) for label in labels])
        axes.set_xlabel(
            f"share of clips by {one.name}" if one.category else f"{one.name} {one.unit}"
        )
        axes.invert_yaxis()
        figure.savefig(path, format="svg", metadata={"Date": None})


def _boxes(axes: "Axes", table: pd.DataFrame, name: str, labels: list[str]) -> None:
    columns = [table.loc[table["label"] == label, name].to_numpy(float) for label in labels]
    axes.boxplot(columns, positions=range(len(labels)), orientation="horizontal", showfliers=False)
    for row, values in enumerate(columns):
        shift = np.linspace(-0.25, 0.25, len(values))  # in the table's order: no chance
        axes.plot(
            values, row + shift, ".", color="#2a6fdb", alpha=0.4, markersize=3, rasterized=True
        )


def _shares(axes: "Axes", table: pd.DataFrame, name: str, labels: list[str]) -> None:
    counts = pd.crosstab(table["label"], table[name].astype(str)).loc[labels]
    common = counts.sum().sort_values(ascending=False, kind="stable").index[:_MOST_VALUES]
    shares = counts[sorted(common)].div(counts.sum(axis=1), axis=0)
    left = np.zeros(len(labels))
    for value in shares:
        axes.barh(range(len(labels)), shares[value], left=left, label=_printable(str(value)))
        left += shares[value].to_numpy()
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _printable(label: str) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in label)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
