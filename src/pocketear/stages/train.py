"""train: waveforms and labels -> the Keras model, its labels, and how training went."""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from pocketear.base import process
from pocketear.base.files import remove_older, replacing
from pocketear.base.fingerprint import code_hash
from pocketear.base.home import home
from pocketear.data.clips import known_labels, write_labels
from pocketear.data.store import open_store
from pocketear.experiments import runs
from pocketear.params import ModelParams, TrainParams, load_params
from pocketear.training.backbone import read_backbone
from pocketear.training.checkpoint import Checkpoint
from pocketear.training.distribution import is_chief, open_strategy
from pocketear.training.fitting import Course, make_repeatable, print_epoch
from pocketear.training.network import build, multiply_adds, save
from pocketear.training.recipe import epochs, learn, recipe_key
from pocketear.training.sides import TrainingSide, side_of

_KEPT = Path(".pocketear/training")  # below home()
_DAYS = 14


def write_model(whole: Any, labels: tuple[str, ...], model: ModelParams, folder: Path) -> None:
    """Write model.keras, labels.txt and the hashes of what made them to a new folder."""
    folder.mkdir()
    save(whole, folder / "model.keras")
    write_labels(labels, folder / "labels.txt")
    (folder / "code.sha256").write_text(code_hash("stages/train.py") + "\n")
    if model.pretrained:
        found = read_backbone(Path(model.start))
        (folder / "backbone.sha256").write_text(found.sha256 + "\n")


def kept(key: str, schedule: TrainParams) -> Checkpoint | None:
    """Where this training stands, if it was killed before.

    Workers of several machines would have to stop at one epoch: they begin anew.
    """
    if schedule.strategy == "multi_worker":
        return None
    folder = home() / _KEPT
    remove_older(folder, _DAYS)
    return Checkpoint(folder / f"{key}.npz")


def write_report(history: pd.DataFrame, folder: Path) -> None:
    """Write history.csv to a new folder."""
    folder.mkdir()
    history.round(6).to_csv(folder / "history.csv")


def summary(whole: Any, history: pd.DataFrame) -> str:
    """What was made, in a line."""
    weights = sum(math.prod(weight.shape) for weight in whole.trainable_variables)
    millions = multiply_adds(whole) / 1e6
    size = f"{weights} parameters, {millions:.1f} million multiply-adds a chunk"
    return f"{len(history)} epochs; {size}"


def main(features: Path, out: Path, report: Path) -> None:
    """Fit the network to the training side; stop by validation; never look at the test side."""
    params = load_params()
    make_repeatable(params.seed)
    strategy = open_strategy(params.train.strategy)
    store = open_store(features)
    labels, sides = known_labels(store.index, params.data.labels), store.index["split"]
    train = TrainingSide(side_of(store, sides, "train", labels), params.augment, params.seed)
    val = side_of(store, sides, "val", labels)
    with strategy.scope():
        whole = build(
            params.frontend, params.model, labels, store.normalisation, params.listener.hop_length
        )
    print_line = print_epoch(epochs(params.model, params.train))
    if not is_chief(strategy):
        learn(whole, train, val, params.model, Course(params.train, print_line))
        print("train: done; the first worker of TF_CONFIG writes the model")
        return
    checkpoint = kept(recipe_key(store, sides, params, "stages/train.py"), params.train)
    with runs.training_run(params, features) as run:

        def on_epoch(epoch: int, row: dict[str, float]) -> None:
            print_line(epoch, row)
            run.on_epoch(epoch, row)

        course = Course(params.train, on_epoch, checkpoint)
        history = learn(whole, train, val, params.model, course)
        with replacing(out) as fresh:
            write_model(whole, labels, params.model, fresh)
        with replacing(report) as fresh:
            write_report(history, fresh)
        run.log_model(out / "model.keras")
        if params.model.pretrained:
            run.log_backbone((out / "backbone.sha256").read_text().strip())
        run.log_artifacts(report, "training")
    if checkpoint:
        checkpoint.discard()
    print(f"train: {summary(whole, history)}")


if __name__ == "__main__":
    process.run(main)
