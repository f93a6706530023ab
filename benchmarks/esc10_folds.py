"""esc10_folds: accuracy on ESC-10's own five folds, by the commands of dvc.yaml, a fold at a time.

Each fold has a project folder of its own in .pocketear/esc10_folds; one that is done is kept, so an
interrupted run goes on where it stopped. Nothing is chosen on a test fold: validation is cut from
the other four by whole Freesound groups, and the settings below were found on folds 3 and 4 with
fold 1 left out altogether (docs/decisions/0004-learning.md).
"""

import csv
import json
import math
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

import claim

ROOT = Path(__file__).parent.parent
ESC10 = ROOT.parent / "shared" / "data" / "esc10"
WORK = ROOT / ".pocketear" / "esc10_folds"
FOLDS = (1, 2, 3, 4, 5)
LAST = "evaluate"
CHANGES: dict[str, dict[str, Any]] = {
    "data": {"source": "csv", "path": "../clips.csv"},
    "split": {"by": "fold"},
    "train": {"epochs": 300},
    "listener": {"background": []},
}


def write_table(table: Path) -> None:
    """The recordings as a table of our own: path, label, group (the Freesound id), fold."""
    rows = list(csv.DictReader((ESC10 / "clips.csv").open(encoding="utf-8")))
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "group", "fold"])
        for row in rows:
            path = os.path.relpath(ESC10 / row["file"], table.parent)
            writer.writerow([path, row["label"], row["freesound_id"], row["fold"]])


def prepare(folder: Path, fold: int) -> dict[str, Any]:
    """A project folder for a fold. returns: its parameters"""
    params: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, values in CHANGES.items():
        params[section] |= values
    params["split"]["test_fold"] = fold
    folder.mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return params


def run_fold(fold: int) -> dict[str, Any]:
    """Figures of one fold, made now or kept from before."""
    folder = WORK / f"fold_{fold}"
    result = folder / "result.json"
    if result.is_file():
        return json.loads(result.read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    params = prepare(folder, fold)
    began = time.monotonic()
    for command in commands(params):
        print(f"fold {fold}: {command}", flush=True)
        subprocess.run([sys.executable, *shlex.split(command)[1:]], cwd=folder, check=True)
    minutes = (time.monotonic() - began) / 60
    figures = measure(folder) | {"seed": params["seed"], "minutes": minutes}
    result.write_text(json.dumps(figures), encoding="utf-8")
    return figures


def commands(params: dict[str, Any]) -> list[str]:
    """The commands of dvc.yaml, as far as the metrics."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    names = list(stages)
    wanted = names[: names.index(LAST) + 1]
    return [stages[n]["cmd"].replace("${data.path}", params["data"]["path"]) for n in wanted]


def measure(folder: Path) -> dict[str, Any]:
    """What the stages left behind."""
    from pocketear import model
    from pocketear.runner import load_keras

    metrics = json.loads((folder / "reports/metrics.json").read_text(encoding="utf-8"))
    whole = load_keras(folder / "models/keras/model.keras")
    return {
        "accuracy": metrics["keras"]["accuracy"],
        "int8_accuracy": metrics["litert_int8"]["accuracy"],
        "params": sum(math.prod(weight.shape) for weight in whole.trainable_variables),
        "macs_per_window": model.multiply_adds(whole),
    }


def main() -> None:
    """Run what is missing of the five folds and publish the figures."""
    if not ESC10.is_dir():
        sys.exit(f"error: {ESC10}: not found; put a copy of ESC-10 with its clips.csv there")
    write_table(WORK / "clips.csv")
    folds = {fold: run_fold(fold) for fold in FOLDS}
    accuracy = {str(fold): figures["accuracy"] for fold, figures in folds.items()}
    drops = [figures["accuracy"] - figures["int8_accuracy"] for figures in folds.values()]
    claim.publish(
        "esc10_folds",
        {
            "accuracy_mean": round(statistics.mean(accuracy.values()), 4),
            "accuracy_by_fold": accuracy,
            "seeds": sorted({figures["seed"] for figures in folds.values()}),
            "params": folds[1]["params"],
            "macs_per_window": folds[1]["macs_per_window"],
            "int8_drop": round(statistics.mean(drops), 4),
            "minutes_per_fold": round(statistics.mean(f["minutes"] for f in folds.values()), 1),
        },
    )


if __name__ == "__main__":
    main()
