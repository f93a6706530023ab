"""gate: measured values against the limits of params.gate -> verdict.json, accepted or why not.

Absolute and pure: it always writes a verdict, and never stops the pipeline itself. What was not
measured is refused. Registry, packagers, report and model card read the verdict; none decides.
"""

from collections.abc import Iterator
from pathlib import Path

from pocketear.base import process
from pocketear.contracts.latency import LatencyReport
from pocketear.contracts.metrics import MetricsReport
from pocketear.contracts.names import KERAS, shipped_runners
from pocketear.contracts.parity import ParityReport
from pocketear.contracts.report_file import read, write
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.params import GateParams, load_params


def at_least(name: str, limit: float, value: float | None, unit: str = "", why: str = "") -> Gate:
    """A gate that refuses a value below `limit`, or none. why: what a refusal adds."""
    passed = value is not None and value >= limit
    gate = Gate(
        name=name, sense="at least", limit=limit, value=value, unit=unit, passed=passed, reason=""
    )
    return _reasoned(gate, why)


def at_most(name: str, limit: float, value: float | None, unit: str = "", why: str = "") -> Gate:
    """A gate that refuses a value above `limit`, or none. why: what a refusal adds."""
    passed = value is not None and value <= limit
    gate = Gate(
        name=name, sense="at most", limit=limit, value=value, unit=unit, passed=passed, reason=""
    )
    return _reasoned(gate, why)


def _reasoned(gate: Gate, why: str) -> Gate:
    """The gate with the reason why it did not pass."""
    if gate.passed:
        return gate
    reason = f"{gate.name}: not measured"
    if gate.value is not None:
        wanted = f"{gate.sense} {gate.limit:.4g}{gate.unit}"
        by = abs(gate.value - gate.limit)
        reason = f"{gate.name}: {gate.value:.4g}{gate.unit}, want {wanted}; missed by {by:.3g}"
    return gate.model_copy(update={"reason": f"{reason} ({why})" if why else reason})


def accuracy_gates(
    metrics: MetricsReport, shipped: tuple[str, ...], p: GateParams
) -> Iterator[Gate]:
    """Absolute accuracy of the files that ship, and what they lose against Keras."""
    keras = metrics[KERAS]
    for name in shipped:
        own = metrics.get(name)
        recall: dict[str, float | None] = {**own.recall} if own else {"": None}
        worst = min(recall, key=lambda label: _number(recall[label]))
        accuracy, error = (own.accuracy, own.calibration_error) if own else (None, None)
        yield at_least(f"{name}.accuracy", p.min_accuracy, accuracy)
        yield at_least(f"{name}.recall_min", p.min_recall, recall[worst], why=f"label {worst}")
        yield at_most(f"{name}.calibration_error", p.max_calibration_error, error)
        yield at_most(f"{name}.accuracy_drop", p.max_drop, _drop(keras.accuracy, accuracy))
        drops = {label: _drop(keras.recall.get(label), recall[label]) for label in recall}
        label = max(drops, key=lambda label: _number(drops[label]))
        limit = p.max_label_drop
        yield at_most(f"{name}.recall_drop", limit, drops[label], why=f"label {label}")


def alarm_gates(metrics: MetricsReport, name: str, p: GateParams) -> Iterator[Gate]:
    """What the thresholds inside a file cost: its worst label's misses, and false alarms.

    The rate is judged by what it stays below with 95 % confidence, so a short recording cannot
    vouch for a low one. There is no such gate without sound in which no event is right.
    """
    metric = metrics.get(name)
    own = metric.alarms if metric else None
    misses: dict[str, float | None] = {**own.misses} if own and own.misses else {"": None}
    worst = max(misses, key=lambda label: _number(misses[label]))
    yield at_most(f"{name}.miss_rate", p.max_miss_rate, misses[worst], why=f"label {worst}")
    if own and own.quiet_hours == 0:
        return
    high, why = None, ""
    if own:
        counted = f"{own.false_alarms} in {60 * own.quiet_hours:.1f} min of sound to ignore"
        why = f"{counted}, so below this with 95 % confidence; longer recordings narrow it"
        high = own.false_alarms_per_hour_high
    figure = f"{name}.false_alarms_per_hour"
    yield at_most(figure, p.max_false_alarms_per_hour, high, " /h", why=why)


