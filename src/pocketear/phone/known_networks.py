"""known_networks: audio networks as .tflite files with seeded weights, built by hand.

A cost is only meaningful beside another. YAMNet, 521 sounds at once, is what a phone runs where
nobody made a smaller network; the DS-CNN of MLPerf Tiny, twelve words, is as small as they come.
Both without a front-end: from features to scores.

sources: github.com/tensorflow/models, research/audioset/yamnet/{yamnet,params}.py;
    github.com/mlcommons/tiny, benchmark/training/keyword_spotting/keras_model.py
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

import numpy as np

_SEED = 2718


@dataclass(frozen=True)
class Layer:
    """A convolution with ReLU; `depthwise` keeps the channels. Sizes are (height, width)."""

    kind: Literal["conv", "depthwise"]
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    channels: int = 0


def separable(channels: int, stride: int = 1) -> tuple[Layer, Layer]:
    """A 3x3 depthwise and a 1x1 convolution."""
    return (
        Layer("depthwise", (3, 3), (stride, stride)),
        Layer("conv", (1, 1), channels=channels),
    )


# 49 x 10 MFCCs of a second; 2.7 million multiply-adds
DS_CNN = (Layer("conv", (10, 4), (2, 2), 64), *(layer for _ in range(4) for layer in separable(64)))
# 96 x 64 log-mels of 0.96 s, one every 0.48 s; 69 million multiply-adds
YAMNET = (
    Layer("conv", (3, 3), (2, 2), 32),
    *separable(64), *separable(128, 2), *separable(128), *separable(256, 2), *separable(256),
    *separable(512, 2), *(layer for _ in range(5) for layer in separable(512)),
    *separable(1024, 2), *separable(1024),
)  # fmt: skip
YAMNET_WINDOW_S, YAMNET_HOP_S = 0.96, 0.48


def ds_cnn() -> bytes:
    """The DS-CNN of MLPerf Tiny: the same bytes every time."""
    return convolutional((49, 10, 1), DS_CNN, 12)


@cache
def yamnet() -> bytes:
    """YAMNet's network: the same bytes every time."""
    return convolutional((96, 64, 1), YAMNET, 521)


def convolutional(shape: Sequence[int], layers: Sequence[Layer], labels: int) -> bytes:
    """(height, width, channels) -> `layers` -> mean over height and width -> dense -> softmax."""
    graph = _Graph()
    size = [1, *shape]
    tensor = first = graph.tensor("waveform", size)
    for number, layer in enumerate(layers):
        depthwise = layer.kind == "depthwise"
        channels = size[3] if depthwise else layer.channels
        kernel = [1 if depthwise else channels, *layer.kernel, channels if depthwise else size[3]]
        heights = [math.ceil(n / step) for n, step in zip(size[1:3], layer.stride, strict=True)]
        size = [1, *heights, channels]
        tensor = graph.convolution(f"{layer.kind}_{number}", tensor, kernel, size, layer)
    tensor = graph.mean(tensor, [1, size[3]])
    tensor = graph.dense(tensor, labels, size[3])
    return graph.finish(first, graph.softmax(tensor, labels))


@dataclass
class _Graph:
    """Collects tensors and ops of one .tflite."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema = schema
        self.random = np.random.default_rng(_SEED)
        self._buffer(None)

    def tensor(self, name: str, shape: Sequence[int], content: Any = None) -> int:
        made = self.schema.TensorT()
        made.name, made.shape = name.encode(), list(shape)
        integer = content is not None and content.dtype == np.int32
        kinds = self.schema.TensorType
        made.type = kinds.INT32 if integer else kinds.FLOAT32
        made.buffer = 0 if content is None else self._buffer(content)
        self.tensors.append(made)
        return len(self.tensors) - 1

    def convolution(
        self, name: str, source: int, kernel: Sequence[int], out: Sequence[int], layer: Layer
    ) -> int:
        depthwise = layer.kind == "depthwise"
        kinds = self.schema.BuiltinOptions
        options: Any = self.schema.Conv2DOptionsT()
        if depthwise:
            options = self.schema.DepthwiseConv2DOptionsT()
            options.depthMultiplier = 1
        options.strideH, options.strideW = layer.stride
        options.padding = self.schema.Padding.SAME
        options.fusedActivationFunction = self.schema.ActivationFunctionType.RELU
        op = "DEPTHWISE_CONV_2D" if depthwise else "CONV_2D"
        kind = kinds.DepthwiseConv2DOptions if depthwise else kinds.Conv2DOptions
        weights = [self._weights(f"{name}_kernel", kernel), self._weights(f"{name}_bias", out[3:])]
        return self._op(op, [source, *weights], self.tensor(name, out), kind, options)

    def mean(self, source: int, out: Sequence[int]) -> int:
        options = self.schema.ReducerOptionsT()
        axes = self.tensor("axes", [2], np.array([1, 2], np.int32))
        kind = self.schema.BuiltinOptions.ReducerOptions
        return self._op("MEAN", [source, axes], self.tensor("mean", out), kind, options)

    def dense(self, source: int, labels: int, channels: int) -> int:
        weights = [
            self._weights("dense_kernel", [labels, channels]),
            self._weights("dense_bias", [labels]),
        ]
        made, options = self.tensor("logits", [1, labels]), self.schema.FullyConnectedOptionsT()
        kind = self.schema.BuiltinOptions.FullyConnectedOptions
        return self._op("FULLY_CONNECTED", [source, *weights], made, kind, options)

    def softmax(self, source: int, labels: int) -> int:
        options = self.schema.SoftmaxOptionsT()
        options.beta = 1.0
        kind = self.schema.BuiltinOptions.SoftmaxOptions
        return self._op("SOFTMAX", [source], self.tensor("scores", [1, labels]), kind, options)

    def finish(self, first: int, last: int) -> bytes:
        import flatbuffers

        graph, model = self.schema.SubGraphT(), self.schema.ModelT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = [first], [last]
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.operatorCodes = [self._code(code) for code in self.codes]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _weights(self, name: str, shape: Sequence[int]) -> int:
        scale = 1 / math.sqrt(math.prod(shape[1:]) or 1)
        return self.tensor(name, shape, self.random.normal(0, scale, shape).astype(np.float32))

    def _buffer(self, content: Any) -> int:
        made = self.schema.BufferT()
        made.data = None if content is None else np.frombuffer(content.tobytes(), np.uint8)
        self.buffers.append(made)
        return len(self.buffers) - 1

    def _op(self, name: str, inputs: list[int], output: int, kind: int, options: Any) -> int:
        made = self.schema.OperatorT()
        code = getattr(self.schema.BuiltinOperator, name)
        if code not in self.codes:
            self.codes.append(code)
        made.opcodeIndex, made.inputs, made.outputs = self.codes.index(code), inputs, [output]
        made.builtinOptionsType, made.builtinOptions = kind, options
        self.operators.append(made)
        return output

    def _code(self, builtin: int) -> Any:
        made = self.schema.OperatorCodeT()
        made.builtinCode = made.deprecatedBuiltinCode = builtin
        made.version = 2 if builtin == self.schema.BuiltinOperator.MEAN else 1
        return made
