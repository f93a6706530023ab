"""A file that cannot be measured is refused with one line that names why."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocketear.base.errors import PhoneError
from pocketear.phone.graph import read_graph


def test_the_ops_of_a_file_are_those_it_was_made_of(reference: Path) -> None:
    graph = read_graph(reference)
    pair = ["DEPTHWISE_CONV_2D", "CONV_2D"]
    tail = ["MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    assert [op.kind for op in graph.ops] == ["CONV_2D", *pair * 4, *tail]
    assert graph.length == 49 * 10


def flex(model: Any, schema: Any) -> None:
    code = model.operatorCodes[0]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.builtinCode, code.deprecatedBuiltinCode = 32, 32
    code.customCode = b"FlexRFFT"


def dynamic(model: Any, schema: Any) -> None:
    model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]].shapeSignature = [-1, 49, 10, 1]


def two_inputs(model: Any, schema: Any) -> None:
    graph = model.subgraphs[0]
    graph.inputs = [*graph.inputs, graph.operators[-1].inputs[0]]


def integer_input(model: Any, schema: Any) -> None:
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    tensor.type = schema.TensorType.INT8


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (flex, "op FlexRFFT is not built into LiteRT"),
        (dynamic, "dynamic shape"),
        (two_inputs, "2 inputs; want one waveform"),
        (integer_input, "not float32"),
    ],
)
def test_a_graph_that_phones_cannot_be_given_is_refused(
    changed: Callable[..., Path], change: Callable[[Any, Any], None], why: str
) -> None:
    path = changed(change)
    with pytest.raises(PhoneError, match=why) as refused:
        read_graph(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(tmp_path: Path, reference: Path, share: float) -> None:
    content = reference.read_bytes()
    path = tmp_path / "half.tflite"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(PhoneError, match=r"half\.tflite: (damaged|not a \.tflite)") as refused:
        read_graph(path)
    assert "\n" not in str(refused.value)


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.tflite"
    path.write_text("not a model at all")
    with pytest.raises(PhoneError, match=r"not a \.tflite"):
        read_graph(path)
