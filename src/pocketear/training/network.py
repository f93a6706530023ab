"""network: waveform in, scores out: front-end, fixed normalisation, and a small CNN, in one graph.

The network is a table. Each convolution is followed by batch normalisation (folded into
it at export) and ReLU, so that eight bits are enough for every activation.

A window is a whole number of chunks, each as long as the listener's hop, and the convolutions see
each chunk alone. What a chunk leaves are statistics of its channels; only these are pooled over the
window. So a listener computes each chunk once, and `by_chunks` is the same function as the window
(docs/decisions/0017-listening.md).
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
from pocketear.contracts.names import (
    CHUNKS,
    FRONT_END,
    LOGITS,
    NEXT_STATE,
    NORMALISE,
    SCORES,
    STATE,
    STATISTICS,
    WAVEFORM,
    WINDOW,
    WINDOW_STATISTICS,
)
from pocketear.contracts.normalisation import Normalisation
from pocketear.frontend.layer import FrontEnd, n_coefficients, n_frames
from pocketear.params import FrontEndParams, ModelParams
from pocketear.training.backbone import Layer, read_backbone, whole_eights
from pocketear.training.distribution import devices

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
    "log_mel_cnn": (
        Convolution(16, kernel=5, stride=(2, 2)), Convolution(24), Pool(),
        Convolution(32), Convolution(32), Pool(),
        Convolution(64), Convolution(64), Pool(),
        Convolution(96), Convolution(96),
    ),
    # where the project began: a few convolutions on MFCC, for phones that can afford no more
    "mfcc_cnn": (
        Convolution(16, stride=(2, 2)),
        Convolution(32, stride=(2, 2)),
        Convolution(64, stride=(2, 2)),
    ),
}  # fmt: skip
_TAKES = {"log_mel_cnn": "log_mel", "mfcc_cnn": "mfcc", "yamnet": "log_mel"}
_SCALE = 4.0  # a power of two: it changes no digit of a float
_IMAGE = "image"  # what the convolutions see of a chunk


def build(
    frontend: FrontEndParams,
    model: ModelParams,
    labels: tuple[str, ...],
    normalisation: Normalisation,
    hop_length: int,
) -> keras.Model:
    """The whole model: `waveform` (window, sample) -> `scores` (window, label), rows sum to 1.

    In the scope of a strategy of several devices, batch normalisation is by the whole batch.

    hop_length: samples of a chunk; divides frontend.window_length
    raises: ParamsError if the architecture is not made for the front-end's features, a chunk has
        too few frames for it, or what it starts from cannot be read
    """
    if _TAKES[model.architecture] != frontend.kind:
        raise ParamsError(
            f"model.architecture {model.architecture} takes {_TAKES[model.architecture]}, "
            f"but frontend.kind is {frontend.kind}; change one of the two in params.yaml"
        )
    own = frontend.model_copy(update={"window_length": hop_length})
    started = _start(model)
    _refuse_short(own, model.architecture, started)
    chunks = frontend.window_length // hop_length
    waveform = keras.Input((frontend.window_length,), name=WAVEFORM)
    x = FrontEnd(own, name=FRONT_END)(keras.ops.reshape(waveform, (-1, hop_length)))
    x = normalise(unshifted(own) if started else normalisation)(x)
    x = keras.ops.reshape(x, (-1, chunks, *x.shape[1:]))
    x = keras.layers.Identity(name=CHUNKS)(x)  # (window, chunk, frame, coefficient)
    x = keras.ops.reshape(x, (-1, *x.shape[2:], 1))
    x = keras.layers.Identity(name=_IMAGE)(x)  # (window and chunk, frame, coefficient, 1)
    x = go_on(x, started) if started else _from_scratch(x, model)
    x = _statistics(x)  # (window and chunk, statistic)
    x = keras.ops.reshape(x, (-1, chunks, x.shape[-1]))
    x = keras.layers.Identity(name=WINDOW)(x)  # (window, chunk, statistic)
    x = _over_chunks(x)
    x = keras.layers.Dropout(model.dropout, name="dropout")(x)
    logits = keras.layers.Dense(len(labels), name=LOGITS)(x)
    scores = keras.layers.Softmax(name=SCORES)(logits)
    return keras.Model(waveform, scores, name=model.architecture)


def by_chunks(model: keras.Model, *, takes_features: bool = False) -> keras.Model:
    """The model as a listener runs it: one chunk, and the statistics of those before it.

    `waveform` (1, hop) and `state_in` (1, chunks - 1, statistic) -> `scores` (1, label) and
    `state_out`. The scores are those of the window that ends with the chunk, if `state_in` was
    carried over from the chunks before it in the window; at the beginning it is zeros. A window of
    one chunk has no state.

    takes_features: the first input is what the front-end makes, (1, frame, coefficient)
    """
    front_end = model.get_layer(FRONT_END)
    source = front_end.output if takes_features else front_end.input
    chunks, width = model.get_layer(WINDOW).output.shape[1:]
    chunk = keras.Input(source.shape[1:], batch_size=1, name=WAVEFORM)
    state = keras.Input((chunks - 1, width), batch_size=1, name=STATE)

    def part(name: str, source: Any, last: str) -> keras.Model:
        return keras.Model(source, model.get_layer(last).output, name=name)

    features = part("features", source, NORMALISE)(chunk)
    image = keras.ops.expand_dims(features, -1)
    statistics = part("network", model.get_layer(_IMAGE).output, STATISTICS)(image)[:, None]
    head = part("head", model.get_layer(WINDOW).output, SCORES)
    if chunks == 1:
        return keras.Model(chunk, head(statistics), name=model.name)
    seen = keras.ops.concatenate([state, statistics], axis=1)
    scores = head(seen)
    next_state = keras.layers.Identity(name=NEXT_STATE)(seen[:, 1:])
    return keras.Model([chunk, state], [scores, next_state], name=model.name)


def normalise(normalisation: Normalisation) -> keras.layers.Layer:
    """(x - mean) / scale by coefficient."""
    mean, scale = (np.asarray(x, np.float32) for x in (normalisation.mean, normalisation.scale))
    return keras.layers.Normalization(axis=-1, mean=mean, variance=np.square(scale), name=NORMALISE)


def unshifted(frontend: FrontEndParams) -> Normalisation:
    """For a pretrained network, which knows the features as they are: its kernel makes up for it.

    It is not 1, else converters drop the layer, whose output parity compares.
    """
    count = n_coefficients(frontend)
    return Normalisation(mean=(0.0,) * count, scale=(_SCALE,) * count)


def normalisation_of(model: keras.Model) -> Normalisation:
    """What the network takes off its features and divides them by."""
    config = model.get_layer(NORMALISE).get_config()
    scale = np.sqrt(np.asarray(config["variance"], np.float32).ravel())
    mean = np.asarray(config["mean"], np.float32).ravel()
    return Normalisation(mean=tuple(mean.tolist()), scale=tuple(scale.tolist()))


def multiply_adds(model: keras.Model) -> int:
    """Of the network behind the front-end, for one chunk, which is what an inference computes."""
    return sum(
        math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if isinstance(
            layer, keras.layers.Conv2D | keras.layers.Dense | keras.layers.DepthwiseConv2D
        )
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


def _refuse_short(frontend: FrontEndParams, architecture: str, started: tuple[Layer, ...]) -> None:
    """raises: ParamsError if a chunk's frames do not reach through the network's strides"""
    rows = NETWORKS.get(architecture, ())
    needed = math.prod(row.size if isinstance(row, Pool) else row.stride[0] for row in rows)
    needed *= math.prod(layer.stride[0] for layer in started)
    found = n_frames(frontend)
    if found < needed:
        raise ParamsError(
            f"listener.hop_length {frontend.window_length} has {found} frames of "
            f"frontend.hop_length, and {architecture} needs {needed}; make it longer"
        )


def _start(model: ModelParams) -> tuple[Layer, ...]:
    """The layers that a pretrained network starts from; of others none."""
    if not model.pretrained:
        return ()
    return read_backbone(Path(model.start)).first(model.layers, model.width)


def _from_scratch(x: Any, model: ModelParams) -> Any:
    """The rows of the architecture's table."""
    for number, row in enumerate(NETWORKS[model.architecture], start=1):
        if isinstance(row, Pool):
            x = keras.layers.MaxPooling2D(row.size, name=f"pool_{number}")(x)
        else:
            x = _convolve(x, row, model.width, number)
    return x


