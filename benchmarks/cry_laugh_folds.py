"""cry_laugh_folds: real cries, laughs and background, on people and recordings never trained on.

    python benchmarks/cry_laugh_folds.py [--backbone=FILE] [RECIPE …]

Five folds of whole groups (person, device or recording) of ../shared/data/cry_laugh, through
flows/crossvalidate.py. There, sample rate and codec alone tell most cries from the rest. So every
recipe is tried twice: on the clips as published, and on a copy in which all end at 4 kHz, at 8 kHz
and in one codec; only the copy says what a model knows of the sounds. `recall` is the mean over
groups of the share of a group's clips that the int8 file gets right, `low` the lower end of its
95 % interval among new groups. Nothing is chosen on a test fold.
"""

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import soundfile

import claim
import folds
from folds import RESULTS, YAMNET, asked_for
from pocketear.base.errors import ClipError
from pocketear.data.decoding.isolated import decode_isolated
from pocketear.evaluation.intervals import share_interval
from project import ROOT

PUBLISHED = ROOT.parent / "shared/data/cry_laugh/clips.csv"
LIMITED = ROOT / ".pocketear/cry_laugh_limited"
SHIPPED = "litert_int8"
_LIMITED_RATE = 8000
RECIPES: dict[str, tuple[str, ...]] = {
    "scratch": (),
    "yamnet_6_small": (*YAMNET, "model.layers=6", "model.width=0.90625"),
}


def limited_copy() -> Path:
    """Every clip at 8 kHz and in Vorbis, as `clips.csv` names it. Some cannot be read."""
    table = pd.read_csv(PUBLISHED)
    made = LIMITED / "clips.csv"
    if made.exists():
        return made
    kept = []
    for row in table.itertuples():
        out = LIMITED / f"{row.Index:04}.ogg"
        out.parent.mkdir(parents=True, exist_ok=True)
        try:
            source = PUBLISHED.parent / str(row.path)
            waveform, _ = decode_isolated(source, 0.0, 0.0, _LIMITED_RATE)
        except ClipError as error:
            print(f"left out: {error}")
            continue
        with soundfile.SoundFile(out, "w", _LIMITED_RATE, channels=1) as file:
            for start in range(0, len(waveform), _LIMITED_RATE):  # Vorbis crashes on long blocks
                file.write(waveform[start : start + _LIMITED_RATE])
        kept.append({"path": out.name, "label": row.label, "group": row.group})
    pd.DataFrame(kept).to_csv(made, index=False)
    return made


def crossvalidate(table: Path, settings: tuple[str, ...]) -> pd.DataFrame:
    """Predictions of the int8 file, one row a clip."""
    folds.crossvalidate(("data.source=csv", f"data.path={table}", *settings), by="group")
    found = pd.read_parquet(RESULTS / "predictions.parquet")
    return found[found["runner"] == SHIPPED]


def figures(predictions: pd.DataFrame) -> dict[str, Any]:
    """By label: recall as the mean over groups, its lower end, groups; and the share of clips."""
    right = predictions.assign(right=predictions["label"] == predictions["predicted"])
    found: dict[str, dict[str, float]] = {"recall": {}, "low": {}, "groups": {}, "clips": {}}
    for label, rows in right.groupby("label"):
        hits, groups = rows["right"].to_numpy(), rows["group"].to_numpy()
        found["recall"][str(label)] = round(float(rows.groupby("group")["right"].mean().mean()), 4)
        found["low"][str(label)] = round(share_interval(hits, groups)[0], 4)
        found["groups"][str(label)] = int(rows["group"].nunique())
        found["clips"][str(label)] = round(float(hits.mean()), 4)
    return {**found, "accuracy": round(float(right["right"].mean()), 4)}


def main() -> None:
    """Run the recipes that are asked for, or all that can be, and publish the figures."""
    named, possible = asked_for(RECIPES, __doc__)
    if not PUBLISHED.is_file():
        sys.exit(f"error: {PUBLISHED}: not found")
    limited = limited_copy()
    recipes: dict[str, Any] = {}
    for name in named or possible:
        copies = {"limited": limited, "published": PUBLISHED}
        recipes[name] = {
            copy: figures(crossvalidate(table, RECIPES[name])) for copy, table in copies.items()
        }
        best = max(recipes, key=lambda one: min(recipes[one]["limited"]["recall"].values()))
        recall = recipes[best]["limited"]["recall"]
        claim.publish(
            "cry_laugh_folds", {"recipes": recipes, "best": best, "limited_recall": recall}
        )


if __name__ == "__main__":
    main()
