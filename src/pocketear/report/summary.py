"""summary: what a run came to, as a short table for a terminal.

It says only what verdict.json and the folders say, and when that is of an earlier run.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pocketear.base.archive import sha256
from pocketear.base.errors import DataError, ParamsError
from pocketear.contracts.latency import TIMINGS, LatencyReport, Timings
from pocketear.contracts.report_file import read_if_made
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.evaluation.wording import gate_text, number, plural, size
from pocketear.params import load_params
from pocketear.report import explain
from pocketear.report.advice import rules
from pocketear.report.findings import read_findings

_ARTEFACTS = (
    "models/litert/*.tflite",
    "models/coreml/*.mlpackage",
    "build/android/**/*.aar",
    "build/ios/*",
)
_PLACES = (  # what to open, and what it is
    ("reports/report.html", "the report page"),
    ("reports/validation/docs/index.html", "what Great Expectations says of the clips"),
    ("mlflow.db", "every run side by side: `mlflow ui --backend-store-uri sqlite:///mlflow.db`"),
)
_TIMED = {"ratio": "ratio_median"}  # a gate's figure -> its name among timings, if another


def text(root: Path) -> str:
    """The gates with limit and value, the files made with their sizes, and where to look."""
    blocks = [_gates(root), _files(root), _look(root)]
    return "\n\n".join(block for block in blocks if block)


def refused(root: Path) -> bool:
    """Whether there is a verdict, and it is not to accept."""
    verdict = read_if_made(root / "reports" / "verdict.json", Verdict)
    return verdict is not None and not verdict.accepted


def _gates(root: Path) -> str:
    verdict = read_if_made(root / "reports" / "verdict.json", Verdict)
    if verdict is None:
        return "no verdict: the run stopped before the gates; its error is above"
    rows = [("gate", "limit", "value", ""), *gate_rows(verdict.gates, _times(root))]
    failed = f" by {len(verdict.reasons)} of {plural(len(verdict.gates), 'gate')}"
    lines = [*aligned(rows), "", f"verdict: {verdict.headline}{failed if verdict.failed else ''}"]
    advice = _advice(root) if verdict.failed else {}
    for gate in verdict.failed:
        lines.append(f"  {gate.reason}")
        lines += [f"    -> {advice[gate.name]}"] if gate.name in advice else []
    if advice:
        lines.append("  `pocketear explain` has the other causes")
    lines += [f"  {note}" for note in verdict.notes]
    if changed := outdated(root):
        lines.append(f"this verdict is of an earlier run: {', '.join(changed)} changed since")
    return "\n".join(lines)


def gate_rows(gates: Sequence[Gate], times: Mapping[str, float]) -> Iterator[tuple[str, ...]]:
    """Every gate that failed; of those that passed by one figure and limit, the closest to it.

    times: gate -> what a stopwatch measured, of the file that the gates are about
    """
    alike: dict[tuple[object, ...], list[Gate]] = {}
    for place, gate in enumerate(gates):
        key = (gate_text(gate).figure, gate.limit) if gate.passed else (place,)
        alike.setdefault(key, []).append(gate)
    for group in alike.values():
        closest = max(group, key=_share_of_limit)
        written = gate_text(closest)
        name, value = written.name, written.value
        if len(group) > 1:
            name = f"{written.figure}, closest of {len(group)}: {written.subject}"
        if closest.name in times:
            value = number(times[closest.name], closest.unit)
        yield name, written.limit, value, "pass" if closest.passed else "FAIL"


def _share_of_limit(gate: Gate) -> float:
    """How much of its limit a gate that passed has used up."""
    if gate.value is None:
        return 0.0
    at_least = gate.sense == "at least"
    used, whole = (gate.limit, gate.value) if at_least else (gate.value, gate.limit)
    return used / whole if whole else 0.0


def _times(root: Path) -> dict[str, float]:
    """Timed gate -> value, if the times are of the file that ships now."""
    try:
        timings = read_if_made(root / TIMINGS, Timings)
        latency = read_if_made(root / "reports" / "latency.json", LatencyReport)
    except DataError:  # no verdict needs them
        return {}
    if timings is None or latency is None:
        return {}
    shipped = root / "models" / "litert" / latency.shipped
    if not shipped.is_file() or sha256(shipped.read_bytes()) != timings.sha256:
        return {}
    found = {}
    for name in latency.timed:
        provider, _, figure = name.partition(".")
        value = timings.providers.get(provider, {}).get(_TIMED.get(figure, figure))
        if isinstance(value, float):
            found[name] = value
    return found


def outdated(root: Path) -> list[str]:
    """The stages up to `gate` that DVC would run again; [] where it cannot be asked."""
    if not (root / ".dvc").is_dir():
        return []
    command = [sys.executable, "-m", "dvc", "status", "gate", "--with-deps", "--json"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
        return sorted(json.loads(done.stdout))
    except (OSError, subprocess.CalledProcessError, ValueError):
        return []


def _advice(root: Path) -> dict[str, str]:
    """Failed gate -> the likeliest cause and what to do; {} where params or reports are damaged."""
    try:
        found = read_findings(
            root / "reports", root / "data/features", load_params(root / "params.yaml")
        )
    except (DataError, ParamsError):  # no verdict needs them
        return {}
    return explain.lines(rules.of_gates(found))


def _files(root: Path) -> str:
    rows = [
        (f"  {path.relative_to(root).as_posix()}", size(_bytes(path)))
        for pattern in _ARTEFACTS
        for path in sorted(root.glob(pattern))
    ]
    return "\n".join(["made:", *aligned(rows)]) if rows else ""


def _look(root: Path) -> str:
    rows = [(f"  {place}", what) for place, what in _PLACES if (root / place).exists()]
    return "\n".join(["look at:", *aligned(rows)]) if rows else ""


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def aligned(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows as lines, every column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
