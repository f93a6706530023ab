"""A batch shared between two devices updates a network as one device would."""

import subprocess
import sys

import pytest

from places import ROOT

UPDATES = """
import keras, numpy as np, tensorflow as tf
from two_devices import split_processor
from pocketear.base.errors import ParamsError
from pocketear.training.distribution import open_strategy, updater

split_processor()
tf.config.experimental.enable_op_determinism()

def updated(name, size):
    keras.utils.set_random_seed(0)
    strategy = open_strategy(name)
    with strategy.scope():
        image = keras.Input((12, 12, 1))
        x = keras.layers.Conv2D(8, 3, use_bias=False)(image)
        x = keras.layers.BatchNormalization(synchronized=name != "one_device")(x)
        x = keras.layers.GlobalAveragePooling2D()(keras.layers.ReLU()(x))
        x = keras.layers.Softmax()(keras.layers.Dense(3)(x))
    network = keras.Model(image, x)
    with strategy.scope():
        network.compile(
            optimizer=keras.optimizers.SGD(0.1, 0.9, nesterov=True, weight_decay=1e-3),
            loss="categorical_crossentropy", metrics=["accuracy"],
        )
    update, rng = updater(network, strategy), np.random.default_rng(0)
    losses = []
    for _ in range(8):
        images = rng.normal(size=(size, 12, 12, 1)).astype("f4")
        losses.append(update(images, rng.dirichlet([1, 1, 1], size).astype("f4")))
    return np.concatenate([np.ravel(losses), *(w.ravel() for w in network.get_weights())])

for size in (16, 15, 2):
    one, two = updated("one_device", size), updated("mirrored", size)
    print(np.abs(one - two).max())
try:
    updated("mirrored", 1)
except ParamsError as error:
    print(error)
"""


@pytest.mark.slow
def test_the_losses_and_weights_are_those_of_one_device() -> None:
    """Also where the shares are unequal. A loss scaled otherwise or a batch seen twice: 1e-2.

    And a batch of fewer windows than devices is refused.
    """
    done = subprocess.run(
        [sys.executable, "-c", UPDATES],
        cwd=ROOT / "tests/helpers",
        capture_output=True,
        text=True,
        check=True,
    )
    *differences, refused = done.stdout.splitlines()
    assert len(differences) == 3
    assert max(map(float, differences)) < 2e-5
    assert refused.startswith("a batch of 1 windows cannot be shared among 2 devices; raise")
