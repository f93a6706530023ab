"""summary: what a run came to, as a short table for a terminal.

It says only what verdict.json and the folders say, and when that is of an earlier run.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pocketear.base.errors import DataError
from pocketear.report.wording import SHARES, gate_name, number, size

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


def text(root: Path) -> str:
    """The gates with limit and value, the files made with their sizes, and where to look."""
    blocks = [_gates(root), _files(root), _look(root)]
    return "\n\n".join(block for block in blocks if block)


def _gates(root: Path) -> str:
    path = root / "reports" / "verdict.json"
    if not path.exists():
        return "no verdict: the run stopped before the gates; its error is above"
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not a verdict ({error}); `dvc repro` makes it anew") from error
    rows = [("gate", "limit", "value", ""), *_gate_rows(verdict["gates"])]
    failed = len(verdict["reasons"])
    word = f"refused by {failed} of {len(verdict['gates'])} gates" if failed else "accepted"
    lines = [*aligned(rows), "", f"verdict: {word}"]
    lines += [f"  {reason}" for reason in verdict["reasons"]]
    if changed := outdated(root):
        lines.append(f"this verdict is of an earlier run: {', '.join(changed)} changed since")
    return "\n".join(lines)


def _gate_rows(gates: list[dict[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Every gate that failed; of those that passed by one figure and limit, the closest to it."""
    alike: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for place, gate in enumerate(gates):
        figure = gate_name(gate["name"])[1]
        key = (figure, gate["limit"]) if gate["passed"] else (place,)
        alike.setdefault(key, []).append(gate)
    for group in alike.values():
        closest = max(group, key=_share_of_limit)
        subject, figure = gate_name(closest["name"])
        name = f"{subject}: {figure}" if subject else figure
        if len(group) > 1:
            name = f"{figure}, closest of {len(group)}: {subject}"
        yield name, *_limit_and_value(closest), "pass" if closest["passed"] else "FAIL"


def _share_of_limit(gate: dict[str, Any]) -> float:
    """How much of its limit a gate that passed has used up."""
    value, limit = gate["value"], gate["limit"]
    used, whole = (limit, value) if gate["sense"] == "at least" else (value, limit)
    return float(used / whole) if whole else 0.0


def _limit_and_value(gate: dict[str, Any]) -> tuple[str, str]:
    share = gate["name"].rpartition(".")[2] in SHARES
    sign = "≥" if gate["sense"] == "at least" else "≤"
    limit = f"{sign} {number(gate['limit'], gate['unit'], share=share)}"
    return limit, number(gate["value"], gate["unit"], share=share)


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
