"""markdown: findings -> the text of a pull request, short enough to be read there."""

from collections.abc import Iterator
from typing import Any

from pocketear.figures import table
from pocketear.report.cost import class_rows
from pocketear.report.findings import Findings
from pocketear.report.page import headline
from pocketear.report.views import gate_rows
from pocketear.report.wording import number, runner_name, size


def text(found: Findings, before: Findings | None = None) -> str:
    """The verdict, what changed against `before` (the main branch's reports), sizes and cost."""
    return "\n".join([*_verdict(found), *_metrics(found, before), *_sizes(found, before)]) + "\n"


def _verdict(found: Findings) -> Iterator[str]:
    params = found.params
    word = "not judged"
    if found.verdict:
        word = "accepted" if found.verdict["accepted"] else "refused"
    yield f"### {params.package.name} {params.package.version}: {word}"
    yield ""
    yield headline(found)
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
    was = ((before.latency if before else None) or {}).get("shipped", {}).get("bytes")
    change = f" ({shipped['bytes'] - was:+,} B)".replace(",", " ") if was else ""
    yield ""
    yield f"On Android: {size(shipped['bytes'])}{change}."
    rows = [
        [row.name, row.instructions, row.listening, row.milliseconds, row.interval, row.memory]
        for row in class_rows(shipped)
    ]
    if rows:
        yield ""
        instructions = ["instructions a second of audio", "of listening"]
        yield table(["phone class", *instructions, "estimate", "ms", "memory"], rows)
