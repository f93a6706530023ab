"""packages: what the Android and the iOS package share: the verdict, the model card, the files.

A package is a function of commit and data: the model card has only figures that are the same on
every machine, so what a stopwatch said here is left out.
"""

import hashlib
import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from pocketear.base.errors import PackagingError
from pocketear.base.files import replacing, write_zip
from pocketear.runtimes.card import ModelCard

FILE, SUMS = "MODEL_CARD.md", "SHA256SUMS"
_TIMED = "host"  # gates of this name were measured by a stopwatch


def accepted_verdict(path: Path) -> Mapping[str, Any]:
    """Read verdict.json.

    raises: PackagingError with every reason if the model was not accepted
    """
    try:
        verdict = json.loads(path.read_text(encoding="utf-8"))
        accepted, reasons = verdict["accepted"] is True, list(verdict["reasons"])
    except FileNotFoundError as error:
        raise PackagingError(f"{path}: not found; `dvc repro gate` makes it") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PackagingError(f"{path}: not a verdict; run `dvc repro gate` again") from error
    if not accepted:
        told = "; ".join(reasons) or "no reason given"
        raise PackagingError(f"{path}: not accepted, so nothing is packaged: {told}")
    return dict(verdict)


def model_card(card: ModelCard, verdict: Mapping[str, Any], files: Mapping[str, bytes]) -> str:
    """The text of MODEL_CARD.md. files: the model's own files, name -> content."""
    seconds = card.window_length / card.sample_rate
    listener = card.listener
    hashes = {**card.made_from, **{name: sha256(content) for name, content in files.items()}}
    rows = [
        ("Version", card.version),
        ("Variant", card.variant),
        ("Licence", card.licence),
        ("Labels", ", ".join(card.labels)),
        ("Hears", f"{seconds:g} s of mono sound at {card.sample_rate} Hz"),
        ("Window every", f"{card.hop_length / card.sample_rate:g} s"),
        ("Thresholds", _thresholds(listener.thresholds)),
        ("Never told of", ", ".join(listener.background) or "nothing"),
        ("Smoothing", f"mean of {listener.smoothing} windows, hysteresis {listener.hysteresis:g}"),
        ("Shortest event", f"{listener.min_seconds:g} s"),
        ("Pause after one", f"{listener.refractory_seconds:g} s"),
    ]
    return "\n".join(
        [
            f"# {card.name} {card.version}",
            "",
            "Tells sounds apart on a phone: a waveform in, a score for each label out.",
            "",
            *_table(("", ""), rows),
            "",
            "## Accepted because",
            "",
            *_table(("gate", "limit", "value"), _gates(verdict)),
            "",
            "## Made from, and what was made",
            "",
            *_table(("", "SHA-256"), sorted(hashes.items())),
            "",
        ]
    )


def write_package(files: Mapping[str, bytes], out: Path) -> None:
    """Write `files` and their SHA256SUMS as the folder `out`, whole or not at all."""
    with replacing(out) as fresh:
        for name, content in (*files.items(), (SUMS, sums(files))):
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(content)


def zipped(files: Mapping[str, bytes], stored: Collection[str] = ()) -> bytes:
    """The bytes of a zip of `files`, the same every time; those in `stored` are not deflated."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "zip")
        write_zip(path, files, stored=stored)
        return path.read_bytes()


def sums(files: Mapping[str, bytes]) -> bytes:
    """The content of SHA256SUMS, for `sha256sum --check`."""
    return "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files)).encode()


def sha256(content: bytes) -> str:
    """The SHA-256 of `content`, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _thresholds(thresholds: Mapping[str, float]) -> str:
    return ", ".join(f"{label} {value:g}" for label, value in thresholds.items())


def _gates(verdict: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    rows = []
    for gate in verdict.get("gates", []):
        unit = gate.get("unit", "")
        timed = gate["name"].startswith(_TIMED) or "ms" in unit
        value = "passed" if timed or gate["value"] is None else f"{gate['value']:.4g}{unit}"
        limit = f"{gate.get('sense', '')} {gate['limit']:.4g}{unit}".strip()
        rows.append((gate["name"], limit, value))
    return rows


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    lines = [head, ("---",) * len(head), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return [f"| {' | '.join(line)} |" for line in cells]
