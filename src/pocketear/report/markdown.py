"""markdown: findings -> the text of a pull request, short enough to be read there."""

import html
from collections.abc import Iterator

import numpy as np

from pocketear.base.tables import markdown_table, markdown_text
from pocketear.contracts.metrics import Metrics
from pocketear.evaluation.wording import gate_text, number, runner_name, size
from pocketear.report.advice import rules
from pocketear.report.cost import ClassRow, class_rows
from pocketear.report.findings import Findings
from pocketear.report.views import confusion_of, headline

_LOSSES = ("loss", "val_loss")
_POINTS = 100  # of a curve, at most


def text(found: Findings, before: Findings | None = None) -> str:
    """The verdict, what changed against `before` (the main branch's reports), sizes, cost, plots.

    The plots are a folded table and a folded Mermaid chart, which GitHub draws in a comment.
    """
    parts = (_verdict(found, before), _metrics(found, before), _cost(found, before), _plots(found))
    return "\n".join(line for part in parts for line in part) + "\n"


def _verdict(found: Findings, before: Findings | None) -> Iterator[str]:
    package, verdict = found.params.package, found.verdict
    yield f"### {package.name} {package.version}: {verdict.headline if verdict else 'not judged'}"
    yield ""
    yield headline(found)
    if before:
        yield f"On the main branch: {headline(before)}"
    if verdict and verdict.failed:
        rows = [(row.name, row.value, row.limit) for row in map(gate_text, verdict.failed)]
        yield ""
        yield markdown_table(["failed gate", "measured", "limit"], rows)
        yield ""
        yield from _advice(found)


def _advice(found: Findings) -> Iterator[str]:
    """A line for each cause that is the likeliest of some failed gates."""
    by_line: dict[tuple[str, str], list[str]] = {}
    for one in rules.of_gates(found):
        by_line.setdefault((one.line, one.command), []).append(one.subject)
    for (line, command), gates in by_line.items():
        shown = markdown_text(f"{', '.join(gates)}: {line}")
        fence = "``" if "`" in command else "`"
        yield f"- {shown}: {fence}{command}{fence}" if command else f"- {shown}"


def _metrics(found: Findings, before: Findings | None) -> Iterator[str]:
    if not found.metrics:
        return
    head = ["file", "accuracy", "95 % interval", "macro F1", "worst recall", "calibration error"]
    rows = []
    for name, own in found.metrics.items():
        was = before.metrics_of(name) if before else None
        rows.append(
            [
                runner_name(name) + (" (ships)" if name in found.shipped else ""),
                _share(own, was, "accuracy"),
                f"{100 * own.accuracy_low:.1f} to {100 * own.accuracy_high:.1f}",
                f"{own.macro_f1:.3f}",
                _share(own, was, "recall_min"),
                _share(own, was, "calibration_error"),
            ]
        )
    yield ""
    yield markdown_table(head, rows)
    if before and before.metrics:
        yield ""
        yield "In brackets: change against the main branch, in points, each on its own test side."


def _share(own: Metrics, was: Metrics | None, figure: str) -> str:
    value: float = getattr(own, figure)
    change = f" ({100 * (value - getattr(was, figure)):+.1f})" if was else ""
    return number(value, share=True) + change


def _cost(found: Findings, before: Findings | None) -> Iterator[str]:
    if not found.latency:
        return
    own, was = found.latency.cost, before.latency.cost if before and before.latency else None
    change = f" ({own.bytes - was.bytes:+,} B)".replace(",", " ") if was else ""
    yield ""
    yield f"On Android: {size(own.bytes)}{change}."
    main = {row.name: row for row in class_rows(was)} if was else {}
    rows = []
    for row in class_rows(own):
        rows.append([row.name, *_figures(row)])
        if row.name in main and main[row.name] != row:
            rows.append([f"{row.name}, main", *_figures(main[row.name])])
    if rows:
        yield ""
        instructions = ["instructions a second of listening", "where it is quiet"]
        yield markdown_table(["phone class", *instructions, "estimate", "ms", "memory"], rows)


def _figures(row: ClassRow) -> list[str]:
    return [row.instructions, row.quiet, row.milliseconds, row.interval, row.memory]


def _plots(found: Findings) -> Iterator[str]:
    runner = found.shipped[0]
    clips = found.predictions_of(runner)
    if clips is not None:
        matrix = confusion_of(clips, found.labels)
        rows = [[label, *(str(count) for count, _ in row)] for label, row in matrix.rows]
        yield from _folded(
            f"Confusion matrix of {runner_name(runner)}, test clips",
            markdown_table(["true \\ predicted", *matrix.labels], rows),
        )
    if found.history is not None and len(found.history) > 1:
        count = len(found.history)
        curve = found.history.iloc[np.linspace(0, count - 1, min(count, _POINTS)).astype(int)]
        lines = [f"line [{', '.join(f'{x:.3g}' for x in curve[name])}]" for name in _LOSSES]
        axes = [f'x-axis "epoch" 1 --> {count}', 'y-axis "loss"']
        chart = "\n  ".join(["xychart-beta", *axes, *lines])
        yield from _folded("Training loss, then validation loss", f"```mermaid\n{chart}\n```")


def _folded(summary: str, content: str) -> Iterator[str]:
    yield f"\n<details><summary>{html.escape(summary)}</summary>\n\n{content}\n\n</details>"
