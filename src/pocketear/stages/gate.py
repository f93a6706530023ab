"""gate: measured values against the limits of params.gate -> verdict.json, accepted or why not.

Absolute and pure: it always writes a verdict, and never stops the pipeline itself. What was not
measured is refused. Registry, packagers, report and model card read the verdict; none decides.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pocketear.base import process
from pocketear.base.errors import DataError
from pocketear.base.files import replacing
from pocketear.params import GateParams, load_params

_DEVICES = ("adb", "macos")  # judged where params.latency.providers asks for them


@dataclass(frozen=True)
class Gate:
    """One row of the verdict. value: None where it was not measured."""

    name: str
    sense: str  # at least | at most
    limit: float
    value: float | None
    unit: str
    passed: bool
    reason: str  # "" if passed


def at_least(name: str, limit: float, value: float | None, unit: str = "", why: str = "") -> Gate:
    """A gate that refuses a value below `limit`, or none. why: what a refusal adds."""
    return _gate(name, "at least", limit, value, unit, why)


def at_most(name: str, limit: float, value: float | None, unit: str = "", why: str = "") -> Gate:
    """A gate that refuses a value above `limit`, or none. why: what a refusal adds."""
    return _gate(name, "at most", limit, value, unit, why)


def _gate(name: str, sense: str, limit: float, value: float | None, unit: str, why: str) -> Gate:
    if value is None:
        passed, reason = False, f"{name}: not measured"
    else:
        passed = value >= limit if sense == "at least" else value <= limit
        by = abs(value - limit)
        reason = f"{name}: {value:.4g}{unit}, want {sense} {limit:.4g}{unit}; missed by {by:.3g}"
    return Gate(name, sense, limit, value, unit, passed, "" if passed else _with(reason, why))


def _with(reason: str, why: str) -> str:
    return f"{reason} ({why})" if why else reason


def accuracy_gates(metrics: dict[str, Any], shipped: list[str], p: GateParams) -> Iterator[Gate]:
    """Absolute accuracy of the files that ship, and what they lose against Keras."""
    keras = metrics["keras"]
    for name in shipped:
        own = metrics.get(name, {})
        recall = own.get("recall") or {"": None}
        worst = min(recall, key=lambda label: _number(recall[label]))
        yield at_least(f"{name}.accuracy", p.min_accuracy, own.get("accuracy"))
        yield at_least(f"{name}.recall_min", p.min_recall, recall[worst], why=f"label {worst}")
        error = own.get("calibration_error")
        yield at_most(f"{name}.calibration_error", p.max_calibration_error, error)
        drop = _drop(keras["accuracy"], own.get("accuracy"))
        yield at_most(f"{name}.accuracy_drop", p.max_drop, drop)
        drops = {label: _drop(keras["recall"].get(label), recall[label]) for label in recall}
        label = max(drops, key=lambda label: _number(drops[label]))
        limit = p.max_label_drop
        yield at_most(f"{name}.recall_drop", limit, drops[label], why=f"label {label}")


def alarm_gates(metrics: dict[str, Any], name: str, p: GateParams) -> Iterator[Gate]:
    """What the thresholds inside a file cost: its worst label's misses, and false alarms.

    The rate is judged by what it stays below with 95 % confidence, so a short recording cannot
    vouch for a low one. There is no such gate without sound in which nothing should be told of.
    """
    own = metrics.get(name, {}).get("alarms", {})
    misses = own.get("misses") or {"": None}
    worst = max(misses, key=lambda label: _number(misses[label]))
    yield at_most(f"{name}.miss_rate", p.max_miss_rate, misses[worst], why=f"label {worst}")
    if own.get("quiet_hours") != 0:
        high, why = own.get("false_alarms_per_hour_high"), ""
        if own:
            heard = f"{own['false_alarms']} in {60 * own['quiet_hours']:.1f} min of sound to ignore"
            why = f"{heard}, so below this with 95 % confidence; longer recordings tell more"
        figure = f"{name}.false_alarms_per_hour"
        yield at_most(figure, p.max_false_alarms_per_hour, high, " /h", why=why)


def not_judged(metrics: dict[str, Any], name: str) -> list[str]:
    """Which gates there are not, and why."""
    if metrics.get(name, {}).get("alarms", {}).get("quiet_hours") != 0:
        return []
    return [
        f"{name}.false_alarms_per_hour: no label of listener.background and no recording in "
        "evaluate.negatives, so there is no sound in which an alarm would be false"
    ]


def parity_gates(parity: dict[str, Any], p: GateParams) -> Iterator[Gate]:
    """Every entry of the parity matrix against the limit that it names."""
    limits = p.model_dump()
    for entry in parity["entries"]:
        for figure, limit in entry["limits"].items():
            name = f"{entry['runtime']}.{entry['stage']}.{figure}"
            why = entry["absent"] or f"worst clip {entry['worst']}"
            yield at_most(name, limits[limit], entry[figure], why=why)


def latency_gates(latency: dict[str, Any], p: GateParams) -> Iterator[Gate]:
    """Cost of the file that ships: its size, this machine, and each phone class."""
    shipped, absent = latency["shipped"], latency["absent"]
    yield at_most("file_bytes", p.max_file_bytes, shipped["bytes"], " B")
    ratio = shipped.get("host", {}).get("ratio_median")
    yield at_most("host.ratio", p.max_host_ratio, ratio, why=absent.get("host", ""))
    for device in (name for name in _DEVICES if name in shipped or name in absent):
        ms, why = shipped.get(device, {}).get("ms_per_listening_second"), absent.get(device, "")
        yield at_most(f"{device}.ms_per_listening_second", p.max_device_ms, ms, " ms", why=why)
    for name, budget in p.budgets.items():
        cost = shipped.get("arm64", {}).get(name, {})
        why = absent.get("arm64", cost.get("costliest_op", f"{name} is not in latency.classes"))
        count, ms = cost.get("instructions_per_second"), cost.get("estimate_ms_per_second")
        yield at_most(f"{name}.instructions_per_second", budget.max_instructions, count, why=why)
        listening, limit = "instructions_per_listening_second", budget.max_listening_instructions
        yield at_most(f"{name}.{listening}", limit, cost.get(listening), why=why)
        estimate = f"{name}.estimate_ms_per_second"
        yield at_most(estimate, budget.max_ms, ms, " ms", why=f"an estimate; {why}")
        peak = f"{name}.peak_bytes"
        yield at_most(peak, budget.max_peak_bytes, cost.get("peak_bytes"), " B", why=why)


def judge(gates: list[Gate], absent: list[str]) -> dict[str, Any]:
    """What verdict.json says. absent: gates that there are not, with the reason."""
    reasons = [gate.reason for gate in gates if not gate.passed]
    rows = [asdict(gate) for gate in gates]
    return {"accepted": not reasons, "reasons": reasons, "absent": absent, "gates": rows}


def _number(value: float | None) -> float:
    return float("-inf") if value is None else value


def _drop(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else before - after


def read_json(path: Path) -> dict[str, Any]:
    """Read a report.

    raises: DataError if it is missing or not JSON
    """
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); `dvc repro` makes it") from error


def main(metrics: Path, parity: Path, latency: Path, verdict: Path) -> None:
    """Hold every figure against its limit."""
    params = load_params()
    shipped = [f"litert_{params.export.android}", f"coreml_{params.export.ios}"]
    figures = read_json(metrics)
    gates = [
        *accuracy_gates(figures, shipped, params.gate),
        *alarm_gates(figures, shipped[0], params.gate),
        *parity_gates(read_json(parity), params.gate),
        *latency_gates(read_json(latency), params.gate),
    ]
    found = judge(gates, not_judged(figures, shipped[0]))
    with replacing(verdict) as fresh:
        fresh.write_text(json.dumps(found, indent=2) + "\n")
    word = "accepted" if found["accepted"] else "refused"
    print(f"gate: {word}, {len(gates) - len(found['reasons'])} of {len(gates)} gates passed")
    for reason in (*found["reasons"], *(f"no gate: {told}" for told in found["absent"])):
        print(f"gate: {reason}")


if __name__ == "__main__":
    process.run(main)
