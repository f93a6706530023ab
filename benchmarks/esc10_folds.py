"""esc10_folds: accuracy on ESC-10's own five folds, by recipe, and what listening costs.

    python benchmarks/esc10_folds.py                        every recipe whose figures are missing
    python benchmarks/esc10_folds.py scratch yamnet_6       these, again
    python benchmarks/esc10_folds.py --backbone=FILE …      YAMNet's .tflite, for recipes that start
                                                            from it; else they are left out

Folds run through flows/crossvalidate.py, as a user's would; a killed run continues where it
stopped. No run chooses anything on its test fold: validation is taken from the other four by whole
Freesound groups, and by it the last layer's penalty; recipes from scratch keep the weights of the
last epoch. Which recipes there are was looked at on these folds (decision 18).
A recipe's figures are added to the results as it ends, with the commit that made them.
"""

import json
import math
import statistics
import time
from typing import Any

import pandas as pd
import yaml

import claim
import folds
from folds import FOLDS, RESULTS, YAMNET, asked_for
from pocketear.contracts.normalisation import Normalisation
from pocketear.params import Params
from pocketear.phone.classes import phone_table
from pocketear.phone.listening_second import instructions_a_second
from pocketear.phone.setup import prepare
from pocketear.training import network
from project import ESC10, ROOT, need_esc10

COPIES = ROOT / ".pocketear/copies"  # of the folds of a run that was aborted
_DATA = ("data.source=esc", f"data.path={ESC10}", "split.by=fold", "split.val_share=0.1")
_YAMNET = (*_DATA, *YAMNET)
_SCENES = ("frontend.window_length=80000", "listener.hop_length=16000")  # 5 s, a chunk a second
RECIPES: dict[str, tuple[str, ...]] = {
    "scratch": (*_DATA, "augment.mix_share=1", "train.epochs=300"),
    "yamnet_4": (*_YAMNET, "model.layers=4", *_SCENES),
    "yamnet_5": (*_YAMNET, "model.layers=5", *_SCENES),
    "yamnet_6": (*_YAMNET, "model.layers=6", *_SCENES),
    # the largest below 131,000 weights and 6 million instructions of a listening second on an A53:
    # at a hop of 20.5 ms a chunk has 48 frames, which strides halve without a remainder
    "yamnet_6_small": (
        *_YAMNET, "model.layers=6", "model.width=0.90625", "frontend.hop_length=328", *_SCENES,
    ),
    "yamnet_6_short_windows": (*_YAMNET, "model.layers=6"),  # 1.5 s, a chunk each half second
    "yamnet_8": (*_YAMNET, "model.layers=8", *_SCENES),
    "yamnet_14": (*_YAMNET, "model.layers=14", *_SCENES),  # all of it
}  # fmt: skip
_LABELS = 10


def crossvalidate(settings: tuple[str, ...]) -> tuple[dict[str, Any], float | None]:
    """Test on every fold.

    returns: its summary; minutes a fold, two at once, None where it continued an earlier run
    """
    resumed = COPIES.is_dir() and any(COPIES.iterdir())
    began = time.monotonic()
    folds.crossvalidate(settings, by="fold")
    summary = json.loads((RESULTS / "summary.json").read_text(encoding="utf-8"))
    minutes = (time.monotonic() - began) / 60
    return summary, None if resumed else round(minutes / FOLDS, 1)


def recalls() -> dict[str, float]:
    """Of the file that ships, by label, over all clips that were tested."""
    confusion = pd.read_csv(RESULTS / "confusion.csv", index_col=0)
    return {
        str(label): round(float(row[str(label)] / row.sum()), 4)
        for label, row in confusion.iterrows()
    }


def params_of(settings: tuple[str, ...]) -> Params:
    """params.yaml with the settings of a recipe."""
    given = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for setting in settings:
        name, _, value = setting.partition("=")
        section, _, key = name.partition(".")
        given[section][key] = yaml.safe_load(value)
    return Params.model_validate(given)


def cost(params: Params) -> dict[str, Any]:
    """Size, multiply-adds, and int8 instructions of a second of listening."""
    hop, mels = params.listener.hop_length, params.frontend.n_mels
    constants = Normalisation(mean=(1.0,) * mels, scale=(1.0,) * mels)
    labels = tuple(f"label_{number}" for number in range(_LABELS))
    whole = network.build(params.frontend, params.model, labels, constants, hop)
    return {
        "params": sum(math.prod(weight.shape) for weight in whole.trainable_variables),
        "macs_per_second": round(network.multiply_adds(whole) * params.frontend.sample_rate / hop),
        "listening_instructions": instructions_a_second(
            params, labels, phone_table().classes, prepare()
        ),
    }


def measure(settings: tuple[str, ...]) -> dict[str, Any]:
    """The figures of one recipe."""
    found, minutes = crossvalidate(settings)
    by_fold = {file: found[file]["accuracy_by_fold"] for file in ("keras", "litert_int8")}
    params = params_of(settings)
    return {
        "int8_accuracy_mean": round(statistics.fmean(by_fold["litert_int8"]), 4),
        "int8_accuracy_by_fold": by_fold["litert_int8"],
        "accuracy_mean": round(statistics.fmean(by_fold["keras"]), 4),
        "accuracy_by_fold": by_fold["keras"],
        "int8_recall_by_label": recalls(),
        "seeds": [params.seed],
        **cost(params),
        "minutes_per_fold": minutes,
        "settings": [one for one in settings if not one.startswith("data.path=")],
        "commit": claim.commit(),
    }


def known() -> dict[str, Any]:
    """The recipes that have figures."""
    path = claim.RESULTS / "esc10_folds.json"
    recipes: dict[str, Any] = {}
    if path.exists():
        recipes = json.loads(path.read_text(encoding="utf-8"))["figures"].get("recipes", {})
    return {name: figures for name, figures in recipes.items() if name in RECIPES}


def main() -> None:
    """Run what is missing, or what is asked for, and publish the figures."""
    named, possible = asked_for(RECIPES, __doc__)
    need_esc10()
    recipes = known()
    for name in named or [one for one in possible if one not in recipes]:
        recipes[name] = measure(RECIPES[name])
        best = max(recipes, key=lambda one: recipes[one]["int8_accuracy_mean"])
        claim.publish("esc10_folds", {"recipes": recipes, "best": best})


if __name__ == "__main__":
    main()
