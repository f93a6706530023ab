"""views: findings -> what each section of the page shows. Nothing is judged here, only shown."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from pocketear.contracts.metrics import Alarms, Metrics
from pocketear.contracts.names import SCORE_COLUMN, labels_of
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.evaluation.metrics import reliability
from pocketear.evaluation.wording import gate_text, number, plural, runner_name, size
from pocketear.report import charts, cost
from pocketear.report.advice import rules
from pocketear.report.advice.kinds import Advice
from pocketear.report.findings import Findings
from pocketear.report.tables import count_pairs

_TICK = 0.75  # where the limit of an `at most` gate stands on its bar
_SET_ASIDE_SHOWN = 20


@dataclass(frozen=True)
class Bar:
    """A value against its limit. fill, tick: shares of the bar's width"""

    fill: float
    tick: float


@dataclass(frozen=True)
class GateRow:
    """A gate as a row. bar: None where there is no value to draw; advice: where it failed"""

    subject: str
    figure: str
    limit: str
    value: str
    passed: bool
    reason: str
    bar: Bar | None
    advice: Advice | None


@dataclass(frozen=True)
class RunnerRow:
    """A model file's accuracy, as text and picture."""

    name: str
    ships: bool
    accuracy: str
    interval: str
    picture: Markup
    macro_f1: str
    worst: str
    calibration: str
    size: str


@dataclass(frozen=True)
class LabelRow:
    """How well one label is recognised. recall, precision: [0, 1]"""

    label: str
    clips: int
    recall: float
    precision: float
    mistaken_for: str


@dataclass(frozen=True)
class Confusion:
    """counts: (true label, predicted label)"""

    labels: list[str]
    counts: NDArray[np.int64]

    @property
    def rows(self) -> Iterator[tuple[str, list[tuple[int, float]]]]:
        """True label -> count, and share of that label's clips, of each predicted label."""
        totals = np.maximum(self.counts.sum(axis=1), 1)
        for label, row, total in zip(self.labels, self.counts, totals, strict=True):
            yield label, [(int(count), round(float(count / total), 3)) for count in row]


def headline(found: Findings) -> str:
    """The verdict in one sentence."""
    verdict = found.verdict
    if not verdict:
        return "not judged: the run stopped before the gates"
    count = len(verdict.gates)
    if verdict.accepted:
        return f"All {plural(count, 'gate')} passed."
    return f"{len(verdict.reasons)} of {plural(count, 'gate')} failed."


def tiles(found: Findings) -> list[tuple[str, str, str]]:
    """The few figures that people ask for first: name, value, small print."""
    made = []
    android = found.shipped[0]
    if own := found.metrics_of(android):
        interval = f"95 % interval {_interval(own)} %"
        clips = f"accuracy, {plural(own.clips, 'test clip')}"
        worst, recall = _worst_label(own)
        made += [
            (clips, number(own.accuracy, share=True), interval),
            ("worst label", number(recall, share=True), f"recall of {worst}"),
        ]
    if found.latency:
        made.append(("on Android", size(found.latency.cost.bytes), runner_name(android)))
        if costs := cost.tile(found.latency.cost):
            made.append(costs)
    return made


def gate_rows(verdict: Verdict, found: Findings) -> list[GateRow]:
    """Failed gates first, else in the verdict's order."""
    return [_gate_row(gate, found) for gate in sorted(verdict.gates, key=lambda gate: gate.passed)]


def _gate_row(gate: Gate, found: Findings) -> GateRow:
    text = gate_text(gate)
    return GateRow(
        text.subject, text.figure, text.limit, text.value, gate.passed, gate.reason, _bar(gate),
        None if gate.passed else rules.advise(gate, found),
    )  # fmt: skip


def _bar(gate: Gate) -> Bar | None:
    """An `at most` bar fills up to its tick; an `at least` bar must reach it."""
    if gate.value is None:
        return None
    is_share = gate.sense == "at least" and gate.limit <= 1
    full = 1.0 if is_share or gate.limit <= 0 else gate.limit / _TICK
    fill = min(1.0, max(0.0, gate.value / full))
    return Bar(round(fill, 4), round(min(1.0, gate.limit / full), 4))


def runner_rows(found: Findings) -> list[RunnerRow]:
    """Every runner that was evaluated, with its interval."""
    metrics = dict(found.metrics.items()) if found.metrics else {}
    limit = found.params.gate.min_accuracy
    lowest = min((own.accuracy_low for own in metrics.values()), default=limit)
    start = max(0.0, min(lowest, limit) - 0.05)
    return [_runner_row(name, own, start, found) for name, own in metrics.items()]


