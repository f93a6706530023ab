"""esc10_folds: accuracy on ESC-10's own five folds, and of baby_cry against the rest on fold 1.

Both run flows/crossvalidate.py, as a user would; a killed run continues where it stopped. Nothing
is chosen on a test fold: validation is taken from the other four by whole Freesound groups, the
weights are those of the last epoch, and fold 1 had no part in any choice
(docs/decisions/0004-learning.md).
"""

import json
import math
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pandas as pd

import claim
from pocketear.contracts.normalisation import Normalisation
from pocketear.params import load_params
from pocketear.training import network
from project import ESC10, ROOT, need_esc10

RESULTS = ROOT / "reports/crossvalidation"
COPIES = ROOT / ".pocketear/copies"  # of the folds of a run that was aborted
TEN_LABELS = (
    "data.source=esc",
    f"data.path={ESC10}",
    "split.val_share=0.1",
    "augment.mix_share=1",
    "train.epochs=300",
)
BABY_CRY = (*TEN_LABELS, "data.labels=[baby_cry, other]", "data.other=other")


def crossvalidate(folds: int, settings: tuple[str, ...]) -> tuple[dict[str, Any], float | None]:
    """Test on folds 1 to `folds`.

    returns: its summary; minutes a fold, two at once, None where it continued an earlier run
    """
    resumed = COPIES.is_dir() and any(COPIES.iterdir())
    overrides = [word for setting in settings for word in ("--set", setting)]
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "flows/crossvalidate.py", f"--folds={folds}", "--at-once=2", *overrides],
        cwd=ROOT, check=True,
    )  # fmt: skip
    summary = json.loads((RESULTS / "summary.json").read_text(encoding="utf-8"))
    minutes = (time.monotonic() - began) / 60
    return summary, None if resumed else round(minutes / folds, 1)


def recalls() -> dict[str, float]:
    """Of the file that ships, by label, over all clips that were tested."""
    confusion = pd.read_csv(RESULTS / "confusion.csv", index_col=0)
    return {
        str(label): round(float(row[str(label)] / row.sum()), 4)
        for label, row in confusion.iterrows()
    }


def network_size(labels: int) -> dict[str, int]:
    """Weights that are trained, and multiply-adds behind the front-end."""
    params = load_params(ROOT / "params.yaml")
    mels = params.frontend.n_mels
    constants = Normalisation(mean=(1.0,) * mels, scale=(1.0,) * mels)
    names = tuple(f"label_{number}" for number in range(labels))
    whole = network.build(
        params.frontend, params.model, names, constants, params.listener.hop_length
    )
    return {
        "params": sum(math.prod(weight.shape) for weight in whole.trainable_variables),
        "macs_per_window": network.multiply_adds(whole),
    }


def main() -> None:
    """Run what is missing and publish the figures."""
    need_esc10()
    ten, minutes = crossvalidate(5, TEN_LABELS)
    by_label = recalls()
    baby_cry, _ = crossvalidate(1, BABY_CRY)
    by_fold = {file: ten[file]["accuracy_by_fold"] for file in ("keras", "litert_int8")}
    claim.publish(
        "esc10_folds",
        {
            "accuracy_mean": round(statistics.fmean(by_fold["keras"]), 4),
            "accuracy_by_fold": by_fold["keras"],
            "int8_accuracy_by_fold": by_fold["litert_int8"],
            "int8_drop": round(np.subtract(by_fold["keras"], by_fold["litert_int8"]).mean(), 4),
            "int8_recall_by_label": by_label,
            "seeds": [load_params(ROOT / "params.yaml").seed],
            **network_size(labels=10),
            "minutes_per_fold": minutes,
            "baby_cry_fold_1": {
                "accuracy": baby_cry["keras"]["accuracy_mean"],
                "int8_accuracy": baby_cry["litert_int8"]["accuracy_mean"],
                "int8_recall_by_label": recalls(),
            },
        },
    )


if __name__ == "__main__":
    main()
