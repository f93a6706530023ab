"""Kernels find the ops that they stand for, in order."""

import pytest

from pocketear.base.errors import PhoneError
from pocketear.phone.graph import Op
from pocketear.phone.harness import Run
from pocketear.phone.profile import align, split_by_op


def op(kind: str, name: str = "") -> Op:
    return Op(kind, name or kind.lower(), False)


def test_an_op_that_was_fused_away_is_skipped() -> None:
    ops = [op("CONV_2D"), op("RELU"), op("CONV_2D", "second"), op("SOFTMAX")]
    kernels = [
        "Convolution (NHWC, F32) IGEMM",
        "Fully Connected (NC, F32) GEMM",
        "Softmax (NC, F32)",
    ]
    assert [found.name for found in align(kernels, ops)] == ["conv_2d", "second", "softmax"]


def test_a_kernel_of_no_op_belongs_to_the_one_before() -> None:
    ops = [op("MEAN"), op("FULLY_CONNECTED")]
    kernels = ["Mean (ND) Reduce2", "Static Reshape (NC)", "Fully Connected (NC, F32) GEMM"]
    assert [found.name for found in align(kernels, ops)] == ["mean", "mean", "fully_connected"]


def test_a_clamp_is_a_maximum_where_there_is_one() -> None:
    ops = [op("ABS"), op("MAXIMUM"), op("LOG")]
    kernels = ["Abs (NC)", "Clamp (NC)", "Log (NC)"]
    assert [found.kind for found in align(kernels, ops)] == ["ABS", "MAXIMUM", "LOG"]


def test_a_profile_that_does_not_fit_the_counts_is_refused() -> None:
    part = (1, 1, 1, 1, 1, 1)
    values = {"begin_tick": ["0"], "op": ["1 2 9 Invoke", "8 0 1 Log (NC)", "8 0 1 Log (NC)"]}
    run = Run((((part,) * 4),), (), values, outputs=None)  # type: ignore[arg-type]
    with pytest.raises(PhoneError, match="profile does not fit"):
        split_by_op(run, [op("LOG")])
