"""parity: every stage in every runtime, on the real recordings of ESC-10's fold 1 and on probes.

The commands of dvc.yaml up to `parity`, in a project folder of their own in .pocketear/parity. The
model is trained for EPOCHS only, on the other folds: this asks whether the runtimes agree with
librosa and Keras, not whether the model is good.
"""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

import claim
import esc10_folds

FOLDER = claim.RESULTS.parent.parent / ".pocketear" / "parity"
FOLD, EPOCHS, CLIPS = 1, 40, 80  # all clips of the fold
STAGES = ("ingest", "validate", "split", "featurize", "train", "export_litert", "export_coreml",
          "parity")  # fmt: skip
TOLD = ("max_abs", "max_rel", "snr_db", "flips", "absent")


def prepare() -> dict[str, Any]:
    """A fresh project folder. returns: its parameters"""
    shutil.rmtree(FOLDER, ignore_errors=True)
    esc10_folds.write_table(FOLDER.parent / "clips.csv")
    params = esc10_folds.prepare(FOLDER, FOLD)
    params["train"]["epochs"] = EPOCHS
    params["parity"]["clips"] = CLIPS
    (FOLDER / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    return params


def run(params: dict[str, Any]) -> dict[str, Any]:
    """Every stage in turn. returns: reports/parity.json"""
    stages = yaml.safe_load((esc10_folds.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name in STAGES:
        command = stages[name]["cmd"].replace("${data.path}", params["data"]["path"])
        print(f"parity: {command}", flush=True)
        subprocess.run([sys.executable, *shlex.split(command)[1:]], cwd=FOLDER, check=True)
    return json.loads((FOLDER / "reports/parity.json").read_text(encoding="utf-8"))


def main() -> None:
    """Train, export, compare and publish."""
    if not esc10_folds.ESC10.is_dir():
        sys.exit(f"error: {esc10_folds.ESC10}: not found; put a copy of ESC-10 there")
    report = run(prepare())
    entries = {
        f"{entry['runtime']}.{entry['stage']}": {
            **{name: entry[name] for name in TOLD if entry[name] not in (None, "")},
            "worst": Path(entry["worst"]).name,
        }
        for entry in report["entries"]
    }
    claim.publish("parity", {"windows": len(report["windows"]), "epochs": EPOCHS, **entries})


if __name__ == "__main__":
    main()
