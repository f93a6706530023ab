"""accuracy_front: what a point of accuracy costs on a phone, of every recipe that was measured.

    python benchmarks/accuracy_front.py

Reads what `esc10_folds.py` found (accuracy of the int8 files over ESC-10's official folds,
instructions of a second of listening on an A53), and draws it: docs/accuracy-front.svg.
"""

import json
from pathlib import Path

import pandas as pd

import claim
from pocketear.report.charts import cost_front, save_svg
from project import ROOT

PICTURE = ROOT / "docs/accuracy-front.svg"
_PHONE = "a53"


def points() -> pd.DataFrame:
    """accuracy (0 to 1), instructions, weights, on_front: a row a recipe, the cheapest first"""
    found = json.loads((claim.RESULTS / "esc10_folds.json").read_text(encoding="utf-8"))
    rows = [
        {
            "recipe": name,
            "accuracy": figures["int8_accuracy_mean"],
            "instructions": figures["listening_instructions"][_PHONE],
            "weights": figures["params"],
        }
        for name, figures in found["figures"]["recipes"].items()
    ]
    table = pd.DataFrame(rows).sort_values("instructions", ignore_index=True)
    return table.assign(on_front=table["accuracy"] > table["accuracy"].cummax().shift(fill_value=0))


def draw(table: pd.DataFrame, path: Path) -> None:
    """The picture, each point with its recipe's name."""
    figure = cost_front(table, names=table["recipe"].tolist())
    save_svg(figure, path)


def main() -> None:
    """Draw what is known, and publish it."""
    table = points()
    draw(table, PICTURE)
    claim.publish("accuracy_front", {"phone": _PHONE, "recipes": table.to_dict("records")})


if __name__ == "__main__":
    main()
