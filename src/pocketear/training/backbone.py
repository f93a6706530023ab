"""backbone: the first layers of a pretrained network, from the .tflite that its publisher offers.

YAMNet (github.com/tensorflow/models, research/audioset/yamnet; Apache 2.0): a convolution, then
pairs of a depthwise and a pointwise convolution, all of padding `same` and with ReLU, batch
normalisation folded into weights and biases. The file is walked op by op, so that the names of
tensors do not matter. It was trained on the front-end of presets.PRESETS["yamnet"].
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketear.base.errors import ParamsError

# Channels of the convolution and of each pair, and whether a layer halves its input.
_CHANNELS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
_HALVES = (True, False, True, False, True, False, True, *(False,) * 5, True, False)
LAYERS = len(_CHANNELS)
_KERNEL = 3
_SIMD = 8  # channels that a phone computes at once
_GET_IT = "docs/pretrained.md says how to get it"


class Layer(NamedTuple):
    """A convolution with ReLU.

    kernel: (row, column, in, out), of a depthwise one (row, column, channel, 1)
    bias: (channel,)
    """

    depthwise: bool
    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    stride: tuple[int, int]

    @property
    def _form(self) -> tuple[bool, tuple[int, ...], tuple[int, int]]:
        return self.depthwise, self.kernel.shape, self.stride


class Backbone(NamedTuple):
    """What a file holds. layers: the convolution, then two for each pair"""

    layers: tuple[Layer, ...]
    sha256: str

    def first(self, count: int, width: float = 1.0) -> tuple[Layer, ...]:
        """The convolution and the first `count` - 1 pairs.

        width: the share of the last one's channels that is kept, in eights: those whose weights
            have the largest sum (Li et al. 2017, arXiv 1608.08710)
        """
        *before, last = self.layers[: 2 * count - 1]
        channels = len(last.bias)
        wanted = min(channels, whole_eights(channels * width))
        largest = np.argsort(-np.abs(last.kernel).sum(axis=(0, 1, 2)), kind="stable")[:wanted]
        kept = np.sort(largest)
        return (*before, last._replace(kernel=last.kernel[..., kept], bias=last.bias[kept]))


def whole_eights(channels: float) -> int:
    """As many channels, rounded to what a phone computes at once, at least once."""
    return max(_SIMD, round(channels / _SIMD) * _SIMD)


@cache  # crossvalidate builds a network a fold
def read_backbone(path: Path) -> Backbone:
    """Read every convolution of a YAMNet .tflite, its weights in float.

    raises: ParamsError if the file is missing, damaged, or another network
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ParamsError(f"model.start: {path} is missing; {_GET_IT}") from error
    except OSError as error:
        raise ParamsError(f"model.start: {path}: {error.strerror}; {_GET_IT}") from error
    try:
        layers = tuple(_convolutions(content))
    except Exception as error:  # whatever a damaged flatbuffer leads to
        raise ParamsError(f"model.start: {path} is no .tflite, or damaged; {_GET_IT}") from error
    if [layer._form for layer in layers] != _forms():
        raise ParamsError(f"model.start: {path} has not the layers of YAMNet; {_GET_IT}")
    if not all(np.isfinite(x).all() for layer in layers for x in (layer.kernel, layer.bias)):
        raise ParamsError(f"model.start: {path} has weights that are not numbers; {_GET_IT}")
    return Backbone(layers, hashlib.sha256(content).hexdigest())


def _forms() -> list[tuple[bool, tuple[int, ...], tuple[int, int]]]:
    """What YAMNet's layers look like, in order."""
    forms: list[tuple[bool, tuple[int, ...], tuple[int, int]]] = []
    before = 1
    for channels, halves in zip(_CHANNELS, _HALVES, strict=True):
        stride = (2, 2) if halves else (1, 1)
        if before == 1:
            forms.append((False, (_KERNEL, _KERNEL, 1, channels), stride))
        else:
            forms.append((True, (_KERNEL, _KERNEL, before, 1), stride))
            forms.append((False, (1, 1, before, channels), (1, 1)))
        before = channels
    return forms


def _convolutions(content: bytes) -> list[Layer]:
    """Every convolution of a .tflite's first graph, in order."""
    from ai_edge_litert import schema_py_generated as schema

    if content[4:8] != b"TFL3":
        raise ValueError("not a .tflite")
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph, kinds = model.subgraphs[0], schema.BuiltinOperator
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    dequantised = {
        op.outputs[0]: op.inputs[0]
        for op in graph.operators
        if codes[op.opcodeIndex] == kinds.DEQUANTIZE
    }

    def values(tensor: int) -> NDArray[np.float32]:
        return _floats(model, graph.tensors[dequantised.get(tensor, tensor)])

    return [
        Layer(
            codes[op.opcodeIndex] == kinds.DEPTHWISE_CONV_2D,
            values(op.inputs[1]).transpose(1, 2, 3, 0),  # LiteRT has the channels out first
            values(op.inputs[2]),
            (int(op.builtinOptions.strideH), int(op.builtinOptions.strideW)),
        )
        for op in graph.operators
        if codes[op.opcodeIndex] in (kinds.CONV_2D, kinds.DEPTHWISE_CONV_2D)
    ]


def _floats(model: Any, tensor: Any) -> NDArray[np.float32]:
    """A constant tensor; eight bits are scaled, by tensor or by channel."""
    shape, content = tuple(tensor.shape), bytes(model.buffers[tensor.buffer].data)
    if tensor.quantization is None or tensor.quantization.scale is None:
        return np.frombuffer(content, np.float32).reshape(shape)
    quantised = np.frombuffer(content, np.int8).reshape(shape).astype(np.float32)
    by_channel = [1] * len(shape)
    by_channel[tensor.quantization.quantizedDimension] = -1
    scale = np.asarray(tensor.quantization.scale, np.float32).reshape(by_channel)
    zero = np.asarray(tensor.quantization.zeroPoint, np.float32).reshape(by_channel)
    return (quantised - zero) * scale
