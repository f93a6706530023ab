"""page: findings -> one HTML file that needs nothing else, for people in a hurry."""

from importlib.metadata import version
from typing import Any

import jinja2
import yaml

from pocketear.report import cost, parity, views
from pocketear.report.findings import Findings, dataset_hash
from pocketear.report.wording import number, plural, runner_name, size
from pocketear.report.worst import worst_clips

_PACKAGES = (
    "ai-edge-litert",
    "ai-edge-quantizer",
    "coremltools",
    "keras",
    "librosa",
    "numpy",
    "pocketear",
    "tensorflow",
)


def render(found: Findings) -> str:
    """The page. The same findings give the same bytes."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pocketear.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"runner_name": runner_name, "size": size, "number": number}
    return environment.get_template("page.html").render(_content(found))


def _content(found: Findings) -> dict[str, Any]:
    runner = found.shipped[0]
    table = found.predictions_of(runner)
    matrix = views.confusion_of(table, found.labels) if table is not None else None
    index = found.store.index if found.store else None
    bins = found.params.evaluate.calibration_bins
    return {
        "found": found,
        "params": found.params,
        "runner": runner,
        "headline": headline(found),
        "tiles": tiles(found),
        "gates": views.gate_rows(found.verdict) if found.verdict else [],
        "runners": views.runner_rows(found),
        "confusion": matrix,
        "labels": views.label_rows(matrix) if matrix else [],
        "calibration": views.calibration(table, bins) if table is not None else None,
        "curves": list(views.training_curves(found.history)) if found.history is not None else [],
        "worst": worst_clips(found, runner),
        **_parity(found),
        **_cost(found.latency),
        "alarms": views.alarm_curves(found.alarms) if found.alarms is not None else None,
        "alarms_told": views.alarms_told((found.metrics or {}).get(runner, {})),
        "clips": views.clip_counts(index) if index is not None else [],
        "set_aside": views.set_aside_rows(found.set_aside) if found.set_aside is not None else [],
        "dataset_hash": dataset_hash(index) if index is not None else "",
        "params_yaml": yaml.safe_dump(found.params.model_dump(mode="json"), sort_keys=False),
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _parity(found: Findings) -> dict[str, Any]:
    if not found.parity:
        return {}
    runtimes, stages = parity.matrix(found.parity, found.params.gate.model_dump())
    return {"runtimes": runtimes, "stages": stages}


def _cost(latency: dict[str, Any] | None) -> dict[str, Any]:
    if not latency:
        return {}
    name, ops = cost.op_rows(latency["shipped"])
    return {
        "classes": cost.class_rows(latency["shipped"]),
        "ops_class": name,
        "ops": ops,
        "measured": cost.measured_rows(latency["shipped"]),
        "unmeasured": cost.absent_rows(latency),
    }


def headline(found: Findings) -> str:
    """The verdict in one sentence."""
    if not found.verdict:
        return "not judged: the run stopped before the gates"
    gates = found.verdict["gates"]
    missed = sum(not gate["passed"] for gate in gates)
    if found.verdict["accepted"]:
        return f"All {len(gates)} gates passed."
    return f"{missed} of {plural(len(gates), 'gate')} refused it."


def tiles(found: Findings) -> list[tuple[str, str, str]]:
    """The few figures that people ask for first: name, value, small print."""
    made = []
    own = (found.metrics or {}).get(found.shipped[0])
    if own:
        low, high = own["accuracy_low"], own["accuracy_high"]
        worst = min(own["recall"], key=lambda label: own["recall"][label])
        made += [
            (
                f"accuracy, {plural(own['clips'], 'test clip')}",
                number(own["accuracy"], share=True),
                f"95 % interval {100 * low:.1f} to {100 * high:.1f} %",
            ),
            ("worst label", number(own["recall"][worst], share=True), f"recall of {worst}"),
        ]
    shipped = (found.latency or {}).get("shipped", {})
    if "bytes" in shipped:
        made.append(("on Android", size(shipped["bytes"]), runner_name(found.shipped[0])))
    if costs := cost.tile(shipped):
        made.append(costs)
    return made
