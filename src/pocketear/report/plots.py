"""plots: a run's reports as pictures for MLflow's pages; the report page draws its own."""

from pathlib import Path
from typing import Any

import pandas as pd

_SIZE, _DPI = (6.0, 4.5), 110  # inches, dots per inch


def draw_all(reports: Path, folder: Path) -> None:
    """Write confusion.png, calibration.png and loss.png to `folder`, of the tables that there are.

    reports: as the stages wrote them
    """
    for table, draw, name in (
        ("evaluation/confusion.csv", _confusion, "confusion.png"),
        ("evaluation/calibration.csv", _calibration, "calibration.png"),
        ("training/history.csv", _loss, "loss.png"),
    ):
        if (reports / table).exists():
            draw(pd.read_csv(reports / table), folder / name)


def _confusion(clips: pd.DataFrame, path: Path) -> None:
    """clips: actual and predicted label of each"""
    labels = sorted({*clips["actual"], *clips["predicted"]})
    counts = pd.crosstab(clips["actual"], clips["predicted"])
    counts = counts.reindex(index=labels, columns=labels, fill_value=0)
    figure, axes = _axes("predicted", "actual")
    axes.imshow(counts.div(counts.sum(axis=1).clip(lower=1), axis=0), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=30)
    axes.set_yticks(range(len(labels)), labels)
    for i, j in ((i, j) for i in range(len(labels)) for j in range(len(labels))):
        axes.text(j, i, str(counts.iloc[i, j]), ha="center", va="center")
    figure.savefig(path)


def _calibration(bins: pd.DataFrame, path: Path) -> None:
    """bins: mean confidence and accuracy of each"""
    figure, axes = _axes("confidence", "accuracy")
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1)
    axes.plot(bins["confidence"], bins["accuracy"], marker="o")
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figure.savefig(path)


def _loss(history: pd.DataFrame, path: Path) -> None:
    """history: loss and val_loss of each epoch"""
    figure, axes = _axes("epoch", "loss")
    for name in ("loss", "val_loss"):
        axes.plot(history["epoch"], history[name], label=name)
    axes.legend()
    figure.savefig(path)


def _axes(x: str, y: str) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(_SIZE, dpi=_DPI, layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    return figure, axes
