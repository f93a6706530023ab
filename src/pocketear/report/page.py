"""page: findings -> one HTML file that needs nothing else, for people in a hurry."""

from importlib.metadata import version

import yaml

from pocketear.contracts.latency import LatencyReport
from pocketear.contracts.parity import ParityReport
from pocketear.contracts.verdict import Verdict
from pocketear.report import cost, parity, views
from pocketear.report.advice import rules
from pocketear.report.findings import Findings, dataset_hash
from pocketear.report.html import html
from pocketear.report.suspects import suspects
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
Content = dict[str, object]  # what the template names


def render(found: Findings) -> str:
    """The page. The same findings give the same bytes."""
    return html("page.html", _content(found))


def _content(found: Findings) -> Content:
    runner = found.shipped[0]
    return {
        "found": found,
        "params": found.params,
        "runner": runner,
        "headline": views.headline(found),
        "tiles": views.tiles(found),
        "gates": views.gate_rows(found.verdict, found) if found.verdict else [],
        "runners": views.runner_rows(found),
        "curves": list(views.training_curves(found.history)) if found.history is not None else [],
        "worst": worst_clips(found, runner),
        "suspects": suspects(found),
        **_labels(found, runner),
        **_listener(found, runner),
        **(_parity(found.parity, found.verdict) if found.parity else {}),
        **(_cost(found.latency) if found.latency else {}),
        **_dataset(found),
        "params_yaml": yaml.safe_dump(found.params.model_dump(mode="json"), sort_keys=False),
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _labels(found: Findings, runner: str) -> Content:
    table = found.predictions_of(runner)
    if table is None:
        return {"confusion": None}
    matrix = views.confusion_of(table, found.labels)
    return {
        "confusion": matrix,
        "labels": views.label_rows(matrix),
        "calibration": views.calibration(table, found.params.evaluate.calibration_bins),
    }


def _listener(found: Findings, runner: str) -> Content:
    own = found.metrics_of(runner)
    return {
        "alarms": views.alarm_curves(found.alarms) if found.alarms is not None else None,
        "alarms_in_words": views.alarms_in_words(own.alarms if own else None),
    }


def _parity(report: ParityReport, verdict: Verdict | None) -> Content:
    runtimes, stages = parity.matrix(report, verdict)
    return {"runtimes": runtimes, "stages": stages}


def _cost(latency: LatencyReport) -> Content:
    name, ops = cost.op_rows(latency.cost)
    return {
        "classes": cost.class_rows(latency.cost),
        "ops_class": name,
        "ops": ops,
        "timed": list(cost.timed_rows(latency)),
        "unmeasured": cost.absent_rows(latency),
    }


def _dataset(found: Findings) -> Content:
    index = found.store.index if found.store else None
    return {
        "clips": views.clip_counts(index) if index is not None else [],
        "findings": rules.of_findings(found),
        "set_aside": views.set_aside_rows(found.set_aside) if found.set_aside is not None else [],
        "dataset_hash": dataset_hash(index) if index is not None else "",
    }
