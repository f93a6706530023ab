"""runner: a model file -> a function from windows to scores, whatever runtime the file is for."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np

from pocketear.base.arrays import FeatureBatch, Scores, WindowBatch
from pocketear.base.errors import RunnerError

Runner: TypeAlias = Callable[[WindowBatch], Scores]
TensorRunner: TypeAlias = Callable[[WindowBatch], dict[str, FeatureBatch]]
FRONT_END, FEATURES, LOGITS = "front_end", "normalise", "logits"  # layers; files keep their names

Opened = TypeVar("Opened")


def open_runner(path: Path) -> Runner:
    """The runner for a .keras, .tflite or .mlpackage.

    raises: RunnerError if the file is missing, damaged, or not one waveform in and scores out
    """
    return _pick(path, {".keras": keras_runner, ".tflite": litert_runner, ".mlpackage": mil_runner})


def open_tensor_runner(path: Path) -> TensorRunner:
    """What a .keras, .tflite or .mlpackage computes on its way from waveform to scores.

    Of each window, by name: the front-end's scopes (see front_end.FrontEnd.steps), or dsp.STEPS of
    a package that takes features; `normalise`, which is what the network hears, and `logits`.
    Converters may fold the end of the front-end into the normalisation, so the graph's features are
    not asked for. What a file does not compute under its name is lacking in the result.

    raises: RunnerError as `open_runner`
    """
    kinds = {".keras": keras_tensors, ".tflite": litert_tensors, ".mlpackage": mil_tensors}
    return _pick(path, kinds)


def load_keras(path: Path) -> Any:
    """A Keras model, in safe mode: a file with code in it is refused.

    raises: RunnerError if it cannot be read
    """
    import keras  # 9 s

    from pocketear.frontend import layer  # noqa: F401  registers the FrontEnd layer

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError) as error:
        raise RunnerError(f"{path}: not a Keras model that can be read: {_line(error)}") from error


def keras_runner(path: Path) -> Runner:
    """TensorFlow on this machine."""
    model = load_keras(path)
    return lambda windows: np.asarray(model.predict(windows, verbose=0), np.float32)


def keras_tensors(path: Path) -> TensorRunner:
    """TensorFlow on this machine."""
    import keras

    model = load_keras(path)
    front_end = model.get_layer(FRONT_END)
    layers = {name: model.get_layer(name).output for name in (FEATURES, LOGITS)}
    network = keras.Model(model.inputs, layers)

    def run(windows: WindowBatch) -> dict[str, FeatureBatch]:
        steps = front_end.steps(keras.ops.convert_to_tensor(windows)) | network(windows)
        return {name: np.asarray(step) for name, step in steps.items()}

    return run


def litert_runner(path: Path) -> Runner:
    """LiteRT on this machine, one thread, one window at a time as on the phone."""
    interpreter = _open_litert(path)
    scores = interpreter.get_output_details()[0]["index"]
    return lambda windows: np.asarray(
        [row[0] for (row,) in _runs(interpreter, windows, [scores])], np.float32
    )


def litert_tensors(path: Path) -> TensorRunner:
    """The same, of a copy of the file in memory whose outputs are the tensors wanted.

    As outputs they come from the very kernels that run on the phone; an interpreter that preserves
    all tensors would run others.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    _open_litert(path)
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
    interpreter = _interpreter(path, bytes(flatbuffer_utils.convert_object_to_bytearray(model)))

    def run(windows: WindowBatch) -> dict[str, FeatureBatch]:
        rows = zip(*_runs(interpreter, windows, list(wanted.values())), strict=True)
        return {name: np.stack(row) for name, row in zip(wanted, rows, strict=True)}

    return run


def _open_litert(path: Path) -> Any:
    interpreter = _interpreter(path, path.read_bytes())
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0]["dtype"] != np.float32:
        raise RunnerError(f"{path}: want one float32 waveform in and one row of scores out")
    return interpreter


def _interpreter(path: Path, content: bytes) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise RunnerError(f"{path}: not a .tflite that can be run: {_line(error)}") from error
    return interpreter


def _runs(
    interpreter: Any, windows: WindowBatch, tensors: list[int]
) -> Iterator[list[FeatureBatch]]:
    source = interpreter.get_input_details()[0]["index"]
    for window in windows:
        interpreter.set_tensor(source, window[np.newaxis])
        interpreter.invoke()
        yield [interpreter.get_tensor(tensor) for tensor in tensors]


def mil_runner(path: Path) -> Runner:
    """The Core ML program, evaluated op by op on any machine (see mil)."""
    from pocketear.runtimes import coreml

    return coreml.windows_runner(path)


def mil_tensors(path: Path) -> TensorRunner:
    """The program's own values; those that it computes in fp16 are rounded to it."""
    from pocketear.frontend import numpy_fft
    from pocketear.runtimes import coreml

    program = coreml.load_program(path)
    source, wanted = coreml.sound_input(program), _named(program.tensors)

    def run(windows: WindowBatch) -> dict[str, FeatureBatch]:
        keep = tuple(wanted.values())
        rows = [coreml.evaluate(program, source.of(window), keep) for window in windows]
        tensors = {name: np.stack([row[own] for row in rows]) for name, own in wanted.items()}
        return tensors | (numpy_fft.steps(windows, source.frontend) if source.frontend else {})

    return run


def _named(tensors: Iterable[str]) -> dict[str, str]:
    """Which of a file's tensors, in the order of computation, is the last of each scope or layer.

    A converter numbers names, writes / as _, and joins the names of ops that it joins with ;
    a tensor counts as its scope's only if every op in it does.
    """
    from pocketear.frontend import layer

    scopes = {name: rf"{FRONT_END}(_\d+)?[/_]{name}[/_]" for name in layer.SCOPES}
    layers = {name: rf"[/_]{name}(_\d+)?[/_]" for name in (FEATURES, LOGITS)}
    found = {}
    for tensor in tensors:
        for name, pattern in (scopes | layers).items():
            if all(re.search(pattern, part) for part in tensor.split(";")):
                found[name] = tensor
    return found


def _pick(path: Path, kinds: Mapping[str, Callable[[Path], Opened]]) -> Opened:
    if not path.exists():
        raise RunnerError(f"{path}: not found; `dvc repro` makes it")
    if path.suffix not in kinds:
        raise RunnerError(f"{path}: not a .keras, .tflite or .mlpackage")
    return kinds[path.suffix](path)


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
