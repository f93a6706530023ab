"""A .tflite of one dense layer and a softmax, made by hand: waveform in, scores out, in no time."""

from typing import Any

import numpy as np

SAMPLE_RATE, WINDOW = 16_000, 1_600
LABELS = ("background", "crying_baby", "laughing")


def tiny_tflite(labels: int = len(LABELS), window: int = WINDOW, seed: int = 7) -> bytes:
    """float32 [1, window] -> softmax(dense) float32 [1, labels], as a flatbuffer."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    weights = np.random.default_rng(seed).normal(0, 0.5, (labels, window)).astype("<f4")
    bias = np.zeros(labels, "<f4")
    model = schema.ModelT()
    model.version, model.description = 3, b"tiny"
    contents = [b"", weights.tobytes(), bias.tobytes()]
    model.buffers = [_buffer(schema, content) for content in contents]
    dense, softmax = schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.SOFTMAX
    model.operatorCodes = [_code(schema, dense), _code(schema, softmax)]
    graph = schema.SubGraphT()
    graph.tensors = [
        _tensor(schema, b"waveform", [1, window], 0),
        _tensor(schema, b"weights", [labels, window], 1),
        _tensor(schema, b"bias", [labels], 2),
        _tensor(schema, b"logits", [1, labels], 0),
        _tensor(schema, b"scores", [1, labels], 0),
    ]
    graph.inputs, graph.outputs = [0], [4]
    options = schema.SoftmaxOptionsT()
    options.beta = 1.0
    kinds = schema.BuiltinOptions
    graph.operators = [
        _operator(
            schema, 0, [0, 1, 2], 3, kinds.FullyConnectedOptions, schema.FullyConnectedOptionsT()
        ),
        _operator(schema, 1, [3], 4, kinds.SoftmaxOptions, options),
    ]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def mean_tflite() -> bytes:
    """`tiny_tflite` that sees a waveform's mean: above zero it says crying_baby, below laughing."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tiny_tflite(), 0))
    rows = np.outer([0, 1, -1], np.ones(WINDOW)) * 16 / WINDOW
    model.buffers[1].data = list(rows.astype("<f4").tobytes())
    model.buffers[2].data = list(np.asarray([1, 0, 0], "<f4").tobytes())
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _buffer(schema, content):
    made = schema.BufferT()
    made.data = list(content) or None
    return made


def _code(schema, builtin):
    made = schema.OperatorCodeT()
    made.builtinCode = made.deprecatedBuiltinCode = builtin
    made.version = 1
    return made


def _tensor(schema, name, shape, buffer):
    made = schema.TensorT()
    made.name, made.shape, made.buffer = name, shape, buffer
    made.type = schema.TensorType.FLOAT32
    return made


def _operator(schema, code, inputs, output, kind, options):
    made = schema.OperatorT()
    made.opcodeIndex, made.inputs, made.outputs = code, inputs, [output]
    made.builtinOptionsType, made.builtinOptions = kind, options
    return made


def tiny_card(**changes):
    """A card for `tiny_tflite`."""
    from pocketear.runtimes.card import ListenerSettings, ModelCard

    settings: dict[str, Any] = {
        "hop_length": WINDOW // 2,
        "smoothing": 2,
        "hysteresis": 0.1,
        "min_seconds": 0.1,
        "refractory_seconds": 0.2,
        "thresholds": {"crying_baby": 0.6, "laughing": 0.7},
        "background": ("background",),
        "quiet_peak": 0.0,
    }
    fields: dict[str, Any] = {
        "name": "tiny",
        "version": "1.2.3",
        "variant": "fp32",
        "licence": "MIT",
        "labels": LABELS,
        "sample_rate": SAMPLE_RATE,
        "window_length": WINDOW,
    }
    for name, value in changes.items():
        (settings if name in settings else fields)[name] = value
    return ModelCard(**fields, listener=ListenerSettings(**settings))
