"""gate: measured values against the limits of params.gate -> verdict.json, accepted or why not.

Absolute and pure: it always writes a verdict, and never stops the pipeline itself. What was not
measured is refused. Registry, packagers, report and model card read the verdict; none decides.
headline.json has the few figures by which experiments are compared.
"""

from collections.abc import Iterator
from pathlib import Path

from pocketear.base import process
from pocketear.contracts.audit import Audit
from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.groups import Groups
from pocketear.contracts.headline import Headline
from pocketear.contracts.latency import LatencyReport
from pocketear.contracts.metrics import Metrics, MetricsReport
from pocketear.contracts.names import KERAS, shipped_runners
from pocketear.contracts.parity import ParityReport
from pocketear.contracts.report_file import read, write
from pocketear.contracts.robustness import RobustnessReport
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.params import AuditParams, GateParams, load_params


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


def bounded_gates(name: str, own: Metrics | None, p: GateParams, bound: str) -> Iterator[Gate]:
    """Accuracy, and recall of the worst label.

    bound: what is judged: `low`, the low end of the 95 % interval by group, which few groups make
        low, or `estimate`, the share of clips
    """
    if bound == "estimate":
        accuracy, recall = (own.accuracy, own.recall) if own else (None, {})
        worst = min(recall, key=lambda label: recall[label], default="")
        yield at_least(f"{name}.accuracy", p.min_accuracy, accuracy)
        why = f"label {worst}"
        yield at_least(f"{name}.recall_min", p.min_recall, recall.get(worst), why=why)
        return
    lows = own.recall_low if own else {}
    worst = min(lows, key=lambda label: lows[label], default="")
    accuracy, whole, part = (own.accuracy_low, _of(own), _of(own, worst)) if own else (None, "", "")
    yield at_least(f"{name}.accuracy_low", p.min_accuracy, accuracy, why=whole)
    why = f"label {worst}: {part}"
    yield at_least(f"{name}.recall_low", p.min_recall, lows.get(worst), why=why)


def _of(own: Metrics, label: str = "") -> str:
    """A share, and what it stands on. label: "" for all"""
    share = own.recall[label] if label else own.accuracy
    groups = own.label_groups[label] if label else own.groups
    return f"{100 * share:.1f} % measured, on {groups} groups"


def accuracy_gates(
    metrics: MetricsReport, shipped: tuple[str, ...], folds: GroupFolds, p: GateParams
) -> Iterator[Gate]:
    """Absolute accuracy of the files that ship, and what they lose against Keras.

    Where the test side is too few people, the bounds are judged over all folds of groups.
    """
    keras = metrics[KERAS]
    if folds.metrics:
        yield from bounded_gates("crossvalidated", folds.metrics, p, p.bound)
    for name in shipped:
        own = metrics.get(name)
        recall: dict[str, float | None] = {**own.recall} if own else {"": None}
        accuracy, error = (own.accuracy, own.calibration_error) if own else (None, None)
        yield from bounded_gates(name, own, p, "estimate" if folds.metrics else p.bound)
        yield at_most(f"{name}.calibration_error", p.max_calibration_error, error)
        yield at_most(f"{name}.accuracy_drop", p.max_drop, _drop(keras.accuracy, accuracy))
        drops = {label: _drop(keras.recall.get(label), recall[label]) for label in recall}
        label = max(drops, key=lambda label: _number(drops[label]))
        limit = p.max_label_drop
        yield at_most(f"{name}.recall_drop", limit, drops[label], why=f"label {label}")


def robust_gates(found: RobustnessReport, p: GateParams) -> Iterator[Gate]:
    """Recall of the worst label on changed test clips; a limit of 0 asks for nothing."""
    for condition, limit in p.robust.items():
        if limit:
            own = found.get(condition)
            worst, value = (own.worst, own.recall[own.worst]) if own else ("", None)
            name = f"robust.{condition}.recall_min"
            yield at_least(name, limit, value, why=f"label {worst}")


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


def audit_gates(audit: Audit, p: AuditParams) -> Iterator[Gate]:
    """What is not sound must not tell the labels apart: the property that does so best."""
    worst = audit.worst
    separation, why = worst.separation if worst else 0.0, worst.sentence if worst else ""
    yield at_most("audit.separation", p.max_separation, separation, why=why)


