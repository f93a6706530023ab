"""estimate: counts and a phone class -> milliseconds of one warm window, and how sure that is."""

import math
import statistics
from dataclasses import dataclass

from pocketear.phone.calibration import (
    Workload,
    calibrated,
    class_cycles,
    counts_file,
    left_out,
    workload,
)
from pocketear.phone.classes import phone_class, phone_table
from pocketear.phone.count import Counts

# Log-errors of what no published time says anything about.
_INTEGER_KERNELS = 0.25  # a file whose network is int8: all published times are of fp32


@dataclass(frozen=True)
class Estimate:
    """Milliseconds of one warm window at the class's clock, alone on its core.

    low, high: what the calibration cannot rule out
    leave_one_out_error: median of the relative errors on published networks, each left out
    """

    milliseconds: float
    low: float
    high: float
    leave_one_out_error: float


def estimate(counts: Counts, file_bytes: int, name: str) -> Estimate:
    """Milliseconds of one window on the phone class called `name`.

    The interval is as wide as the worst error on a network left out, plus as much again for every
    such step that the model is smaller than the smallest published network, plus the range
    of the class's factor, plus an allowance for integer kernels.
    """
    of = phone_class(name)
    work = workload(counts.by_kind, file_bytes)
    model = calibrated()
    computing = class_cycles(model, of) * model.units(work) / (of.clock_mhz * 1e6)
    middle = 1e3 * (computing + model.memory_seconds(work, of.cache_kib))
    spread = _spread(work) + (_INTEGER_KERNELS if _integer(counts) else 0)
    return Estimate(
        middle,
        middle * of.factor_low / of.factor * math.exp(-spread),
        middle * of.factor_high / of.factor * math.exp(spread),
        statistics.median(abs(one.error) for one in left_out()),
    )


def _spread(work: Workload) -> float:
    """Log-error of the model itself, growing as networks shrink below what is published."""
    worst = max(abs(math.log1p(one.error)) for one in left_out())
    on = phone_table().published
    sizes = sorted(
        statistics.fmean(sum(kinds.values()) for core, kinds in counted.by_kind.items() if core in
                         {one.core for one in on.values()})
        for counted in counts_file().networks.values()
    )  # fmt: skip
    step = math.log(sizes[1] / sizes[0])  # what leaving out the smallest had to extrapolate
    return worst * (1 + max(0.0, math.log(sizes[0] / work.instructions)) / step)


def _integer(counts: Counts) -> bool:
    return any(kernel in op.kernel for op in counts.by_op for kernel in ("QS8", "QC8", "QD8"))
