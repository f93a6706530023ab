"""search_results: the trials of a search -> a table, a picture, and a command for the best."""

from pathlib import Path

import pandas as pd

from pocketear.base.files import replacing
from pocketear.base.tables import plain_table, write_csv
from pocketear.experiments.search import Found, front
from pocketear.report import charts

TRIALS, PICTURE = "trials.csv", "front.png"


def write(trials: list[Found], budget: float, out: Path) -> None:
    """A folder with every trial as a table, and accuracy against cost as a picture."""
    best = {one.number for one in front(trials)}
    rows = [
        {"trial": one.number, **one.figures._asdict(), "on_front": one.number in best, **one.values}
        for one in trials
    ]
    table = pd.DataFrame(rows)
    with replacing(out) as fresh:
        fresh.mkdir()
        write_csv(table, fresh / TRIALS)
        charts.png(charts.cost_front(table, budget), fresh / PICTURE)


def text(trials: list[Found], budget: float, out: Path) -> str:
    """For a terminal: the front, and how to train the best that keeps to the budget."""
    kept = front(trials)
    if not kept:
        return "no recipe could be tried; the lines above say why"
    head = ("trial", "accuracy", "M instructions", *kept[0].values)
    rows = [
        (
            str(one.number),
            f"{100 * one.figures.accuracy:.1f} %",
            f"{one.figures.instructions / 1e6:.2f}",
            *(f"{value:g}" for value in one.values.values()),
        )
        for one in kept
    ]
    lines = [plain_table(head, rows), f"{out / PICTURE}, {out / TRIALS}: all {len(trials)} trials"]
    affordable = [one for one in kept if one.figures.instructions <= budget]
    if affordable:
        best = max(affordable, key=lambda one: one.figures.accuracy)
        settings = " ".join(f"-S {name}={value:g}" for name, value in best.values.items())
        lines.append(
            f"the best within {budget / 1e6:g} M is trial {best.number}: dvc exp run {settings}"
        )
    else:
        lines.append(f"none keeps to {budget / 1e6:g} M instructions a second (gate.budgets)")
    return "\n\n".join(lines)
