"""coreml: the ML Program inside an .mlpackage, evaluated with NumPy on any machine.

Core ML runs on Apple's systems only. What it runs is a program: a list of operations with their
weights. This file reads that program back out of the package that ships and evaluates it, so that
a wrong graph, weight or layout, or an overflow in fp16, is found without a Mac. A tensor that the
program declares as fp16 is rounded to fp16 as soon as it is computed; sums inside one operation are
in fp32. Apple's compute units may add up in another order and precision: `compare_on_apple` is for
that (docs/decisions/0005-core-ml-on-linux.md).
"""

import logging
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Runner, Scores, Waveform, WindowBatch
from pocketear.base.errors import RunnerError, first_line
from pocketear.contracts.names import NEXT_STATE, STATE
from pocketear.frontend import numpy_fft
from pocketear.params import FrontEndParams
from pocketear.runtimes.card import CARD, card_from
from pocketear.runtimes.chunks import ByChunks, State
from pocketear.runtimes.coreml_ops import OPERATIONS

FEATURES = "features"  # an input of this name takes what the front-end makes, not a waveform
_WEIGHTS = Path("Data/com.apple.CoreML/weights")
_AGAIN = "run the export_coreml stage again"
# fmt: off
_FOLDED = frozenset([  # evaluated by coremltools itself, which folds constants with them
    "abs", "add", "cast", "clip", "concat", "elu", "exp", "expand_dims", "gather", "gelu",
    "leaky_relu", "linear", "log", "matmul", "maximum", "minimum", "mul", "pad", "pow", "real_div",
    "reduce_max", "reduce_mean", "reduce_min", "reduce_sum", "relu", "relu6", "reshape", "reverse",
    "rsqrt", "sigmoid", "sigmoid_hard", "slice_by_index", "slice_by_size", "softmax", "softplus",
    "split", "sqrt", "square", "squeeze", "stack", "sub", "tanh", "transpose",
])
_CONSTANTS = frozenset([  # weights, plain and compressed
    "const", "constexpr_affine_dequantize", "constexpr_blockwise_shift_scale",
    "constexpr_lut_to_dense", "constexpr_sparse_to_dense",
])
# fmt: on
COVERED = _FOLDED | OPERATIONS.keys() | _CONSTANTS


@dataclass(frozen=True)
class Program:
    """A loaded ML Program. It holds its tensors while it is evaluated: one evaluation at a time.

    inputs: name -> shape; outputs: names
    labels: of a classifier, in the order of its scores; probabilities: its output that holds them
    metadata: what the package says of itself
    tensors: name -> shape of all that can be asked for, in the order of computation
    """

    path: Path
    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: str
    metadata: Mapping[str, str]
    tensors: Mapping[str, tuple[int, ...]]
    _operations: tuple[Any, ...]
    _variables: Mapping[str, Any]


class SoundInput(NamedTuple):
    """The inputs of a sound classifier.

    length: samples, of a chunk or a window
    frontend: of the features that it takes; None: it takes the waveform
    states: the shape of the state that it takes and gives; () where it takes windows
    """

    name: str
    length: int
    frontend: FrontEndParams | None
    states: tuple[tuple[int, ...], ...]

    def of(self, sound: Waveform, *states: State) -> dict[str, NDArray[np.float32]]:
        """What the program is given for a chunk or a window: name -> array."""
        given = dict(zip((STATE,), states, strict=False))
        if self.frontend is None:
            return {self.name: sound, **given}
        return {self.name: numpy_fft.features(sound[None], self.frontend)[0], **given}


