"""cost: latency.json -> what a phone pays, as the page shows it."""

from dataclasses import dataclass
from typing import Any

from pocketear.report.wording import number, size

_OPS_SHOWN = 12
_NAMES = {"host": "this machine", "arm64": "phone classes", "adb": "a phone", "macos": "Core ML"}


@dataclass(frozen=True)
class ClassRow:
    """The file that ships on one phone class. Instructions a second of audio; share in [0, 1]."""

    name: str
    instructions: str
    listening: str
    front_end: float
    milliseconds: str
    interval: str
    memory: str


@dataclass(frozen=True)
class OpRow:
    """One op of the file, or the rest of them."""

    kind: str
    name: str
    front_end: bool
    instructions: str
    share: float


def class_rows(shipped: dict[str, Any]) -> list[ClassRow]:
    """The phone classes, in the order of params.latency.classes."""
    return [
        ClassRow(
            name=name,
            instructions=millions(one["instructions_per_second"]),
            listening=millions(one["instructions_per_listening_second"]),
            front_end=one["front_end_instructions_per_second"] / one["instructions_per_second"],
            milliseconds=f"{one['estimate_ms_per_second']:.2g} ms",
            interval=f"{one['estimate_low']:.2g} to {one['estimate_high']:.2g}",
            memory=size(one["peak_bytes"]),
        )
        for name, one in shipped.get("arm64", {}).items()
    ]


def op_rows(shipped: dict[str, Any]) -> tuple[str, list[OpRow]]:
    """The costliest ops on the first class, and the rest as one. returns: its name, rows"""
    classes = shipped.get("arm64", {})
    if not classes:
        return "", []
    name = next(iter(classes))
    ops = sorted(classes[name]["by_op"], key=lambda op: -op["instructions"])
    rows = [
        OpRow(op["op"], op["name"], op["front_end"], millions(op["instructions"]), op["share"])
        for op in ops[:_OPS_SHOWN]
    ]
    rest = ops[_OPS_SHOWN:]
    if rest:
        total, share = (sum(op[key] for op in rest) for key in ("instructions", "share"))
        rows.append(OpRow(f"{len(rest)} others", "", False, millions(total), share))
    return name, rows


def measured_rows(shipped: dict[str, Any]) -> list[tuple[str, str]]:
    """What was timed rather than counted: this machine, a phone, Core ML."""
    rows = []
    if host := shipped.get("host"):
        spread = f"{number(host.get('ratio_min'))} to {number(host.get('ratio_max'))}"
        ratio = f"listening takes {number(host['ratio_median'])} of YAMNet's time ({spread})"
        each = f", {number(host.get('window_ms_median'))} ms a window, one thread"
        rows.append((_NAMES["host"], ratio + each))
    if phone := shipped.get("adb"):
        told = ", ".join(
            f"{number(phone[key])} ms {what}"
            for key, what in (
                ("warm_ms_median", "back to back"),
                ("paced_ms_median", "paced as a listener"),
                ("cold_ms", "the first"),
            )
            if key in phone
        )
        rows.append((phone.get("device", _NAMES["adb"]), told + " a window"))
    for units, times in shipped.get("macos", {}).get("by_compute_units", {}).items():
        name = f"{_NAMES['macos']}, {units.replace('_', ' ')}"
        rows.append((name, f"{number(times['warm_ms_median'])} ms a window"))
    return rows


def absent_rows(latency: dict[str, Any]) -> list[tuple[str, str]]:
    """Who could not measure here, and why."""
    return [(_NAMES.get(name, name), reason) for name, reason in latency.get("absent", {}).items()]


def tile(shipped: dict[str, Any]) -> tuple[str, str, str] | None:
    """The cost on the first phone class in one figure: name, value, small print."""
    rows = class_rows(shipped)
    if not rows:
        return None
    first = rows[0]
    about = f"about {first.milliseconds} ({first.interval}), an estimate"
    note = f"instructions, {first.listening} in windows that overlap; {about}"
    return f"a second of audio on {first.name}", first.instructions, note


def millions(count: float) -> str:
    """8.1 M"""
    return f"{count / 1e6:.3g} M"
