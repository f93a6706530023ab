"""profile: LiteRT's own profile of a traced run -> exact instructions of each op, with its name.

The traced harness has a clock that advances by one a reading and signals that to the plugin,
so the profiler's times are indices into the parts that the plugin counted: nothing is sampled.
XNNPACK reports its ops in order, each with the time since the one before. Which op of the file an
XNNPACK op stands for is found by aligning both lists in order, by kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pocketear.base.errors import PhoneError
from pocketear.phone.graph import Op
from pocketear.phone.harness import KINDS, Part, Run

_SPAN, _OP, _DELEGATED_OP = 1, 2, 8  # event types of LiteRT's profiler
_CLOCK_PART = 1  # between the two readings of the clock with which the harness begins
_ALSO = {  # XNNPACK's name -> ops of a file, where the names do not agree
    "fullyconnected": {"CONV_2D", "BATCH_MATMUL"},
    "convolution": {"CONV_2D", "DEPTHWISE_CONV_2D"},
    "deconvolution": {"TRANSPOSE_CONV"},
    "staticreshape": {"RESHAPE", "EXPAND_DIMS", "SQUEEZE"},
    "copy": {"RESHAPE", "EXPAND_DIMS", "SQUEEZE"},
    "staticexpanddims": {"EXPAND_DIMS"},
    "clamp": {"RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "MAXIMUM", "MINIMUM"},
    "convert": {"QUANTIZE", "DEQUANTIZE"},
    "staticslice": {"SLICE", "STRIDED_SLICE"},
    "evensplit": {"SPLIT"},
    "staticconstantpad": {"PAD", "PADV2"},
    "constantpad": {"PAD", "PADV2"},
    "globalaveragepooling": {"MEAN", "AVERAGE_POOL_2D"},
    "averagepooling": {"AVERAGE_POOL_2D", "MEAN"},
    "maxpooling": {"MAX_POOL_2D"},
    "batchmatrixmultiply": {"BATCH_MATMUL", "FULLY_CONNECTED"},
    "multiply": {"MUL", "SQUARE"},
    "subtract": {"SUB"},
    "divide": {"DIV"},
    "sigmoid": {"LOGISTIC"},
    "squareroot": {"SQRT"},
    "reciprocalsquareroot": {"RSQRT"},
    "staticreduce": {"SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN"},
    "statictranspose": {"TRANSPOSE"},
}


@dataclass(frozen=True)
class OpCost:
    """What one op of the running graph costs, once."""

    name: str  # the tensor that it makes, "" for what LiteRT itself does around the ops
    kind: str  # of the op in the file
    kernel: str  # what runs: XNNPACK's or LiteRT's name of it
    front_end: bool
    by_kind: dict[str, int]

    @property
    def instructions(self) -> int:
        """All kinds together."""
        return sum(self.by_kind.values())


def split_by_op(run: Run, ops: Sequence[Op]) -> list[OpCost]:
    """The ops of a traced and profiled run of one window, in order.

    raises: PhoneError if the profile does not fit the counts
    """
    kernels = _kernels(run)
    costs = []
    for (kernel, part), op in zip(kernels, align([k for k, _ in kernels], ops), strict=True):
        by_kind = dict(zip(KINDS, part, strict=True))
        costs.append(OpCost(op.name, op.kind, kernel, op.front_end, by_kind))
    return costs


def _kernels(run: Run) -> list[tuple[str, Part]]:
    """Each op that ran, by the runtime's name, with its counts."""
    parts, begin = run.regions[0], int(run.values["begin_tick"][0])
    kernels, tick = [], begin
    for line in run.values.get("op", []):
        kind, start, elapsed, tag = line.split(" ", 3)
        if int(kind) == _SPAN:
            tick = max(tick, int(start) + 1)
        elif int(kind) == _OP:
            tick = int(start)
        elif int(kind) != _DELEGATED_OP:
            continue
        if int(kind) != _SPAN:
            first, last = tick - begin, tick - begin + int(elapsed)
            if not 0 < first < last < len(parts):
                raise PhoneError("LiteRT's profile does not fit the counts; is its version new?")
            kernels.append((tag, _without_clock(parts[first:last], parts[_CLOCK_PART])))
            tick += int(elapsed) + (1 if int(kind) == _OP else 0)
    return kernels


def _without_clock(parts: Sequence[Part], clock: Part) -> Part:
    """The sum of `parts`, less what their readings of the clock cost."""
    columns = zip(*parts, strict=True)
    return tuple(sum(column) - len(parts) * c for column, c in zip(columns, clock, strict=True))


def align(kernels: Sequence[str], ops: Sequence[Op]) -> list[Op]:
    """For each kernel the op of the file that it stands for, as many as can be in order.

    A kernel without an op of its own (a copy, the second half of a mean) belongs to the one before.
    """
    best = [[0] * (len(ops) + 1) for _ in range(len(kernels) + 1)]
    for i in reversed(range(len(kernels))):
        for j in reversed(range(len(ops))):
            match = best[i + 1][j + 1] + 1 if _fits(kernels[i], ops[j]) else 0
            best[i][j] = max(match, best[i + 1][j], best[i][j + 1])
    found: list[Op] = []
    j = 0
    for i, kernel in enumerate(kernels):
        while j < len(ops) and best[i][j] == best[i][j + 1]:
            j += 1
        if j < len(ops) and _fits(kernel, ops[j]) and best[i][j] == best[i + 1][j + 1] + 1:
            found.append(ops[j])
            j += 1
        else:
            found.append(found[-1] if found else ops[0])
    return found


def _fits(kernel: str, op: Op) -> bool:
    name = "".join(c for c in kernel.split("(")[0].lower() if c.isalnum())
    return name == op.kind.lower().replace("_", "") or op.kind in _ALSO.get(name, ())
