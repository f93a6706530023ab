"""front_end: what the front-end costs: step by step, by its parameters, and against other methods.

Instructions are counted on emulated arm64 cores (docs/phones.md), multiply-adds are read from the
graph, both per second of audio. Times are this machine's, one thread, as ratios within one run.
"""

import functools
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from keras import ops

import claim
from pocketear.frontend import librosa_features
from pocketear.frontend.layer import FrontEnd, n_frames
from pocketear.params import FrontEndParams, load_params
from pocketear.phone.count import count
from pocketear.phone.setup import prepare
from pocketear.runtimes.litert_export import convert

CLASSES = ("a76", "a53")
REPEATS = 60
_ROWS = 80  # samples in a row of the convolution that reads whole rows; divides hop and window
PROJECT = load_params().frontend
STEPS = PROJECT.model_copy(update={"hop_length": 160})  # 100 frames per second, as is common


def plain_dft(p: FrontEndParams) -> tuple[np.ndarray, np.ndarray]:
    """Windowed cosines and sines (win_length, 2 * bin), and the mel matrix (bin, mel)."""
    window = librosa_features.hann(p.win_length, p.n_fft)[1]
    turns = np.outer(np.arange(len(window)), np.arange(p.n_fft // 2 + 1)) / p.n_fft
    both = np.hstack([np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)]) * window[:, None]
    return np.pad(both, ((0, p.win_length - len(window)), (0, 0))), librosa_features.mel_matrix(p)


def convolved(waveform: Any, p: FrontEndParams, row: int) -> Any:
    """The front-end as one strided convolution over rows of `row` samples, dense mels."""
    kernel, mel = plain_dft(p)
    kernel = kernel.reshape(p.win_length // row, row, -1).astype(np.float32)
    begin = librosa_features.hann(p.win_length, p.n_fft)[0]
    used = (n_frames(p) - 1) * p.hop_length + p.win_length
    rows = ops.reshape(waveform[:, begin : begin + used], (-1, used // row, row))
    spectrum = ops.conv(rows, ops.convert_to_tensor(kernel), strides=p.hop_length // row)
    real, imaginary = ops.split(spectrum, 2, axis=-1)
    mels = ops.matmul(real * real + imaginary * imaginary, mel.astype(np.float32))
    return ops.log(ops.maximum(mels, p.floor)) * (10 / math.log(10))


def layer(p: FrontEndParams) -> Callable[[Any], Any]:
    """What ships."""
    return FrontEnd(p, name="front_end")


def mirrored_only(p: FrontEndParams) -> Callable[[Any], Any]:
    """What ships, without the second factor: half a frame, bins in band, mels in bands."""
    with mock.patch("pocketear.frontend.layer.choose_residues", lambda *_: 1):
        return layer(p)


def export(graph: Callable[[Any], Any], p: FrontEndParams, folder: Path, name: str) -> Path:
    """Write one .tflite, exactly as the product exports a model."""
    waveform = keras.Input((p.window_length,), name="waveform")
    path = folder / f"{name}.tflite"
    path.write_bytes(convert(keras.Model(waveform, Graph(graph, name="front_end")(waveform))))
    return path


class Graph(keras.layers.Layer):
    """A function as a layer."""

    def __init__(self, graph: Callable[[Any], Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.graph = graph

    def call(self, waveform: Any) -> Any:
        """Apply the function."""
        return self.graph(waveform)


def multiply_adds(path: Path) -> int:
    """Of all matmuls and convolutions of one window."""
    interpreter = Interpreter(str(path))
    shapes = {t["index"]: t["shape"] for t in interpreter.get_tensor_details()}
    total = 0
    for op in interpreter._get_ops_details():
        inputs, output = op["inputs"], op["outputs"][0]
        if op["op_name"] == "CONV_2D":  # weights (out, height, width, in)
            total += int(np.prod(shapes[output])) * int(np.prod(shapes[inputs[1]][1:]))
        elif op["op_name"] == "DEPTHWISE_CONV_2D":  # weights (1, height, width, channel)
            total += int(np.prod(shapes[output])) * int(np.prod(shapes[inputs[1]][1:3]))
        elif op["op_name"] in ("FULLY_CONNECTED", "BATCH_MATMUL"):
            total += int(np.prod(shapes[output])) * int(shapes[inputs[0]][-1])
    return total


def cost(graph: Callable[[Any], Any], p: FrontEndParams) -> dict[str, float]:
    """Millions per second of audio."""
    million = p.window_length / p.sample_rate * 1e6
    with tempfile.TemporaryDirectory() as folder:
        path = export(graph, p, Path(folder), "front_end")
        counted = {c: count(path, c, tools=prepare()).instructions / million for c in CLASSES}
        macs = multiply_adds(path) / million
    row = {"macs": macs, **counted}
    print({name: round(value, 2) for name, value in row.items()}, flush=True)
    return {name: round(value, 3) for name, value in row.items()}


def steps() -> dict[str, dict[str, float]]:
    """Each step of decision 2, at 100 frames per second."""
    p = STEPS
    return {
        "convolution, one-sample taps": cost(lambda x: convolved(x, p, 1), p),
        "convolution, rows of 80": cost(lambda x: convolved(x, p, _ROWS), p),
        "mirrored, bins and mels in bands": cost(mirrored_only(p), p),
        "two matmuls (ships)": cost(layer(p), p),
    }


def by_params() -> dict[str, dict[str, float]]:
    """What ships, by n_fft, win_length, hop_length and n_mels."""
    rows = {}
    for n_fft, win_length in ((512, 400), (512, 512), (640, 640), (1024, 1024)):
        for hop_length in (160, 320):
            for n_mels in (64, 40):
                values = dict(
                    n_fft=n_fft, win_length=win_length, hop_length=hop_length, n_mels=n_mels
                )
                p = PROJECT.model_copy(update=values)
                name = f"n_fft {n_fft}, win {win_length}, hop {hop_length}, {n_mels} mels"
                rows[name] = cost(layer(p), p)
    return rows


def timed(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def host_ratios() -> dict[str, float]:
    """Time of one window on this machine, one thread, as a share of librosa's."""
    p = PROJECT
    window = np.random.default_rng(2718).uniform(-1, 1, p.window_length).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        graphs: dict[str, Callable[[Any], Any]] = {
            "front-end": layer(p),
            "convolution": lambda x: convolved(x, p, _ROWS),
            "tf.signal.stft": functools.partial(stft, p=p),
        }
        runs: dict[str, Callable[[], object]] = {
            name: litert(export(graph, p, Path(folder), str(i)), window)
            for i, (name, graph) in enumerate(graphs.items())
        }
        runs["librosa"] = lambda: librosa_features.reference(window, p)
        for run in runs.values():
            timed(run)
        times: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(REPEATS):  # alternating, so that a busy machine slows all alike
            for name, run in runs.items():
                times[name].append(timed(run))
    middle = {name: statistics.median(values) for name, values in times.items()}
    return {name: round(value / middle["librosa"], 3) for name, value in middle.items()}


def stft(waveform: Any, p: FrontEndParams) -> Any:
    """TensorFlow's own FFT with the same window and mels; Core ML cannot convert it."""
    offset, window = librosa_features.hann(p.win_length, p.n_fft)
    whole = np.zeros(p.n_fft, np.float32)
    whole[offset : offset + len(window)] = window
    spectrum = tf.signal.stft(
        waveform, p.n_fft, p.hop_length, p.n_fft, window_fn=lambda *_, **__: tf.constant(whole)
    )
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    mel = tf.matmul(power, tf.constant(librosa_features.mel_matrix(p).astype(np.float32)))
    return tf.math.log(tf.maximum(mel, p.floor)) * (10 / math.log(10))


def litert(path: Path, window: np.ndarray) -> Callable[[], object]:
    """LiteRT on this machine with one thread."""
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]

    def run() -> None:
        interpreter.set_tensor(source, window[np.newaxis])
        interpreter.invoke()

    return run


if __name__ == "__main__":
    claim.publish(
        "front_end",
        {
            "unit": "millions a second of audio; times as a share of librosa's",
            "front_end_macs_per_second": round(1e6 * cost(layer(PROJECT), PROJECT)["macs"]),
            "steps_at_hop_160": steps(),
            "by_params": by_params(),
            "host_time_of_librosas": host_ratios(),
        },
    )
