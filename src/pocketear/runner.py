"""runner: a model file -> a function from windows to scores, whatever runtime the file is for."""

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from pocketear.arrays import FeatureBatch, Scores, WindowBatch
from pocketear.errors import RunnerError

Runner: TypeAlias = Callable[[WindowBatch], Scores]
FeatureRunner: TypeAlias = Callable[[WindowBatch], FeatureBatch]
FEATURES = "normalise"  # the layer whose name every runtime's tensors keep


def open_runner(path: Path) -> Runner:
    """The runner for a .keras, .tflite or .mlpackage.

    raises: RunnerError if the file is missing, damaged, or not one waveform in and scores out
    """
    return _pick(path, {".keras": keras_runner, ".tflite": litert_runner, ".mlpackage": mil_runner})


def open_feature_runner(path: Path) -> FeatureRunner:
    """What the network inside a .keras, .tflite or .mlpackage hears: normalised features.

    Converters may fold the end of the front-end into the normalisation, so that its own output is
    no tensor of theirs; what comes out of the normalisation is.

    raises: RunnerError as `open_runner`, or if the front-end cannot be told from the rest
    """
    kinds = {".keras": keras_features, ".tflite": litert_features, ".mlpackage": mil_features}
    return _pick(path, kinds)


def load_keras(path: Path) -> Any:
    """A Keras model, in safe mode: a file with code in it is refused.

    raises: RunnerError if it cannot be read
    """
    import keras  # 9 s

    from pocketear import front_end  # noqa: F401  registers the FrontEnd layer

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError) as error:
        raise RunnerError(f"{path}: not a Keras model that can be read: {_line(error)}") from error


def keras_runner(path: Path) -> Runner:
    """TensorFlow on this machine."""
    model = load_keras(path)
    return lambda windows: np.asarray(model.predict(windows, verbose=0), np.float32)


def keras_features(path: Path) -> FeatureRunner:
    """The output of the model's layer `normalise`."""
    import keras

    model = load_keras(path)
    ears = keras.Model(model.inputs, model.get_layer(FEATURES).output)
    return lambda windows: np.asarray(ears.predict(windows, verbose=0), np.float32)


def litert_runner(path: Path) -> Runner:
    """LiteRT on this machine, one thread, one window at a time as on the phone."""
    interpreter = _open_litert(path)
    return _each_window(interpreter, interpreter.get_output_details()[0]["index"])


def litert_features(path: Path) -> FeatureRunner:
    """The last float tensor of `normalise` in the shipped file, while the whole file runs."""
    interpreter = _open_litert(path, experimental_preserve_all_tensors=True)
    floats = {
        one["index"]
        for one in interpreter.get_tensor_details()
        if FEATURES in one["name"] and one["dtype"] == np.float32
    }
    operations = interpreter._get_ops_details()  # the public API lists no operations
    made = [index for one in operations for index in one["outputs"] if index in floats]
    if not made:
        raise RunnerError(f"{path}: computes no tensor of a layer {FEATURES!r}; export it again")
    return _each_window(interpreter, made[-1])


def _open_litert(path: Path, **options: bool) -> Any:
    from ai_edge_litert.interpreter import Interpreter

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that keeping tensors takes memory
            interpreter = Interpreter(str(path), num_threads=1, **options)
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise RunnerError(f"{path}: not a .tflite that can be run: {_line(error)}") from error
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0]["dtype"] != np.float32:
        raise RunnerError(f"{path}: want one float32 waveform in and one row of scores out")
    return interpreter


def _each_window(interpreter: Any, wanted: int) -> Runner:
    source = interpreter.get_input_details()[0]["index"]

    def run(windows: WindowBatch) -> Scores:
        rows = []
        for window in windows:
            interpreter.set_tensor(source, window[np.newaxis])
            interpreter.invoke()
            rows.append(interpreter.get_tensor(wanted)[0])
        return np.asarray(rows, np.float32)

    return run


def mil_runner(path: Path) -> Runner:
    """The Core ML program, evaluated op by op on any machine (see mil)."""
    from pocketear import mil

    return mil.windows_runner(path)


def mil_features(path: Path) -> FeatureRunner:
    """The last tensor of `normalise` in the Core ML program."""
    from pocketear import mil

    return mil.features_runner(path)


def _pick(path: Path, kinds: Mapping[str, Callable[[Path], Runner]]) -> Runner:
    if not path.exists():
        raise RunnerError(f"{path}: not found; `dvc repro` makes it")
    if path.suffix not in kinds:
        raise RunnerError(f"{path}: not a .keras, .tflite or .mlpackage")
    return kinds[path.suffix](path)


def _line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
