"""markdown: findings -> the text of a pull request, short enough to be read there."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pocketear.report.cost import ClassRow, class_rows
from pocketear.report.figures import table
from pocketear.report.findings import Findings
from pocketear.report.page import headline
from pocketear.report.views import confusion_of, gate_rows
from pocketear.report.wording import number, runner_name, size

_LOSSES = ("loss", "val_loss")
_POINTS = 100  # of a curve, at most


def text(found: Findings, before: Findings | None = None) -> str:
    """The verdict, what changed against `before` (the main branch's reports), sizes, cost, plots.

    The plots are a folded table and a folded Mermaid chart, which GitHub draws in a comment.
    """
    parts = (_verdict(found, before), _metrics(found, before), _sizes(found, before), _plots(found))
    return "\n".join(line for part in parts for line in part) + "\n"


def _verdict(found: Findings, before: Findings | None) -> Iterator[str]:
    params = found.params
    word = "not judged"
    if found.verdict:
        word = "accepted" if found.verdict["accepted"] else "refused"
    yield f"### {params.package.name} {params.package.version}: {word}"
    yield ""
    yield headline(found)
    if before:
        yield f"On the main branch: {headline(before)}"
    failed = [row for row in gate_rows(found.verdict) if not row.passed] if found.verdict else []
    if failed:
        yield ""
        yield table(
            ["gate that refused", "measured", "limit"],
            [[f"{row.subject} {row.figure}".strip(), row.value, row.limit] for row in failed],
        )


def _metrics(found: Findings, before: Findings | None) -> Iterator[str]:
    if not found.metrics:
        return
    old = (before.metrics if before else None) or {}
    head = ["file", "accuracy", "95 % interval", "macro F1", "worst recall", "calibration error"]
    rows = []
    for name, own in found.metrics.items():
        was = old.get(name)
        rows.append(
            [
                runner_name(name) + (" (ships)" if name in found.shipped else ""),
                _share(own, was, "accuracy"),
                f"{100 * own['accuracy_low']:.1f} to {100 * own['accuracy_high']:.1f}",
                f"{own['macro_f1']:.3f}",
                _share(own, was, "recall_min"),
                _share(own, was, "calibration_error"),
            ]
        )
    yield ""
    yield table(head, rows)
    if old:
        yield ""
        yield "In brackets: change against the main branch, in points, each on its own test side."


def _share(own: dict[str, Any], was: dict[str, Any] | None, figure: str) -> str:
    told = number(own[figure], share=True)
    return f"{told} ({100 * (own[figure] - was[figure]):+.1f})" if was else told


def _sizes(found: Findings, before: Findings | None) -> Iterator[str]:
    shipped = (found.latency or {}).get("shipped", {})
    if "bytes" not in shipped:
        return
    old = ((before.latency if before else None) or {}).get("shipped", {})
    was = old.get("bytes")
    change = f" ({shipped['bytes'] - was:+,} B)".replace(",", " ") if was else ""
    yield ""
    yield f"On Android: {size(shipped['bytes'])}{change}."
    main = {row.name: row for row in class_rows(old)}
    rows = []
    for row in class_rows(shipped):
        rows.append([row.name, *_cost(row)])
        if row.name in main and main[row.name] != row:
            rows.append([f"{row.name}, main", *_cost(main[row.name])])
    if rows:
        yield ""
        instructions = ["instructions a second of audio", "of listening"]
        yield table(["phone class", *instructions, "estimate", "ms", "memory"], rows)


def _cost(row: ClassRow) -> list[str]:
    return [row.instructions, row.listening, row.milliseconds, row.interval, row.memory]


def _plots(found: Findings) -> Iterator[str]:
    runner = found.shipped[0]
    clips = found.predictions_of(runner)
    if clips is not None:
        matrix = confusion_of(clips, found.labels)
        rows = [[label, *(str(count) for count, _ in row)] for label, row in matrix.rows]
        yield from _folded(
            f"Confusion of {runner_name(runner)}, test clips",
            table(["sounds \\ heard as", *matrix.labels], rows),
        )
    if found.history is not None and len(found.history) > 1:
        count = len(found.history)
        curve = found.history.iloc[np.linspace(0, count - 1, min(count, _POINTS)).astype(int)]
        lines = [f"line [{', '.join(f'{x:.3g}' for x in curve[name])}]" for name in _LOSSES]
        axes = [f'x-axis "epoch" 1 --> {count}', 'y-axis "loss"']
        chart = "\n  ".join(["xychart-beta", *axes, *lines])
        yield from _folded("Loss of training, then of validation", f"```mermaid\n{chart}\n```")


def _folded(summary: str, content: str) -> Iterator[str]:
    yield f"\n<details><summary>{summary}</summary>\n\n{content}\n\n</details>"
