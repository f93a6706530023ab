"""arm64: what one .tflite costs on a phone class, as reports/latency.json has it."""

from pathlib import Path

import numpy as np

from pocketear.base.errors import PhoneError
from pocketear.contracts.latency import ClassCost, OpCost
from pocketear.phone.classes import phone_class
from pocketear.phone.count import Counts, count, probe_windows
from pocketear.phone.estimate import estimate
from pocketear.phone.graph import read_graph
from pocketear.phone.host import HostModel
from pocketear.phone.profile import OpCost as CountedOp
from pocketear.phone.setup import Tools

# Both machines round differently; more than this is another result. Scores are 0 to 1.
_MOST_DIFFERENT = {"float": 1e-4, "integer": 0.05}
_NIGHT_HOURS = 8


def class_cost(
    model: Path, name: str, sample_rate: int, hop_length: int, tools: Tools
) -> ClassCost:
    """Instructions and estimated milliseconds of `model` on the phone class called `name`.

    sample_rate: Hz; hop_length: samples between two inferences of the listener
    raises: PhoneError if it cannot be counted, or computes something else than this machine does
    """
    graph = read_graph(model)
    windows = probe_windows(graph.length)
    counts = count(model, name, windows, tools)
    expected = HostModel(str(model), model.read_bytes()).run(windows)
    worst = float(np.abs(counts.outputs - expected).max())
    kind = "integer" if any(op.kind == "QUANTIZE" for op in graph.ops) else "float"
    if not worst <= _MOST_DIFFERENT[kind]:
        raise PhoneError(f"{model}: outputs on {name} differ from this machine's by {worst:.2g}")
    seconds = hop_length / sample_rate
    guess = estimate(counts, model.stat().st_size, name)
    milliamperes = phone_class(name).milliamperes

    def mah_a_night(milliseconds: float) -> float | None:
        share = milliseconds / seconds / 1e3  # of the core
        return _rounded(share * milliamperes * _NIGHT_HOURS) if milliamperes else None

    return ClassCost(
        instructions_per_inference=counts.instructions,
        instructions_per_second=round(counts.instructions / seconds),
        front_end_instructions_per_second=round(counts.front_end_instructions / seconds),
        instructions_per_quiet_second=round(counts.quiet / seconds),
        by_kind=dict(counts.by_kind),
        by_op=tuple(_row(op, counts) for op in counts.by_op),
        costliest_op=costliest(counts),
        estimate_ms_per_second=_rounded(guess.milliseconds / seconds),
        estimate_low=_rounded(guess.low / seconds),
        estimate_high=_rounded(guess.high / seconds),
        mah_per_night=mah_a_night(guess.milliseconds),
        mah_per_night_low=mah_a_night(guess.low),
        mah_per_night_high=mah_a_night(guess.high),
        leave_one_out_error=_rounded(guess.leave_one_out_error),
        peak_bytes=counts.peak_bytes,
        max_abs_to_host=worst,
    )


def costliest(counts: Counts) -> str:
    """The op that costs most, and its share, as a gate's reason names it."""
    op = max(counts.by_op, key=lambda one: one.instructions)
    share = op.instructions / counts.instructions
    return f"{op.kind} {short_name(op.name)}, {100 * share:.0f} % of the instructions"


def short_name(name: str) -> str:
    """The first of the names that a converter joined, without the model's own prefix."""
    return name.split(";")[0].split("/", 1)[-1]


def _row(op: CountedOp, counts: Counts) -> OpCost:
    return OpCost(
        op=op.kind,
        name=short_name(op.name),
        kernel=op.kernel,
        front_end=op.front_end,
        instructions=op.instructions,
        share=_rounded(op.instructions / counts.instructions),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")