def _runner_row(name: str, own: Metrics, start: float, found: Findings) -> RunnerRow:
    worst, recall = _worst_label(own)
    whisker = charts.accuracy_whisker(own, start, found.params.gate.min_accuracy)
    return RunnerRow(
        name=runner_name(name),
        ships=name in found.shipped,
        accuracy=number(own.accuracy, share=True),
        interval=_interval(own),
        picture=charts.svg(whisker, f"accuracy_{name}", f"95 % interval {_interval(own)} %"),
        macro_f1=f"{own.macro_f1:.3f}",
        worst=f"{number(recall, share=True)} {worst}",
        calibration=number(own.calibration_error, share=True),
        size=size(own.bytes),
    )


def _interval(metrics: Metrics) -> str:
    return f"{100 * metrics.accuracy_low:.1f} to {100 * metrics.accuracy_high:.1f}"


def _worst_label(metrics: Metrics) -> tuple[str, float]:
    label = min(metrics.recall, key=lambda name: metrics.recall[name])
    return label, metrics.recall[label]


def confusion_of(table: pd.DataFrame, labels: list[str]) -> Confusion:
    """Counts of true against predicted labels. table: predictions of one runner"""
    return Confusion(labels, count_pairs(table["label"], table["predicted"], labels))


def label_rows(matrix: Confusion) -> Iterator[LabelRow]:
    """Recall, precision and the commonest mistake of every label."""
    true, predicted = matrix.counts.sum(axis=1), matrix.counts.sum(axis=0)
    for i, label in enumerate(matrix.labels):
        mistakes = matrix.counts[i].copy()
        right, mistakes[i] = int(mistakes[i]), 0
        most = int(mistakes.argmax())
        yield LabelRow(
            label,
            int(true[i]),
            right / max(1, int(true[i])),
            right / max(1, int(predicted[i])),
            f"{matrix.labels[most]} ({mistakes[most]})" if mistakes[most] else "",
        )


def calibration(table: pd.DataFrame, bins: int) -> Markup:
    """The reliability diagram of one runner. bins: params.evaluate.calibration_bins"""
    columns = [SCORE_COLUMN + label for label in labels_of(map(str, table))]
    confidence = table[columns].to_numpy(np.float32).max(axis=1)
    correct = (table["label"] == table["predicted"]).to_numpy(bool)
    curve = reliability(correct, confidence, bins=bins)
    points = (
        f"{plural(clips, 'clip')} of confidence {confidence:.2f}: {accuracy:.2f}"
        for confidence, accuracy, clips in curve.itertuples(index=False)
    )
    return charts.svg(
        charts.reliability(curve), "calibration", f"Accuracy by confidence. {'; '.join(points)}"
    )


def training_curves(history: pd.DataFrame) -> Iterator[Markup]:
    """Loss and, where it was logged, accuracy by epoch."""
    for name in ("loss", "accuracy"):
        if name in history and len(history):
            yield charts.svg(charts.training_curve(history, name), name, f"{name} by epoch")


def alarm_curves(points: pd.DataFrame) -> Markup | None:
    """Misses against false alarms, a line a label; None where no label sounds."""
    if points["misses"].isna().all():
        return None
    title = "Share of sounds missed against false alarms per hour, by label"
    return charts.svg(charts.alarm_curves(points), "alarms", title)


def alarms_in_words(alarms: Alarms | None) -> str:
    """What the thresholds in the file cost; "" where it was not measured."""
    if not alarms:
        return ""
    shares = [f"{number(share, share=True)} of {label}" for label, share in alarms.misses.items()]
    missed = f"With the thresholds in the file, {', '.join(shares) or 'nothing'} is missed"
    high = alarms.false_alarms_per_hour_high
    if high is None:
        return f"{missed}. There is no recording in which any alarm would be false."
    count, minutes = plural(alarms.false_alarms, "false alarm"), 60 * alarms.quiet_hours
    return (
        f"{missed}, with {count} in {minutes:.1f} min of sound that should raise none: "
        f"fewer than {number(high)} per hour with 95 % confidence."
    )


def clip_counts(index: pd.DataFrame) -> list[tuple[str, list[int]]]:
    """Clips of each label on each side, and in all."""
    sides = ["train", "val", "test"]
    counts = index.groupby(["label", "split"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=sides, fill_value=0)
    rows = [(str(label), [*map(int, row), int(row.sum())]) for label, row in counts.iterrows()]
    return [*rows, ("all", [sum(row[i] for _, row in rows) for i in range(len(sides) + 1)])]


def set_aside_rows(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The first clips that were set aside: path, reason."""
    shown = table.head(_SET_ASIDE_SHOWN)
    return list(zip(shown["path"].astype(str), shown["reason"].astype(str), strict=True))
