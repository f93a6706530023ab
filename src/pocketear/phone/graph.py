"""graph: a .tflite -> its ops by name, and a plain refusal of what cannot be measured."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketear.base.errors import PhoneError

FRONT_END = "front_end"  # in the name of every tensor that the front-end's layer makes
_IDENTIFIER = b"TFL3"
_FLOAT32 = 0
_MOST_INPUTS = 2


@dataclass(frozen=True)
class Op:
    """One op of the file, in the order in which it runs."""

    kind: str  # CONV_2D …
    name: str  # of the first tensor that it writes
    front_end: bool


@dataclass(frozen=True)
class Graph:
    """One float32 waveform in, one tensor out, or a state beside both; builtin ops only.

    length: samples that one inference takes
    """

    ops: tuple[Op, ...]
    length: int


def read_graph(path: Path) -> Graph:
    """The ops of a .tflite.

    raises: PhoneError if the file is damaged, holds an op that is not built into LiteRT, or has
    another input than a float32 tensor of a fixed shape and, at most, a state of one
    """
    model = _parse(path)
    _refuse_foreign_ops(path, model)
    main = model.subgraphs[0]
    kinds = [_kind(code) for code in model.operatorCodes]
    names = [_text(main.tensors[op.outputs[0]].name) for op in main.operators]
    last = max((i for i, name in enumerate(names) if FRONT_END in name), default=-1)
    ops = tuple(
        Op(kinds[op.opcodeIndex], name, i <= last)
        for i, (op, name) in enumerate(zip(main.operators, names, strict=True))
    )
    return Graph(ops, _length(path, main))


def _parse(path: Path) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    content = path.read_bytes()
    if content[4:8] != _IDENTIFIER:
        raise PhoneError(f"{path}: not a .tflite; `dvc repro` makes one")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(content, 0))
        if not model.subgraphs or not model.subgraphs[0].operators:
            raise ValueError("no graph in it")
    except Exception as error:  # the generated reader raises whatever the bytes lead to
        reason = f"damaged, not a whole .tflite ({error})"
        raise PhoneError(f"{path}: {reason}; make it again") from error
    return model


def _refuse_foreign_ops(path: Path, model: Any) -> None:
    foreign = sorted({_text(code.customCode) for code in model.operatorCodes if code.customCode})
    if foreign:
        wanted = ", ".join(foreign)
        raise PhoneError(f"{path}: op {wanted} is not built into LiteRT; phones cannot run it")


def _length(path: Path, main: Any) -> int:
    if not len(main.inputs) == len(main.outputs) <= _MOST_INPUTS:
        raise PhoneError(
            f"{path}: {len(main.inputs)} inputs; want one waveform, or a state besides"
        )
    sound, *_ = [_size(path, main.tensors[index]) for index in main.inputs]
    return sound


def _size(path: Path, tensor: Any) -> int:
    shape = [int(size) for size in tensor.shape] if tensor.shape is not None else []
    signature = tensor.shapeSignature
    if not shape or min(shape) < 1 or (signature is not None and min(signature) < 0):
        raise PhoneError(f"{path}: input of a dynamic shape; export it for one window")
    if tensor.type != _FLOAT32:
        raise PhoneError(f"{path}: input is not float32; export it with a float waveform")
    return math.prod(shape)


def _kind(code: Any) -> str:
    from ai_edge_litert import schema_py_generated as schema

    names = {number: name for name, number in vars(schema.BuiltinOperator).items()}
    return str(names[max(code.builtinCode, code.deprecatedBuiltinCode)])


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name or "")