def import_coremltools() -> Any:
    """coremltools without its progress bars and its remarks on what Linux lacks; takes 10 s."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    logging.getLogger("coremltools").setLevel(logging.ERROR)
    import coremltools

    return coremltools


def load_program(path: Path) -> Program:
    """Read the program of an .mlpackage, with its weights materialised.

    raises: RunnerError if the package is damaged, or has an op or weights that are not covered
    """
    import_coremltools()
    from coremltools.converters.mil.frontend.milproto.load import load

    specification = _specification(path)
    _check_operations(path, specification.mlProgram)
    try:
        program = load(specification, specification.specificationVersion, str(path / _WEIGHTS))
    except Exception as error:
        raise RunnerError(
            f"{path}: the program cannot be read: {first_line(error)}; {_AGAIN}"
        ) from error
    function = program.functions["main"]
    operations = tuple(_materialised(function.operations))
    computed = {var.name: var for operation in operations for var in operation.outputs}
    classifiers = [operation for operation in operations if operation.op_type == "classify"]
    return Program(
        path=path,
        inputs={name: tuple(var.shape) for name, var in function.inputs.items()},
        outputs=tuple(var.name for var in function.outputs),
        labels=tuple(str(label) for operation in classifiers for label in operation.classes.val),
        probabilities=specification.description.predictedProbabilitiesName,
        metadata=dict(specification.description.metadata.userDefined),
        tensors={name: tuple(var.shape) for name, var in computed.items()},
        _operations=operations,
        _variables={**function.inputs, **computed},
    )


def evaluate(
    program: Program, inputs: Mapping[str, NDArray[Any]], keep: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run the program once; also returns the intermediate tensors named in `keep`.

    returns: name -> float32 array; of a classifier, as from Core ML, the label as text and the
        probabilities as a dictionary
    raises: RunnerError if a name or a shape is not the program's, or an op cannot be evaluated
    """
    given = {name: np.shape(array) for name, array in inputs.items()}
    if given != program.inputs:
        raise RunnerError(f"{program.path}: takes {program.inputs}, was given {given}")
    unknown = [name for name in keep if name not in program.tensors]
    if unknown:
        raise RunnerError(f"{program.path}: computes no tensor {unknown[0]!r}")
    try:
        for name, array in inputs.items():
            _hold(program._variables[name], array)
        with np.errstate(all="ignore"):  # too large is infinite without a word, as on the phone
            for operation in program._operations:
                _run(program.path, operation)
        return {name: program._variables[name].val for name in (*program.outputs, *keep)}
    finally:
        for variable in program._variables.values():
            variable._sym_val = None


def windows_runner(path: Path) -> Runner:
    """A sound classifier in an .mlpackage -> a function from windows to scores, in label order.

    raises: RunnerError as `sound_input`
    """
    program = load_program(path)
    source = sound_input(program)
    return _runner(program, source, lambda given: evaluate(program, given))


def _runner(
    program: Program, source: SoundInput, predict: Callable[[dict[str, Any]], Mapping[str, Any]]
) -> Runner:
    """predict: what the program, or Core ML, makes of its inputs"""

    def scores(found: Mapping[str, Any]) -> Waveform:
        row = found[program.probabilities]
        return np.asarray([row[label] for label in program.labels], np.float32)

    def step(chunk: Waveform, state: State) -> tuple[Waveform, State]:
        found = predict(source.of(chunk, state))
        return scores(found), np.asarray(found[NEXT_STATE], np.float32)

    if source.states:
        return ByChunks(step, source.length, source.states[0])
    return lambda windows: np.asarray(
        [scores(predict(source.of(window))) for window in windows], np.float32
    ).reshape(len(windows), len(program.labels))


def sound_input(program: Program) -> SoundInput:
    """What a sound classifier takes. A name decides between a waveform and features.

    raises: RunnerError if the program is not a waveform or features in and label probabilities out,
        or takes features that the front-end of its own card does not make
    """
    names = [name for name in program.inputs if name != STATE]
    states = (program.inputs[STATE],) if STATE in program.inputs else ()
    if len(names) == 1 and program.labels and bool(states) == (NEXT_STATE in program.outputs):
        (name,) = names
        shape = program.inputs[name]
        if name == FEATURES:
            frontend = _frontend(program)
            return SoundInput(name, frontend.window_length, frontend, states)
        if len(shape) == 1:
            return SoundInput(name, shape[0], None, states)
    raise RunnerError(
        f"{program.path}: want one waveform or features in, label probabilities out; {_AGAIN}"
    )


