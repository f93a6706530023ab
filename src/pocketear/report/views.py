"""views: findings -> what each section of the page shows. Nothing is judged here, only told."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from pocketear.evaluation.metrics import confusion
from pocketear.report import charts
from pocketear.report.findings import Findings, score_columns
from pocketear.report.wording import SHARES, gate_name, number, plural, runner_name, size

_TICK = 0.75  # where the limit of an `at most` gate stands on its bar
_SET_ASIDE_SHOWN = 20


@dataclass(frozen=True)
class GateRow:
    """A gate as a row. fill, tick: shares of the bar's width."""

    subject: str
    figure: str
    limit: str
    value: str
    passed: bool
    reason: str
    fill: float
    tick: float


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
    """How well one label is heard."""

    label: str
    clips: int
    recall: float
    precision: float
    mistaken_for: str


@dataclass(frozen=True)
class Confusion:
    """counts and shares of each true label: (true, predicted)."""

    labels: list[str]
    rows: list[tuple[str, list[tuple[int, float]]]]


def gate_rows(verdict: dict[str, Any]) -> list[GateRow]:
    """Failed gates first, else in the verdict's order."""
    rows = [_gate_row(gate) for gate in verdict["gates"]]
    return sorted(rows, key=lambda row: row.passed)


def _gate_row(gate: dict[str, Any]) -> GateRow:
    share = gate["name"].rpartition(".")[2] in SHARES
    subject, figure = gate_name(gate["name"])
    limit, value = gate["limit"], gate["value"]
    sign = "≥" if gate["sense"] == "at least" else "≤"
    fill, tick = _bar(gate["sense"], limit, value)
    return GateRow(
        subject,
        figure,
        f"{sign} {number(limit, gate['unit'], share=share)}",
        number(value, gate["unit"], share=share),
        gate["passed"],
        gate["reason"],
        fill,
        tick,
    )


def _bar(sense: str, limit: float, value: float | None) -> tuple[float, float]:
    """An `at most` bar fills up to its tick; an `at least` bar must reach it."""
    is_share = sense == "at least" and limit <= 1
    full = 1.0 if is_share or limit <= 0 else limit / _TICK
    fill = 0.0 if value is None else min(1.0, max(0.0, value / full))
    return round(fill, 4), round(min(1.0, limit / full), 4)


def runner_rows(found: Findings) -> list[RunnerRow]:
    """Every runner that was evaluated, with its interval."""
    metrics = found.metrics or {}
    lowest = min((m["accuracy_low"] for m in metrics.values()), default=0.0)
    limit = found.params.gate.min_accuracy
    start = max(0.0, min(lowest, limit) - 0.05)
    return [
        RunnerRow(
            runner_name(name),
            name in found.shipped,
            number(m["accuracy"], share=True),
            f"{100 * m['accuracy_low']:.1f} to {100 * m['accuracy_high']:.1f}",
            charts.whisker(m["accuracy_low"], m["accuracy"], m["accuracy_high"], start, limit),
            f"{m['macro_f1']:.3f}",
            _worst_label(m["recall"]),
            number(m["calibration_error"], share=True),
            size(m["bytes"]) if "bytes" in m else "",
        )
        for name, m in metrics.items()
    ]


def _worst_label(recall: dict[str, float]) -> str:
    label = min(recall, key=lambda name: recall[name])
    return f"{number(recall[label], share=True)} {label}"


def confusion_of(table: pd.DataFrame, labels: list[str]) -> Confusion:
    """Counts of true against predicted labels, with each row's shares."""
    place = {label: i for i, label in enumerate(labels)}
    truth, predicted = (
        np.asarray(table[name].map(place), np.int64) for name in ("label", "predicted")
    )
    counts = confusion(truth, predicted, len(labels))
    totals = np.maximum(counts.sum(axis=1), 1)
    rows = [
        (label, [(int(n), round(float(n / total), 3)) for n in row])
        for label, row, total in zip(labels, counts, totals, strict=True)
    ]
    return Confusion(labels, rows)


