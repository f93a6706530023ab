"""phone_cost: what a second of listening costs on each phone class, and whether counts repeat.

Every architecture as it ships (int8 behind the float front-end, random weights: counts do not
depend on them), and, for scale, known networks from features to scores, without a front-end: the
DS-CNN of MLPerf Tiny and BC-ResNet-1 (keyword spotting, a second) and YAMNet (0.96 s). The file of
the project's own architecture is counted in RUNS processes per class, alternating between two of
QEMU's cores that have the same kinds of instructions.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from keras import layers, ops

import claim
import front_end as front_end_benchmark
from pocketear.contracts.normalisation import Normalisation
from pocketear.frontend import layer
from pocketear.params import FrontEndParams, load_params
from pocketear.phone.arm64 import costliest
from pocketear.phone.classes import phone_table
from pocketear.phone.count import Counts, count, probe_windows, steady
from pocketear.phone.estimate import estimate
from pocketear.phone.graph import read_graph
from pocketear.phone.harness import Job, count_run
from pocketear.phone.known_networks import YAMNET_WINDOW_S, ds_cnn, yamnet
from pocketear.phone.setup import Tools, prepare
from pocketear.runtimes.litert_export import convert, quantise
from pocketear.training.network import NETWORKS, build, by_chunks

RUNS = 20
HOSTS = {"a53": ("cortex-a53", "cortex-a57"), "a76": ("cortex-a76", "neoverse-n1")}
LABELS = tuple("abcdefghij")  # as many as ESC-10 has
KWS_WINDOW_S = 1.0
PARAMS = load_params()


def architecture(name: str) -> tuple[bytes, FrontEndParams]:
    """One of the product's networks as its int8 .tflite of a chunk, and the chunk's front-end."""
    keras.utils.set_random_seed(PARAMS.seed)
    kind = {"mfcc_cnn": "mfcc"}.get(name, "log_mel")
    p = PARAMS.frontend.model_copy(update={"kind": kind})
    count = layer.n_coefficients(p)
    constants = Normalisation(mean=(0.0,) * count, scale=(1.0,) * count)
    chosen = PARAMS.model.model_copy(update={"architecture": name})
    hop = PARAMS.listener.hop_length
    built = build(p, chosen, LABELS, constants, hop)
    content = quantise(convert(by_chunks(built)), probe_windows(hop))
    return content, p.model_copy(update={"window_length": hop})


def bc_resnet_1() -> bytes:
    """BC-ResNet-1 on 40 log-mels x 101 frames, 12 labels. source: arXiv 2106.04140, table 1."""
    keras.utils.set_random_seed(PARAMS.seed)
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
    same = x.shape[-1] == channels and stride == 1
    wide = x if same else layers.Conv2D(channels, 1, activation="relu")(x)
    # the paper strides frequency alone, which TensorFlow's depthwise convolution cannot
    two = layers.DepthwiseConv2D((3, 1), padding="same")(wide[:, ::stride] if stride > 1 else wide)
    one = ops.mean(two, axis=1, keepdims=True)
    one = layers.DepthwiseConv2D((1, 3), dilation_rate=(1, dilation), padding="same")(one)
    one = layers.Conv2D(channels, 1)(layers.Activation("swish")(one))
    return layers.ReLU()(x + two + one if same else two + one)


def row(tools: Tools, path: Path, seconds: float) -> dict[str, Any]:
    """One file, run once every so many seconds, on every phone class."""
    counted = {name: count(path, name, tools=tools) for name in phone_table().classes}
    rows = {name: class_row(counts, path, name, seconds) for name, counts in counted.items()}
    macs = front_end_benchmark.multiply_adds(path)
    print(path.stem, {name: one["instructions_per_second"] for name, one in rows.items()})
    return {"macs_per_second": round(macs / seconds), "bytes": path.stat().st_size, **rows}


def class_row(counts: Counts, path: Path, name: str, seconds: float) -> dict[str, Any]:
    """`row` for one class."""
    guess = estimate(counts, path.stat().st_size, name)
    milliseconds = {"estimate": guess.milliseconds, "low": guess.low, "high": guess.high}
    return {
        "instructions_per_second": round(counts.instructions / seconds),
        "front_end_instructions_per_second": round(counts.front_end_instructions / seconds),
        "instructions_per_quiet_second": round(counts.quiet / seconds),
        **{f"{what}_ms_per_second": round(ms / seconds, 3) for what, ms in milliseconds.items()},
        "leave_one_out_error": round(guess.leave_one_out_error, 4),
        "peak_bytes": counts.peak_bytes,
        "costliest_op": costliest(counts),
    }


def architectures(tools: Tools, folder: Path) -> dict[str, Any]:
    """The product's own networks, with what listening costs and the front-end's multiply-adds."""
    rows = {}
    for name in NETWORKS:
        content, p = architecture(name)
        path = folder / f"{name}.tflite"
        path.write_bytes(content)
        seconds = p.window_length / p.sample_rate
        bare = front_end_benchmark.export(front_end_benchmark.layer(p), p, folder, "front_end")
        rows[name] = {
            "front_end_macs_per_second": round(front_end_benchmark.multiply_adds(bare) / seconds),
            **row(tools, path, seconds),
        }
    return rows


def known(tools: Tools, folder: Path) -> dict[str, Any]:
    """Published networks, for scale."""
    networks = {
        "ds_cnn": (ds_cnn(), KWS_WINDOW_S),
        "bc_resnet_1": (bc_resnet_1(), KWS_WINDOW_S),
        "yamnet": (yamnet(), YAMNET_WINDOW_S),
    }
    rows = {}
    for name, (content, seconds) in networks.items():
        path = folder / f"{name}.tflite"
        path.write_bytes(content)
        rows[name] = row(tools, path, seconds)
    return rows


def totals(tools: Tools, path: Path, core: str) -> list[int]:
    """Instructions of an inference in each of RUNS processes."""
    windows = probe_windows(read_graph(path).length)
    jobs = [Job(path, windows, core, cpu=HOSTS[core][run % 2]) for run in range(RUNS)]
    return [sum(steady(path, count_run(tools, job))) for job in jobs]


def main() -> None:
    """Count everything and publish."""
    tools = prepare()
    with tempfile.TemporaryDirectory() as folder:
        ours = architectures(tools, Path(folder))
        own = PARAMS.model.architecture
        repeated = {core: totals(tools, Path(folder) / f"{own}.tflite", core) for core in HOSTS}
        others = known(tools, Path(folder))
    counted = ("instructions_per_second", "front_end_instructions_per_second")
    claim.publish(
        "phone_cost",
        {
            "architecture": own,
            **{name: {core: ours[own][core][name] for core in HOSTS} for name in counted},
            "front_end_macs_per_second": ours[own]["front_end_macs_per_second"],
            "identical_runs": all(len(set(found)) == 1 for found in repeated.values()),
            "runs_a_core": RUNS,
            "emulated_cores": HOSTS,
            "instructions_per_inference": {c: sorted(set(found)) for c, found in repeated.items()},
            "tools": tools.versions,
            "architectures": ours,
            "known_networks": others,
        },
    )


if __name__ == "__main__":
    main()