def go_on(x: Any, layers: tuple[Layer, ...]) -> Any:
    """The layers of a pretrained network, for what `unshifted` leaves of the features."""
    for number, row in enumerate(layers, start=1):
        kind = keras.layers.DepthwiseConv2D if row.depthwise else keras.layers.Conv2D
        channels = {} if row.depthwise else {"filters": row.kernel.shape[-1]}
        layer = kind(
            kernel_size=row.kernel.shape[:2], strides=row.stride, padding="same",
            name=f"conv_{number}", **channels,
        )  # fmt: skip
        x = layer(x)
        layer.set_weights([row.kernel * (_SCALE if number == 1 else 1), row.bias])
        x = keras.layers.ReLU(name=f"relu_{number}")(x)
    return x


def _statistics(x: Any) -> Any:
    """(chunk, row, column, channel) -> (chunk, statistic): each channel's mean, then its maximum"""
    mean = keras.layers.GlobalAveragePooling2D(name="statistics_mean")(x)
    peak = keras.layers.GlobalMaxPooling2D(name="statistics_peak")(x)
    return keras.layers.Concatenate(name=STATISTICS)([mean, peak])


def _over_chunks(x: Any) -> Any:
    """(window, chunk, statistic) -> (window, statistic), as if they were one image's"""
    half = x.shape[-1] // 2
    mean = keras.layers.GlobalAveragePooling1D(name="window_mean")(x[..., :half])
    peak = keras.layers.GlobalMaxPooling1D(name="window_peak")(x[..., half:])
    return keras.layers.Concatenate(name=WINDOW_STATISTICS)([mean, peak])


def _convolve(x: Any, row: Convolution, width: float, number: int) -> Any:
    x = keras.layers.Conv2D(
        whole_eights(row.channels * width), row.kernel, row.stride, "same", use_bias=False,
        kernel_initializer="he_normal", name=f"conv_{number}",
    )(x)  # fmt: skip
    x = keras.layers.BatchNormalization(
        momentum=_MEMORY, synchronized=devices() > 1, name=f"norm_{number}"
    )(x)
    return keras.layers.ReLU(name=f"relu_{number}")(x)
