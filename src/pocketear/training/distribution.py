"""distribution: one update of a network by one batch, on one device or shared among several.

Keras's train_on_batch would give every device the whole batch, and scales the loss as if all shares
were equal. Here each device has its share, and its losses count by the size of the whole batch: the
sum of the devices' gradients is the gradient of one device, up to rounding.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from pocketear.base.arrays import FeatureBatch, Scores
from pocketear.base.errors import ClusterError, ParamsError

Update = Callable[[FeatureBatch, Scores], list[float]]  # -> [loss, accuracy] of the batch


def open_strategy(name: str) -> Any:
    """The tf.distribute.Strategy in whose scope variables are made; before TensorFlow computes.

    name: train.strategy; multi_worker waits until every worker of TF_CONFIG is there
    raises: ParamsError if there is but one device to share among, or TF_CONFIG names no workers
    """
    if name == "one_device":
        return tf.distribute.get_strategy()
    if name == "multi_worker":
        _announce_workers()
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise ParamsError(
            f"train.strategy is mirrored, but TensorFlow sees one device here ({devices[0].name}); "
            "set it to one_device"
        )
    return tf.distribute.MirroredStrategy([device.name for device in devices])


def devices() -> int:
    """How many devices share a batch, of the strategy in whose scope this is called."""
    return int(tf.distribute.get_strategy().num_replicas_in_sync)


def is_chief(strategy: Any) -> bool:
    """Whether this process is the one that writes and reports."""
    resolver = strategy.cluster_resolver
    return resolver is None or resolver.task_id == 0


def _announce_workers() -> None:
    config = os.environ.get("TF_CONFIG", "")
    try:
        parsed = json.loads(config)
        workers, task = parsed["cluster"]["worker"], parsed["task"]
        if len(workers) < 2 or task["type"] != "worker" or task["index"] not in range(len(workers)):
            raise ValueError(config)
    except (ValueError, KeyError, TypeError) as error:
        raise ParamsError(
            "train.strategy is multi_worker, but TF_CONFIG does not name two workers or more, "
            f"and which of them this is; found {config or 'nothing'!r}; "
            "docs/more-than-one-machine.md has one"
        ) from error
    line = f"worker {task['index']} of {', '.join(workers)}: waits until all are there"
    print(f"train: {line}", file=sys.stderr, flush=True)


def updater(network: Any, strategy: Any) -> Update:
    """How a compiled network, made in the scope of `strategy`, is updated.

    Where a batch has fewer windows than there are devices, the update raises ParamsError; where a
    worker is gone, ClusterError.
    """
    if strategy.num_replicas_in_sync == 1:
        update: Update = network.train_on_batch
        return update
    with strategy.scope():
        network.optimizer.build(network.trainable_variables)
    return _shared(network, strategy)


def _shared(network: Any, strategy: Any) -> Update:
    """Every process draws the whole batch, the same everywhere; each device takes its share of it.

    One signature, so one graph: a second one, made by some processes only, where their share has
    another length, would number its exchanges otherwise than theirs.
    """
    weights, devices = network.trainable_variables, strategy.num_replicas_in_sync
    signature = [
        tf.TensorSpec((None, *tensor.shape[1:]), tf.float32)
        for tensor in (network.input, network.output)
    ]

    def on_one(features: Any, targets: Any) -> Any:
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        count = tf.shape(targets)[0]
        share = slice(number * count // devices, (number + 1) * count // devices)
        features, targets = features[share], targets[share]
        whole = tf.cast(count, tf.float32)
        with tf.GradientTape() as tape:
            scores = network(features, training=True)
            losses = keras.losses.categorical_crossentropy(targets, scores)
            loss = tf.reduce_sum(losses) / whole
        network.optimizer.apply(tape.gradient(loss, weights), weights)  # which sums over devices
        right = keras.metrics.categorical_accuracy(targets, scores)
        return tf.stack([loss, tf.reduce_sum(right) / whole])

    @tf.function(input_signature=signature)
    def on_all(features: Any, targets: Any) -> Any:
        return strategy.reduce("SUM", strategy.run(on_one, (features, targets)), axis=None)

    def update(features: FeatureBatch, targets: Scores) -> list[float]:
        if len(targets) < devices:
            raise ParamsError(
                f"a batch of {len(targets)} windows cannot be shared among {devices} devices; "
                "raise train.batch_size, or set train.strategy to one_device"
            )
        try:
            figures = on_all(features, targets)
        except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
            raise ClusterError(
                "a worker of TF_CONFIG is gone, and with it this training; start it on all again"
            ) from error
        return [float(value) for value in figures]

    return update
