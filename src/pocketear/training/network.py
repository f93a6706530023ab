"""network: waveform in, scores out: front-end, fixed normalisation, and a small CNN, in one graph.

The network is a table. Each convolution is followed by batch normalisation (folded into
it at export) and ReLU, so that eight bits are enough for every activation.
"""

import json
import math
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from pocketear.base.archive import read_zip, write_zip
from pocketear.base.errors import ParamsError
from pocketear.contracts.names import FRONT_END, LOGITS, NORMALISE, SCORES, WAVEFORM
from pocketear.contracts.normalisation import Normalisation
from pocketear.frontend.layer import FrontEnd
from pocketear.params import FrontEndParams, ModelParams

_SIMD = 8  # channels are a multiple of what phones compute at once
_MEMORY = 0.9  # of normalisation's averages, an update: 0.99 has not settled after a short training


class Convolution(NamedTuple):
    """A row of a network: channels out, kernel over both axes, stride over (frame, coefficient)."""

    channels: int
    kernel: int = 3
    stride: tuple[int, int] = (1, 1)


class Pool(NamedTuple):
    """A row of a network: the maximum of each patch of `size` by `size` places."""

    size: int = 2


NETWORKS: dict[str, tuple[Convolution | Pool, ...]] = {
    # keeps every frame until the first pool: a rotor differs from the sea by how fast it beats
    "log_mel_cnn": (
        Convolution(16, kernel=5, stride=(1, 2)), Convolution(16), Pool(),
        Convolution(32), Convolution(32), Pool(),
        Convolution(48), Convolution(48), Pool(),
        Convolution(64), Convolution(64),
    ),
    # where the project began: a few convolutions on MFCC, for phones that can afford no more
    "mfcc_cnn": (
        Convolution(16, stride=(2, 2)),
        Convolution(32, stride=(2, 2)),
        Convolution(64, stride=(2, 2)),
    ),
}  # fmt: skip
_TAKES = {"log_mel_cnn": "log_mel", "mfcc_cnn": "mfcc"}


def build(
    frontend: FrontEndParams,
    model: ModelParams,
    labels: tuple[str, ...],
    normalisation: Normalisation,
    *,
    synchronized: bool = False,
) -> keras.Model:
    """The whole model: `waveform` (window, sample) -> `scores` (window, label), rows sum to 1.

    synchronized: batch normalisation is by the whole batch where several devices share one
    raises: ParamsError if the architecture is not made for the front-end's features
    """
    if _TAKES[model.architecture] != frontend.kind:
        raise ParamsError(
            f"model.architecture {model.architecture} takes {_TAKES[model.architecture]}, "
            f"but frontend.kind is {frontend.kind}; change one of the two in params.yaml"
        )
    waveform = keras.Input((frontend.window_length,), name=WAVEFORM)
    features = FrontEnd(frontend, name=FRONT_END)(waveform)  # (window, frame, coefficient)
    x = normalise(normalisation)(features)
    x = keras.layers.Reshape((*x.shape[1:], 1), name="image")(x)  # one channel
    for number, row in enumerate(NETWORKS[model.architecture], start=1):
        if isinstance(row, Pool):
            x = keras.layers.MaxPooling2D(row.size, name=f"pool_{number}")(x)
        else:
            x = _convolve(x, row, model.width, number, synchronized)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)  # (window, channel)
    x = keras.layers.Dropout(model.dropout, name="dropout")(x)
    logits = keras.layers.Dense(len(labels), name=LOGITS)(x)
    scores = keras.layers.Softmax(name=SCORES)(logits)
    return keras.Model(waveform, scores, name=model.architecture)


def normalise(normalisation: Normalisation) -> keras.layers.Layer:
    """(x - mean) / scale by coefficient."""
    mean, scale = (np.asarray(x, np.float32) for x in (normalisation.mean, normalisation.scale))
    return keras.layers.Normalization(axis=-1, mean=mean, variance=np.square(scale), name=NORMALISE)


def multiply_adds(model: keras.Model) -> int:
    """Of the network behind the front-end, for one window."""
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense)
    )


def save(model: keras.Model, path: Path) -> None:
    """Write a .keras file: the same weights give the same bytes.

    Keras's own holds the time of saving and, as identities of objects, places in memory.
    """
    with tempfile.TemporaryDirectory() as folder:
        dated = Path(folder) / "model.keras"
        model.save(dated)
        files = read_zip(dated)
    for name in ("config.json", "metadata.json"):
        files[name] = json.dumps(json.loads(files[name], object_hook=_timeless)).encode()
    write_zip(path, files)


def _timeless(entry: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in entry.items() if k not in ("date_saved", "shared_object_id")}


def _convolve(x: Any, row: Convolution, width: float, number: int, synchronized: bool) -> Any:
    channels = max(_SIMD, round(row.channels * width / _SIMD) * _SIMD)
    x = keras.layers.Conv2D(
        channels, row.kernel, row.stride, "same", use_bias=False,
        kernel_initializer="he_normal", name=f"conv_{number}",
    )(x)  # fmt: skip
    x = keras.layers.BatchNormalization(
        momentum=_MEMORY, synchronized=synchronized, name=f"norm_{number}"
    )(x)
    return keras.layers.ReLU(name=f"relu_{number}")(x)
