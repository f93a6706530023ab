"""cost: latency.json -> what the file that ships costs a phone, as the page shows it."""

from collections.abc import Iterator
from dataclasses import dataclass

from pocketear.contracts.latency import ClassCost, LatencyReport, ModelCost
from pocketear.contracts.verdict import Gate
from pocketear.evaluation.wording import gate_text, size

_OPS_SHOWN = 12
_PROVIDERS = {
    "host": "this machine",
    "arm64": "phone classes",
    "adb": "connected phone",
    "macos": "Core ML on this Mac",
}


@dataclass(frozen=True)
class ClassRow:
    """The file that ships on one phone class.

    instructions: of a second of listening; quiet: of one in which the model is not run
    front_end: its share of the former, [0, 1]; night: mAh of battery in 8 hours, and its interval
    """

    name: str
    instructions: str
    quiet: str
    front_end: float
    milliseconds: str
    interval: str
    night: str
    memory: str


@dataclass(frozen=True)
class OpRow:
    """One op of the file, or the rest of them. share: of all instructions, [0, 1]"""

    kind: str
    name: str
    front_end: bool
    instructions: str
    share: float


@dataclass(frozen=True)
class TimedRow:
    """A time by a stopwatch, without its value. reason: why it was not measured, else "" """

    provider: str
    figure: str
    limit: str
    passed: bool
    reason: str


def class_rows(cost: ModelCost) -> list[ClassRow]:
    """The phone classes, in the order of params.latency.classes."""
    return [
        ClassRow(
            name=name,
            instructions=_millions(one.instructions_per_second),
            quiet=_millions(one.instructions_per_quiet_second),
            front_end=one.front_end_instructions_per_second / max(1, one.instructions_per_second),
            milliseconds=f"{one.estimate_ms_per_second:.2g} ms",
            interval=f"{one.estimate_low:.2g} to {one.estimate_high:.2g}",
            night=_night(one),
            memory=size(one.peak_bytes),
        )
        for name, one in cost.arm64.items()
    ]


def op_rows(cost: ModelCost) -> tuple[str, list[OpRow]]:
    """The costliest ops on the first phone class, and the rest as one. returns: its name, rows"""
    if not cost.arm64:
        return "", []
    name, one = next(iter(cost.arm64.items()))
    ops = sorted(one.by_op, key=lambda op: -op.instructions)
    rows = [
        OpRow(op.op, op.name, op.front_end, _millions(op.instructions), op.share)
        for op in ops[:_OPS_SHOWN]
    ]
    if rest := ops[_OPS_SHOWN:]:
        total, share = sum(op.instructions for op in rest), sum(op.share for op in rest)
        rows.append(OpRow(f"{len(rest)} others", "", False, _millions(total), share))
    return name, rows


def timed_rows(latency: LatencyReport) -> Iterator[TimedRow]:
    """What a stopwatch judged: times differ from run to run, whether they passed hardly does."""
    for name, timed in latency.timed.items():
        provider = name.partition(".")[0]
        gate = Gate(
            name=name, sense="at most", limit=timed.limit, value=None, unit=timed.unit,
            passed=timed.passed, reason="", timed=True,
        )  # fmt: skip
        text, reason = gate_text(gate), latency.absent.get(provider, "")
        called = _PROVIDERS.get(provider, provider)
        yield TimedRow(called, text.figure, text.limit, timed.passed, reason)


def absent_rows(latency: LatencyReport) -> list[tuple[str, str]]:
    """What else could not be measured, and why."""
    shown = {name.partition(".")[0] for name in latency.timed}
    return [
        (", ".join(_PROVIDERS.get(part, part) for part in name.split(", ")), reason)
        for name, reason in latency.absent.items()
        if name not in shown
    ]


def tile(cost: ModelCost) -> tuple[str, str, str] | None:
    """The cost on the first phone class in one figure: name, value, small print."""
    if not cost.arm64:
        return None
    first = class_rows(cost)[0]
    about = f"estimated {first.milliseconds} ({first.interval})"
    note = f"instructions; {first.quiet} where it is quiet; {about}"
    return f"one second of listening on {first.name}", first.instructions, note


def _night(one: ClassCost) -> str:
    if one.mah_per_night is None:
        return "not known"
    low, high = one.mah_per_night_low, one.mah_per_night_high
    return f"{one.mah_per_night:.2g} mAh ({low:.2g} to {high:.2g})"


def _millions(count: float) -> str:
    return f"{count / 1e6:.3g} M"
