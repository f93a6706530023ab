"""fitting: waveforms and labels -> a fitted network.

Augmentation works on waveforms, and its result goes through the model's own front-end; only
the network behind it is fitted, so no gradient is taken through the front-end. Clips come from the
memory-mapped store as they are needed, drawn in one thread beside the training. A batch depends on
seed, epoch and number alone: two runs on one kind of processor give the same bytes.
"""

import math
import sys
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pocketear.base.arrays import FeatureBatch, Scores
from pocketear.base.errors import ParamsError
from pocketear.base.parallel import in_threads
from pocketear.contracts.names import CHUNKS, SCORES
from pocketear.params import TrainParams
from pocketear.training import augment
from pocketear.training.checkpoint import Checkpoint, Reached
from pocketear.training.distribution import Update, updater
from pocketear.training.sides import TrainingSide
from pocketear.training.validation import Validation

_THREADS = 2  # a sum's rounding depends on how many threads share it: the same on every machine
_WARM_UP = 0.05  # share of the updates in which the learning rate rises
_MOMENTUM = 0.9

OnEpoch = Callable[[int, dict[str, float]], None]


def make_repeatable(seed: int) -> None:
    """Seed all that is random, refuse what is not deterministic; before TensorFlow computes."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(_THREADS)
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # a model a fold is traced anew, which it warns of
    start_afresh(seed)


def start_afresh(seed: int) -> None:
    """Seed, and forget earlier models: the next one is as the first of a process."""
    import keras

    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)


class Course(NamedTuple):
    """How a training goes on. checkpoint: where it stands, None where a kill ends it"""

    schedule: TrainParams
    on_epoch: OnEpoch
    checkpoint: Checkpoint | None = None


def fit(whole: Any, train: TrainingSide, val: Validation, course: Course) -> pd.DataFrame:
    """Fit the network of `whole`, a model made by model.build, in place.

    Every label is drawn as often as every other. Where the validation loss has not fallen for
    `patience` epochs, it stops and goes back to the best of them; at the end of the schedule it
    keeps the last weights.
    returns: one row an epoch, as `on_epoch` gets it
    raises: ParamsError if the loss is no longer a number
    """
    params, on_epoch, checkpoint = course
    extractor, network = in_two(whole)
    steps = math.ceil(len(train.clips) / params.batch_size)
    strategy = whole.distribute_strategy  # in whose scope it was built
    with strategy.scope():
        network.compile(
            optimizer=_optimizer(params, steps * params.epochs),
            loss="categorical_crossentropy",
            metrics=["accuracy"],
        )
    update = updater(network, strategy)
    rows, best_epoch, best_weights = Reached([], 0, network.get_weights())
    if checkpoint and (reached := checkpoint.restore(network)):
        rows, best_epoch, best_weights = reached
        _replay(rows, on_epoch)
    ahead, balanced = range(len(rows), params.epochs), replace(train, balanced=True)
    with closing(batches(extractor, balanced, steps, ahead)) as drawn:
        while len(rows) < params.epochs and len(rows) - best_epoch < params.patience:
            epoch, row = len(rows) + 1, _one_epoch(update, islice(drawn, steps))
            row["learning_rate"] = float(network.optimizer.learning_rate)
            row |= val.judge(val.predict(network))
            if not math.isfinite(row["loss"] + row["val_loss"]):
                raise ParamsError(f"the loss broke in epoch {epoch}; lower train.learning_rate")
            best = rows[best_epoch - 1]["val_loss"] if best_epoch else math.inf
            rows.append(row)
            if row["val_loss"] < best:
                best_epoch, best_weights = epoch, network.get_weights()
            if checkpoint:
                checkpoint.save(network, Reached(rows, best_epoch, best_weights))
            on_epoch(epoch, row)
    if len(rows) - best_epoch >= params.patience:
        network.set_weights(best_weights)
    return pd.DataFrame(rows, index=pd.RangeIndex(1, len(rows) + 1, name="epoch"))


def _replay(rows: list[dict[str, float]], on_epoch: OnEpoch) -> None:
    """What an earlier run of the same training reported, for curves that are whole."""
    note = f"goes on after epoch {len(rows)}, where a training of the same was ended"
    print(f"train: {note}", file=sys.stderr, flush=True)
    for epoch, row in enumerate(rows, start=1):
        on_epoch(epoch, row)


def in_two(whole: Any, last: str = SCORES) -> tuple[Any, Any]:
    """Waveform -> normalised features, and the network behind it; both share `whole`'s weights.

    last: the layer that the second ends with
    """
    import keras

    features = whole.get_layer(CHUNKS).output
    return keras.Model(whole.input, features), keras.Model(features, whole.get_layer(last).output)


def _optimizer(params: TrainParams, steps: int) -> Any:
    import keras

    rise = round(steps * _WARM_UP)
    rate = keras.optimizers.schedules.CosineDecay(
        params.learning_rate / 100,
        steps - rise,
        warmup_target=params.learning_rate,
        warmup_steps=rise,
    )
    optimizer = keras.optimizers.SGD(
        rate, momentum=_MOMENTUM, nesterov=True, weight_decay=params.weight_decay
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _one_epoch(update: Update, batches: Iterable[tuple[FeatureBatch, Scores]]) -> dict[str, float]:
    """Update the network. returns: loss and accuracy over the epoch"""
    figures, sizes = [], []
    for features, targets in batches:
        figures.append(update(features, targets))
        sizes.append(len(targets))
    loss, accuracy = np.average(figures, axis=0, weights=sizes)
    return {"loss": float(loss), "accuracy": float(accuracy)}


def batches(
    extractor: Any, train: TrainingSide, steps: int, epochs: range
) -> Generator[tuple[FeatureBatch, Scores]]:
    """Every batch of every epoch, in order, drawn ahead in one thread.

    extractor: the first of `in_two`; steps: batches an epoch; epochs: their numbers, from 0
    """
    clips, seed, length = train.clips, train.seed, extractor.input_shape[1]
    clips_of = lru_cache(maxsize=1)(train.draw)  # once an epoch, not once a batch

    def draw(turn: tuple[int, int]) -> tuple[FeatureBatch, Scores]:
        epoch, step = turn
        order, others = clips_of(epoch)
        drawn = np.array_split(order, steps)[step], others
        rng = np.random.default_rng([seed, epoch, step])
        windows, targets = augment.draw_batch(clips, drawn, train.changes, length, rng)
        return extractor.predict_on_batch(windows), targets

    turns = [(epoch, step) for epoch in epochs for step in range(steps)]
    yield from in_threads(draw, turns, workers=1)


def print_epoch(epochs: int, prefix: str = "") -> OnEpoch:
    """A line on standard error after each epoch. prefix: what it starts with"""
    began = time.monotonic()

    def line(epoch: int, row: dict[str, float]) -> None:
        figures = "  ".join(f"{name} {value:.4f}" for name, value in row.items())
        seconds = time.monotonic() - began
        text = f"{prefix}epoch {epoch}/{epochs}  {figures}  {seconds:.0f} s"
        print(text, file=sys.stderr, flush=True)

    return line