def label_rows(matrix: Confusion) -> list[LabelRow]:
    """Recall, precision and the commonest mistake of every label."""
    counts = np.asarray([[n for n, _ in row] for _, row in matrix.rows])
    heard = np.maximum(counts.sum(axis=0), 1)
    rows = []
    for i, label in enumerate(matrix.labels):
        others = counts[i].copy()
        others[i] = 0
        most = int(others.argmax())
        rows.append(
            LabelRow(
                label,
                int(counts[i].sum()),
                float(counts[i, i] / max(1, counts[i].sum())),
                float(counts[i, i] / heard[i]),
                f"{matrix.labels[most]} ({others[most]})" if others[most] else "",
            )
        )
    return rows


def calibration(table: pd.DataFrame, bins: int) -> Markup:
    """The reliability diagram of one runner, over the bins of the calibration error."""
    confidence = table[score_columns(table)].max(axis=1)
    right = (table["label"] == table["predicted"]).astype(float)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    grouped = pd.DataFrame({"confidence": confidence, "right": right}).groupby(place)
    points = [
        (float(one["confidence"].mean()), float(one["right"].mean()), len(one))
        for _, one in grouped
    ]
    return charts.reliability(points)


def training_curves(history: pd.DataFrame) -> Iterator[Markup]:
    """Loss and accuracy by epoch, with the epoch of the lowest validation loss marked."""
    epochs = history["epoch"].astype(float)
    best = float(epochs.iloc[int(history["val_loss"].to_numpy().argmin())])
    for name, top in (("loss", None), ("accuracy", 1.0)):
        series = {
            side: list(zip(epochs, history[column].astype(float), strict=True))
            for side, column in (("training", name), ("validation", f"val_{name}"))
            if column in history
        }
        values = [value for line in series.values() for _, value in line]
        low = 0.0 if top is None else max(0.0, min(values) - 0.05)
        y_range = (low, top if top is not None else float(np.percentile(values, 98)) * 1.05)
        yield charts.lines(series, x_name="epoch", y_name=name, y_range=y_range, mark=best)


def alarm_curves(alarms: pd.DataFrame) -> Markup:
    """Misses against false alarms an hour, one line a label, from the highest threshold down."""
    falling = alarms.dropna(subset=["misses"]).sort_values("threshold", ascending=False)
    series = {
        str(label): [
            (false_alarms, 100 * misses)
            for false_alarms, misses in rows[["false_alarms_per_hour", "misses"]].to_numpy(float)
        ]
        for label, rows in falling.groupby("label")
    }
    return charts.lines(
        series,
        x_name="false alarms an hour",
        y_name="missed, %",
        y_range=(0.0, 100.0),
        mark=None,
    )


def alarms_told(metrics: dict[str, Any]) -> str:
    """What the thresholds inside the file cost, in words; "" where it was not measured."""
    alarms = metrics.get("alarms")
    if not alarms:
        return ""
    told = [f"{number(share, share=True)} of {label}" for label, share in alarms["misses"].items()]
    missed = f"With the thresholds inside the file, {', '.join(told) or 'nothing'} is missed"
    high = alarms["false_alarms_per_hour_high"]
    if high is None:
        return f"{missed}; no sound here in which an alarm would be false."
    count, minutes = plural(alarms["false_alarms"], "false alarm"), 60 * alarms["quiet_hours"]
    return (
        f"{missed}; {count} in {minutes:.1f} min of sound to ignore, "
        f"so fewer than {number(high)} an hour with 95 % confidence."
    )


def clip_counts(index: pd.DataFrame) -> list[tuple[str, list[int]]]:
    """Clips of each label on each side, and together."""
    sides = ["train", "val", "test"]
    counts = index.groupby(["label", "split"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=sides, fill_value=0)
    rows = [(str(label), [*map(int, row), int(row.sum())]) for label, row in counts.iterrows()]
    return [*rows, ("all", [sum(row[i] for _, row in rows) for i in range(len(sides) + 1)])]


def set_aside_rows(table: pd.DataFrame) -> list[tuple[str, str]]:
    """The first clips that were set aside: path, reason."""
    shown = table.head(_SET_ASIDE_SHOWN)
    return list(zip(shown["path"].astype(str), shown["reason"].astype(str), strict=True))
