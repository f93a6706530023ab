"""phone_cost: instructions of known audio networks, and that they are the same every time.

Three shapes with seeded random weights, for scale: the DS-CNN of MLPerf Tiny and BC-ResNet-1
(keyword spotting, no front-end) and one of YAMNet's size (a MobileNet v1 on 96 x 64 log-mels).
Each is counted on every phone class. The DS-CNN is counted in 20 processes of its own on two
emulated cores; on one core all 20 must agree to the instruction, between cores they differ by
design, because XNNPACK has kernels for each.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import claim
from pocketear.phone.arm64 import costliest
from pocketear.phone.classes import phone_table
from pocketear.phone.count import Counts, count, probe_windows, steady
from pocketear.phone.estimate import estimate
from pocketear.phone.graph import read_graph
from pocketear.phone.harness import Job, count_run
from pocketear.phone.reference import Layer, convolutional, ds_cnn, separable
from pocketear.phone.setup import Tools, prepare

RUNS, CORES = 20, ("a53", "a76")
# source: github.com/tensorflow/models, research/audioset/yamnet/yamnet.py, _YAMNET_LAYER_DEFS
YAMNET = (
    Layer("conv", (3, 3), (2, 2), 32),
    *separable(64), *separable(128, 2), *separable(128), *separable(256, 2), *separable(256),
    *separable(512, 2), *(layer for _ in range(5) for layer in separable(512)),
    *separable(1024, 2), *separable(1024),
)  # fmt: skip
YAMNET_LABELS = 521


def bc_resnet_1() -> bytes:
    """BC-ResNet-1 on 40 log-mels x 101 frames, 12 labels. source: arXiv 2106.04140, table 1."""
    import keras
    import tensorflow as tf
    from keras import layers

    keras.utils.set_random_seed(2718)
    features = keras.Input((40, 101, 1), batch_size=1)
    x = layers.Conv2D(16, 5, strides=(2, 1), padding="same", activation="relu")(features)
    stages = ((8, 1, 1, 2), (12, 2, 2, 2), (16, 2, 4, 4), (20, 1, 8, 4))
    for channels, stride, dilation, blocks in stages:
        for number in range(blocks):
            x = broadcast_block(x, channels, stride if number == 0 else 1, dilation)
    x = layers.DepthwiseConv2D(5, padding="valid")(x)
    x = layers.Conv2D(32, 1, activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    network = keras.Model(features, layers.Dense(12, activation="softmax")(x))
    return bytes(tf.lite.TFLiteConverter.from_keras_model(network).convert())


def broadcast_block(x: Any, channels: int, stride: int, dilation: int) -> Any:
    """One block: 2-D features, their mean over frequency, and the temporal part broadcast back."""
    from keras import layers, ops

    same = x.shape[-1] == channels and stride == 1
    wide = x if same else layers.Conv2D(channels, 1, activation="relu")(x)
    two = layers.DepthwiseConv2D((3, 1), strides=(stride, stride), padding="same")(wide)
    if stride > 1:  # the paper strides frequency only
        two = layers.DepthwiseConv2D((3, 1), padding="same")(
            layers.AveragePooling2D((stride, 1))(wide)
        )
    one = ops.mean(two, axis=1, keepdims=True)
    one = layers.DepthwiseConv2D((1, 3), dilation_rate=(1, dilation), padding="same")(one)
    one = layers.Conv2D(channels, 1, activation="relu")(one)
    return layers.ReLU()(x + two + one if same else two + one)


def write_networks(folder: Path) -> dict[str, Path]:
    """Name -> its .tflite."""
    contents = {
        "ds_cnn": ds_cnn(),
        "bc_resnet_1": bc_resnet_1(),
        "yamnet_sized": convolutional((96, 64, 1), YAMNET, YAMNET_LABELS),
    }
    paths = {name: folder / f"{name}.tflite" for name in contents}
    for name, content in contents.items():
        paths[name].write_bytes(content)
    return paths


def totals(tools: Tools, model: Path, core: str) -> list[int]:
    """Instructions in each of RUNS processes."""
    windows = probe_windows(read_graph(model).window_length)
    job = Job(model, windows, core)
    return [sum(steady(model, count_run(tools, job))) for _ in range(RUNS)]


def row(counts: Counts, model: Path, name: str) -> dict[str, Any]:
    """What is told of one network on one phone class."""
    guess = estimate(counts, model.stat().st_size, name)
    return {
        "instructions": counts.instructions,
        "by_kind": counts.by_kind,
        "costliest_op": costliest(counts),
        "estimate_ms": round(guess.milliseconds, 3),
        "estimate_low": round(guess.low, 3),
        "estimate_high": round(guess.high, 3),
        "leave_one_out_error": round(guess.leave_one_out_error, 4),
        "peak_bytes": counts.peak_bytes,
    }


def main() -> None:
    """Count everything and publish."""
    tools = prepare()
    with tempfile.TemporaryDirectory() as folder:
        paths = write_networks(Path(folder))
        repeated = {core: totals(tools, paths["ds_cnn"], core) for core in CORES}
        networks = {
            network: {
                name: row(count(path, name, tools=tools), path, name)
                for name in phone_table().classes
            }
            for network, path in paths.items()
        }
    figures = {
        "identical_runs": {core: len(set(found)) == 1 for core, found in repeated.items()},
        "runs": RUNS,
        "instructions_by_core": {core: sorted(set(found)) for core, found in repeated.items()},
        "tools": tools.versions,
        "networks": networks,
    }
    claim.publish("phone_cost", figures)


if __name__ == "__main__":
    main()
