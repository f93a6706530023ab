"""coreml_ops: the ML Program's operations that coremltools describes but cannot evaluate.

Each takes an operation as coremltools read it, its inputs' values set, and returns its value.
Layouts are Core ML's: x is (n, channel, *size), a weight (out, in / groups, *kernel).

source: MIL operations, https://apple.github.io/coremltools/source/coremltools.converters.mil.mil.ops.defs.html
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[Any]


def classify(operation: Any) -> tuple[str, dict[str, float]]:
    """The most probable label, the first of equals, and every label's probability."""
    labels = [str(label) for label in operation.classes.val]
    scores = [float(score) for score in operation.probabilities.val.ravel()]
    return labels[int(np.argmax(scores))], dict(zip(labels, scores, strict=True))


def conv(operation: Any) -> Array:
    """A convolution as one matmul a group; any stride, dilation and padding, 1 to 3 dimensions."""
    weight, groups = operation.weight.val, int(operation.groups.val)
    kernel = weight.shape[2:]
    rank = len(kernel)
    views = _windows(operation, operation.x.val, kernel, operation.dilations.val, 0.0)
    n, channels, *size = views.shape[: 2 + rank]
    columns = np.moveaxis(views, range(2, 2 + rank), range(-rank, 0))  # (n, in, *kernel, *size)
    columns = columns.reshape(n, groups, channels // groups * int(np.prod(kernel)), -1)
    result = weight.reshape(groups, len(weight) // groups, -1) @ columns
    result = result.reshape(n, len(weight), *size)
    if operation.bias is not None:
        result = result + operation.bias.val.reshape(-1, *[1] * rank)
    return np.asarray(result)


def max_pool(operation: Any) -> Array:
    """The largest of each window; padding never counts."""
    kernel = tuple(operation.kernel_sizes.val)
    views = _windows(operation, operation.x.val, kernel, [1] * len(kernel), -np.inf)
    return np.asarray(views.max(axis=tuple(range(-len(kernel), 0))))


def avg_pool(operation: Any) -> Array:
    """The mean of each window; padding counts as zeros unless the program excludes it."""
    kernel = tuple(operation.kernel_sizes.val)
    ones, axes = [1] * len(kernel), tuple(range(-len(kernel), 0))
    total = _windows(operation, operation.x.val, kernel, ones, 0.0).sum(axis=axes)
    if not operation.exclude_padding_from_average.val:
        return np.asarray(total / np.prod(kernel))
    inside = _windows(operation, np.ones_like(operation.x.val), kernel, ones, 0.0)
    return np.asarray(total / inside.sum(axis=axes))


def batch_norm(operation: Any) -> Array:
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, by channel."""
    shape = (-1, *[1] * (operation.x.rank - 2))
    scale = 1 / np.sqrt(operation.variance.val + operation.epsilon.val)
    if operation.gamma is not None:
        scale = scale * operation.gamma.val
    shift = -operation.mean.val * scale
    if operation.beta is not None:
        shift = shift + operation.beta.val
    return np.asarray(operation.x.val * scale.reshape(shape) + shift.reshape(shape))


def silu(operation: Any) -> Array:
    """x * sigmoid(x)"""
    return np.asarray(operation.x.val / (1 + np.exp(-operation.x.val)))


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    operation.__name__: operation
    for operation in (avg_pool, batch_norm, classify, conv, max_pool, silu)
}


def _windows(
    operation: Any, x: Array, kernel: Sequence[int], dilations: Sequence[int], filler: float
) -> Array:
    """A view of x (n, channel, *size), padded with `filler`: (n, channel, *size out, *kernel)."""
    if getattr(operation, "ceil_mode", None) is not None and operation.ceil_mode.val:
        raise NotImplementedError("ceil_mode is not covered")
    strides = operation.strides.val
    reach = [(k - 1) * step + 1 for k, step in zip(kernel, dilations, strict=True)]
    pads = _pads(operation.pad_type.val, operation.pad.val, x.shape[2:], reach, strides)
    if any(before or after for before, after in pads):
        x = np.pad(x, [(0, 0), (0, 0), *pads], constant_values=filler)
    views = sliding_window_view(x, reach, axis=tuple(range(2, x.ndim)))
    steps = [slice(None, None, step) for step in (*strides, *dilations)]
    return views[(slice(None), slice(None), *steps)]


def _pads(
    kind: str, custom: Array, size: Sequence[int], reach: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """What is added before and after each axis; of an odd total, `same` has one more after."""
    if kind == "valid":
        return [(0, 0)] * len(reach)
    if kind == "custom":
        return list(zip(custom[::2].tolist(), custom[1::2].tolist(), strict=True))
    totals = [
        max(0, (-(-n // stride) - 1) * stride + k - n)
        for n, k, stride in zip(size, reach, strides, strict=True)
    ]
    halves = [(total // 2, total - total // 2) for total in totals]
    return halves if kind == "same" else [(after, before) for before, after in halves]