def compare_on_apple(path: Path, windows: WindowBatch, expected: Scores) -> dict[str, float]:
    """Run the package on Apple's own runtime and compare its scores with `expected`.

    returns: windows; max_abs, the largest difference of a score; flips, the share of other labels
    raises: RunnerError anywhere but on macOS
    """
    if platform.system() != "Darwin":
        raise RunnerError(f"{path}: Core ML itself runs on macOS only; elsewhere use parity")
    program = load_program(path)
    source = sound_input(program)
    model = import_coremltools().models.MLModel(str(path))
    scores = _runner(program, source, model.predict)(windows)
    return {
        "windows": float(len(windows)),
        "max_abs": float(np.abs(scores - expected).max()),
        "flips": float(np.mean(scores.argmax(axis=1) != expected.argmax(axis=1))),
    }


def _frontend(program: Program) -> FrontEndParams:
    """The front-end of the program's card, if it makes what the program takes."""
    try:
        card = card_from(program.metadata.get(CARD, ""))
        length = card.hop_length if STATE in program.inputs else card.window_length
        frontend = FrontEndParams.model_validate({**card.frontend, "window_length": length})
        made = numpy_fft.features(np.zeros((1, length), np.float32), frontend).shape[1:]
    except (RunnerError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunnerError(f"{program.path}: no front-end for its features: {reason}") from error
    if made != program.inputs[FEATURES]:
        raise RunnerError(
            f"{program.path}: takes features {program.inputs[FEATURES]}, "
            f"its card's front-end makes {made}; {_AGAIN}"
        )
    return frontend


def _specification(path: Path) -> Any:
    from coremltools.models.utils import load_spec

    if not path.is_dir():
        raise RunnerError(f"{path}: not an .mlpackage, which is a folder; {_AGAIN}")
    try:
        specification = load_spec(str(path))
    except Exception as error:
        raise RunnerError(
            f"{path}: not a whole .mlpackage: {first_line(error)}; {_AGAIN}"
        ) from error
    kind = specification.WhichOneof("Type")
    if kind != "mlProgram":
        raise RunnerError(f"{path}: holds a {kind}, want an ML Program; {_AGAIN}")
    return specification


def _check_operations(path: Path, program: Any) -> None:
    """Refuse an op that is not covered before coremltools, which may not know it, reads it."""
    for function in program.functions.values():
        for operation in function.block_specializations[function.opset].operations:
            kind = operation.type
            if kind not in COVERED:
                raise RunnerError(
                    f"{path}: the op {kind} ({operation.outputs[0].name}) is not covered; "
                    "build the layer of other ops, or add it to runtimes/coreml.py with a test"
                )


def _materialised(operations: Any) -> Iterator[Any]:
    """Give every constant its float32 value once; yield the operations that remain to be run."""
    for operation in operations:
        if operation.op_type == "const":
            _hold(operation.outputs[0], operation.outputs[0].val)
        elif operation.op_type in _CONSTANTS:
            _hold(operation.outputs[0], operation.materialized_val_inference())
        else:
            yield operation


def _run(path: Path, operation: Any) -> None:
    own = OPERATIONS.get(operation.op_type)
    try:
        _hold_all(operation.outputs, own(operation) if own else operation.value_inference())
    except Exception as error:
        raise RunnerError(
            f"{path}: {operation.op_type} {operation.name}: {first_line(error)}"
        ) from error


def _hold_all(variables: Any, values: Any) -> None:
    several = values if isinstance(values, list | tuple) else (values,)
    for variable, value in zip(variables, several, strict=True):
        _hold(variable, value)


def _hold(variable: Any, value: Any) -> None:
    """Let `variable` have `value`: float tensors in float32, rounded where declared fp16."""
    from coremltools.converters.mil.mil import types

    if isinstance(value, np.ndarray | np.generic) and np.issubdtype(value.dtype, np.floating):
        if variable.dtype == types.fp16:
            value = value.astype(np.float16, copy=False)
        value = np.asarray(value, np.float32)
    if isinstance(value, np.bool_):
        value = bool(value)  # coremltools hands it to NumPy as `keepdims`, which wants Python's
    variable._sym_val = SimpleNamespace(val=value)  # where value_inference looks