def not_judged(metrics: MetricsReport, name: str) -> tuple[str, ...]:
    """Which gates there are not, and why."""
    metric = metrics.get(name)
    if not metric or not metric.alarms or metric.alarms.quiet_hours != 0:
        return ()
    return (
        f"{name}.false_alarms_per_hour: no label of listener.background and no recording in "
        "evaluate.negatives, so there is no sound in which an alarm would be false",
    )


def parity_gates(parity: ParityReport, p: GateParams) -> Iterator[Gate]:
    """Every entry of the parity matrix against the limit that it names."""
    limits = p.model_dump()
    for entry in parity.entries:
        for figure, limit in entry.limits.items():
            name = f"{entry.runtime}.{entry.stage}.{figure}"
            why = entry.absent or f"worst clip {entry.worst}"
            yield at_most(name, limits[limit], entry.figure(figure), why=why)


def latency_gates(latency: LatencyReport, p: GateParams) -> Iterator[Gate]:
    """Cost of the file that ships: its size, what was timed, and each phone class."""
    absent = latency.absent
    yield at_most("file_bytes", p.max_file_bytes, latency.cost.bytes, " B")
    yield from timed_gates(latency)
    for name, budget in p.budgets.items():
        cost = latency.cost.arm64.get(name)
        costliest = cost.costliest_op if cost else f"{name} is not in latency.classes"
        why = absent.get("arm64", costliest)
        figures = {
            "instructions_per_second": (budget.max_instructions, ""),
            "instructions_per_listening_second": (budget.max_listening_instructions, ""),
            "estimate_ms_per_second": (budget.max_ms, " ms"),
            "peak_bytes": (budget.max_peak_bytes, " B"),
        }
        for figure, (limit, unit) in figures.items():
            value = getattr(cost, figure) if cost else None
            reason = f"an estimate; {why}" if figure.startswith("estimate") else why
            yield at_most(f"{name}.{figure}", limit, value, unit, why=reason)


def timed_gates(latency: LatencyReport) -> Iterator[Gate]:
    """Times by a stopwatch: `latency` says whether they kept to their limit, not what they were."""
    for name, timed in latency.timed.items():
        why = latency.absent.get(name.partition(".")[0], "")
        over = f"not measured ({why})" if why else f"over {timed.limit:.4g}{timed.unit}"
        yield Gate(
            name=name, sense="at most", limit=timed.limit, value=None, unit=timed.unit, timed=True,
            passed=timed.passed, reason="" if timed.passed else f"{name}: {over}",
        )  # fmt: skip


def judge(gates: list[Gate], absent: tuple[str, ...]) -> Verdict:
    """The verdict. absent: gates that there are not, with the reason."""
    reasons = tuple(gate.reason for gate in gates if not gate.passed)
    return Verdict(accepted=not reasons, reasons=reasons, absent=absent, gates=tuple(gates))


def _number(value: float | None) -> float:
    return float("-inf") if value is None else value


def _drop(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else before - after


def main(metrics: Path, parity: Path, latency: Path, verdict: Path) -> None:
    """Hold every figure against its limit."""
    params = load_params()
    shipped, figures = shipped_runners(params.export), read(metrics, MetricsReport)
    gates = [
        *accuracy_gates(figures, shipped, params.gate),
        *alarm_gates(figures, shipped[0], params.gate),
        *parity_gates(read(parity, ParityReport), params.gate),
        *latency_gates(read(latency, LatencyReport), params.gate),
    ]
    found = judge(gates, not_judged(figures, shipped[0]))
    write(found, verdict)
    print(f"gate: {found.word}, {len(gates) - len(found.reasons)} of {len(gates)} gates passed")
    for reason in (*found.reasons, *(f"no gate: {reason}" for reason in found.absent)):
        print(f"gate: {reason}")


if __name__ == "__main__":
    process.run(main)