def judge(
    gates: list[Gate],
    absent: tuple[str, ...],
    notes: tuple[str, ...] = (),
    *,
    rendered: bool = False,
) -> Verdict:
    """The verdict. absent: gates that there are not, with the reason; notes: what limits it."""
    reasons = tuple(gate.reason for gate in gates if not gate.passed)
    return Verdict(
        accepted=not reasons, demonstration=rendered, reasons=reasons, absent=absent,
        notes=notes, gates=tuple(gates),
    )  # fmt: skip


def notes(own: Metrics | None, folds: GroupFolds, groups: Groups) -> tuple[str, ...]:
    """On what the verdict stands, a sentence each. own: of the file that ships on Android"""
    own = folds.metrics or own
    found = [groups.warning] if groups.warning else []
    if own:
        label = min(own.label_groups, key=lambda name: own.label_groups[name])
        where = f"{folds.folds} folds of groups" if folds.metrics else "the test side"
        found.append(
            f"stands on {own.clips} clips of {own.groups} groups on {where}; fewest of label "
            f"{label}: {own.label_groups[label]}"
        )
    if folds.metrics:
        found.append(f"cross-validated by group, with {folds.why}")
    return tuple(found)


def lenient(own: Metrics | None, folds: GroupFolds, p: GateParams) -> tuple[str, ...]:
    """Limits that let through what the usual ones would not, a sentence each."""
    own = folds.metrics or own
    found = []
    if p.bound == "estimate" and own:
        found.append(
            "gate.bound is estimate, so luck with few groups may pass; with 95 % confidence "
            f"accuracy on new people is only known to be {100 * own.accuracy_low:.1f} % or more"
        )
    for name in ("min_accuracy", "min_recall"):
        if getattr(p, name) == 0:
            found.append(f"gate.{name} is 0, so it asks for nothing")
    return tuple(found)


def _number(value: float | None) -> float:
    return float("-inf") if value is None else value


def _drop(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else before - after


def headline_of(
    found: Verdict, android: Metrics | None, ios: Metrics | None, latency: LatencyReport
) -> Headline:
    """What is compared between experiments. android, ios: of the files that ship"""
    alarms = android.alarms if android else None
    cost = latency.cost.arm64
    return Headline(
        accepted=found.accepted,
        gates_failed=len(found.failed),
        accuracy=android.accuracy if android else None,
        accuracy_low=android.accuracy_low if android else None,
        recall_min=android.recall_min if android else None,
        false_alarms_per_hour=alarms.false_alarms_per_hour_high if alarms else None,
        tflite_bytes=android.bytes if android else None,
        mlpackage_bytes=ios.bytes if ios else None,
        instructions={phone: one.instructions_per_second for phone, one in cost.items()},
    )


def main(reports: Path, verdict: Path, headline: Path) -> None:
    """Hold every figure against its limit."""
    params = load_params()
    shipped = shipped_runners(params.export)
    figures = read(reports / "metrics.json", MetricsReport)
    latency = read(reports / "latency.json", LatencyReport)
    crossvalidated = read(reports / "folds" / "folds.json", GroupFolds)
    audit = read(reports / "validation" / "audit.json", Audit)
    gates = [
        *accuracy_gates(figures, shipped, crossvalidated, params.gate),
        *robust_gates(read(reports / "robustness.json", RobustnessReport), params.gate),
        *alarm_gates(figures, shipped[0], params.gate),
        *parity_gates(read(reports / "parity.json", ParityReport), params.gate),
        *latency_gates(latency, params.gate),
        *audit_gates(audit, params.audit),
    ]
    own = figures.get(shipped[0])
    found = judge(
        gates,
        not_judged(figures, shipped[0]),
        (
            *notes(own, crossvalidated, read(reports / "groups.json", Groups)),
            *lenient(own, crossvalidated, params.gate),
            *audit.marks,
        ),
        rendered=params.data.rendered,
    )
    write(headline_of(found, own, figures.get(shipped[1]), latency), headline)
    write(found, verdict)
    print(f"gate: {found.headline}; {len(gates) - len(found.reasons)} of {len(gates)} gates passed")
    for reason in (
        *found.reasons,
        *found.notes,
        *(f"no gate: {reason}" for reason in found.absent),
    ):
        print(f"gate: {reason}")


if __name__ == "__main__":
    process.run(main)
