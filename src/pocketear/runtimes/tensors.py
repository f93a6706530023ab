"""tensors: what a model file computes on its way from waveform to scores, for parity."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from pocketear.base.arrays import FeatureBatch, TensorRunner, Waveform, WindowBatch
from pocketear.contracts.names import FRONT_END, LOGITS, NEXT_STATE, NORMALISE
from pocketear.frontend import numpy_fft
from pocketear.frontend.layer import SCOPES
from pocketear.runtimes import coreml, litert
from pocketear.runtimes import keras as keras_runtime
from pocketear.runtimes.chunks import State
from pocketear.runtimes.runner import pick


def open_tensor_runner(path: Path) -> TensorRunner:
    """What a .keras, .tflite or .mlpackage computes on its way from waveform to scores.

    By name: the front-end's scopes (see layer.FrontEnd.steps), or numpy_fft.STEPS of a package that
    takes features, and `normalise`, which is the network's input, of each chunk of each window;
    `logits` of each window.
    Converters may fold the end of the front-end into the normalisation, so the graph's features are
    not asked for. What a file does not compute under its name is lacking in the result.

    raises: RunnerError as `open_runner`
    """
    kinds = {
        ".keras": keras_tensors,
        ".tflite": litert_tensors,
        ".mlpackage": coreml_tensors,
    }
    return pick(path, kinds)


def keras_tensors(path: Path) -> TensorRunner:
    """TensorFlow on this machine."""
    import keras

    model = keras_runtime.load_keras(path)
    front_end = model.get_layer(FRONT_END)
    layers = {name: model.get_layer(name).output for name in (NORMALISE, LOGITS)}
    network = keras.Model(model.input, layers)

    def run(windows: WindowBatch) -> dict[str, FeatureBatch]:
        chunks = windows.reshape(-1, front_end.frontend.window_length)
        steps = front_end.steps(keras.ops.convert_to_tensor(chunks)) | network(windows)
        return {name: np.asarray(step) for name, step in steps.items()}

    return run


def litert_tensors(path: Path) -> TensorRunner:
    """The same, of a copy of the file in memory whose outputs are the tensors wanted.

    As outputs they come from the very kernels that run on the phone; an interpreter that preserves
    all tensors would run others.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    asked = litert.open_interpreter(path)
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(path.read_bytes()))
    graph = model.subgraphs[0]
    computed = [tensor for op in graph.operators for tensor in op.outputs]
    floats = {
        graph.tensors[tensor].name.decode(): int(tensor)
        for tensor in computed
        if graph.tensors[tensor].type == flatbuffer_utils.schema_fb.TensorType.FLOAT32
    }
    wanted = {name: floats[tensor] for name, tensor in _named(floats).items()}
    graph.outputs = [*graph.outputs, *wanted.values()]
    interpreter = litert.interpreter_of(
        path, bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    )

    state = asked.get_output_details()[1:]
    kept = [*(tensor["index"] for tensor in state), *wanted.values()]
    invoke = litert.invoker(interpreter, kept)

    def step(chunk: Waveform, *states: State) -> tuple[dict[str, FeatureBatch], list[State]]:
        found = invoke(chunk, *states)
        tensors = dict(zip(wanted, found[len(state) :], strict=True))
        return tensors, [following[0] for following in found[: len(state)]]

    shape = litert.state_shape(asked)
    fresh = [] if shape is None else [np.zeros(shape, np.float32)]
    return lambda windows: _by_chunk(step, windows, litert.sound_length(asked), fresh)


def coreml_tensors(path: Path) -> TensorRunner:
    """The program's own values; those that it computes in fp16 are rounded to it."""
    program = coreml.load_program(path)
    source, wanted = coreml.sound_input(program), _named(program.tensors)

    def step(chunk: Waveform, *states: State) -> tuple[dict[str, FeatureBatch], list[State]]:
        given = source.of(chunk, *states)
        found = coreml.evaluate(program, given, tuple(wanted.values()))
        following = [found[NEXT_STATE] for _ in states]
        return {name: found[own] for name, own in wanted.items()}, following

    def run(windows: WindowBatch) -> dict[str, FeatureBatch]:
        fresh = [np.zeros(shape, np.float32) for shape in source.states]
        tensors = _by_chunk(step, windows, source.length, fresh)
        chunks = windows.reshape(-1, source.length)
        return tensors | (numpy_fft.steps(chunks, source.frontend) if source.frontend else {})

    return run


def _by_chunk(
    step: Callable[..., tuple[dict[str, FeatureBatch], list[State]]],
    windows: WindowBatch,
    hop_length: int,
    fresh: list[State],
) -> dict[str, FeatureBatch]:
    """Every window from the state `fresh`, chunk by chunk; of the logits the last chunk's."""
    rows = []
    for window in windows:
        states = fresh
        for chunk in window.reshape(-1, hop_length):
            tensors, states = step(chunk, *states)
            rows.append(tensors)
    found = {name: np.stack([row[name] for row in rows]) for name in rows[0]}
    if LOGITS in found:
        chunks = windows.shape[1] // hop_length
        found[LOGITS] = found[LOGITS][chunks - 1 :: chunks]
    return found


def _named(tensors: Iterable[str]) -> dict[str, str]:
    """Which of a file's tensors, in the order of computation, is the last of each scope or layer.

    A converter numbers names, writes / as _, and joins the names of ops that it joins with ;
    a tensor counts as its scope's only if every op in it does.
    """
    scopes = {name: rf"{FRONT_END}(_\d+)?[/_]{name}[/_]" for name in SCOPES}
    layers = {name: rf"[/_]{name}(_\d+)?[/_]" for name in (NORMALISE, LOGITS)}
    found = {}
    for tensor in tensors:
        for name, pattern in (scopes | layers).items():
            if all(re.search(pattern, part) for part in tensor.split(";")):
                found[name] = tensor
    return found
