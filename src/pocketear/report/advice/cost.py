"""cost: what makes the file that ships too large, or too slow for a phone class.

Instructions of the network grow with the square of model.width at most, those of the front-end do
not; weights grow with its square, memory with the width. A tenth is kept in reserve, because
channels come in eights.
"""

import math
from collections.abc import Iterator

from pocketear.contracts.latency import ClassCost
from pocketear.contracts.names import litert_runner
from pocketear.contracts.verdict import Gate
from pocketear.data.suggestions import window_of
from pocketear.evaluation.wording import size
from pocketear.params import Params
from pocketear.report.advice.kinds import Cause, Found, Missing, changed
from pocketear.report.findings import Findings

_LATENCY = "reports/latency.json"
_RESERVE = 0.9
_FINEST = 20  # widths are multiples of 1 / 20
_TOOLS = {
    "adb": ("connect a phone with USB debugging, or take adb out of latency.providers",
            "adb devices"),
    "macos": ("run latency on a Mac, or take macos out of latency.providers",
              "dvc repro latency"),
    "arm64": ("install what measures phone classes", "make setup && dvc repro latency"),
    "host": ("let this machine be timed", "dvc repro latency"),
}  # fmt: skip


def file_bytes(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of file_bytes: weights, and how many bytes each takes."""
    if gate.value is None:
        yield Missing(_LATENCY, "the size of the file that ships")
        return
    small, variant = found.metrics_of(litert_runner("int8")), found.params.export.android
    if variant != "int8":
        said = f"{size(gate.value)} of {variant} ships"
        if small is not None:
            said += f"; int8 of the same network is {size(small.bytes)}"
        fits = small is None or small.bytes <= gate.limit
        values: dict[str, float | str] = {"export.android": "int8"}
        yield from changed(found.params, said, 0.9 if fits else 0.5, values)
    said = f"{size(gate.value)}, {gate.value / gate.limit:.2g} times the limit"
    yield from narrower(found.params, said, math.sqrt(gate.limit / gate.value), 0.8)


def narrower(params: Params, said: str, share: float, strength: float) -> Iterator[Cause]:
    """A width of at most `share` of today's, less the reserve."""
    wanted = params.model.width * min(1.0, share) * _RESERVE
    width = max(1, math.floor(wanted * _FINEST)) / _FINEST
    if width < params.model.width:
        yield from changed(params, said, strength, {"model.width": width})


def instructions(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of instructions_per_second and estimate_ms_per_second: network or front-end."""
    cost = class_of(gate, found)
    if cost is None or gate.value is None:
        yield from not_counted(gate, found)
        return
    over = gate.value / gate.limit
    part = cost.front_end_instructions_per_second / max(1, cost.instructions_per_second)
    said = (
        f"{over:.2g} times the limit; {100 * part:.0f} % is the front-end; costliest is "
        f"{cost.costliest_op}"
    )
    left = (1 / over - part) / (1 - part) if part < 1 else 0.0
    if left > 0:
        yield from narrower(found.params, said, math.sqrt(left), 0.9 * (1 - part))
    yield from fewer_frames(found.params, said, 0.9 if left <= 0 else part)


def fewer_frames(params: Params, said: str, strength: float) -> Iterator[Cause]:
    """A longer hop of the front-end: fewer frames, for the network too."""
    hop = min(params.frontend.n_fft, round(1.5 * params.frontend.hop_length))
    yield from changed(params, said, strength, {"frontend.hop_length": hop})


def peak_bytes(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of peak_bytes: the largest activations, which grow with the width and the window."""
    cost = class_of(gate, found)
    if cost is None or gate.value is None:
        yield from not_counted(gate, found)
        return
    share = gate.limit / gate.value
    said = f"{size(gate.value)} at the peak, {1 / share:.2g} times the limit"
    yield from narrower(found.params, said, share, 0.8)
    p = found.params.frontend
    seconds = share * _RESERVE * p.window_length / p.sample_rate
    window = window_of(seconds, p)
    if float(window["frontend.window_length"]) < p.window_length:
        yield from changed(found.params, said, 0.4, window)


def class_of(gate: Gate, found: Findings) -> ClassCost | None:
    """What was counted on the gate's phone class; None where nothing was."""
    name = gate.name.partition(".")[0]
    return found.latency.cost.arm64.get(name) if found.latency else None


def not_counted(gate: Gate, found: Findings) -> Iterator[Found]:
    """Why nothing was counted on the gate's phone class."""
    name, latency = gate.name.partition(".")[0], found.latency
    if latency is None:
        yield Missing(_LATENCY, "what the file costs")
    elif "arm64" in latency.absent:
        yield from not_measured("arm64", found)
    else:
        classes = [*found.params.latency.classes, name]
        said = f"{name} has a budget in gate.budgets, and is not in latency.classes"
        command = f"dvc exp run -S 'latency.classes=[{','.join(classes)}]'"
        yield Cause(said, 0.9, f"add {name} to latency.classes", command)


def not_measured(provider: str, found: Findings) -> Iterator[Cause]:
    """A provider that latency.json says could not measure."""
    reason = found.latency.absent.get(provider, "") if found.latency else ""
    providers = found.params.latency.providers
    if reason and provider not in providers:
        both = ",".join([*providers, provider])
        command = f"dvc exp run -S 'latency.providers=[{both}]'"
        yield Cause(reason, 0.95, f"add {provider} to latency.providers", command)
    elif reason:
        action, command = _TOOLS[provider]
        yield Cause(reason, 0.95, action, command)


def timed(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of host.ratio, adb and macos: a stopwatch, whose time is in no report.

    So the evidence is what was counted on the first phone class.
    """
    provider = gate.name.partition(".")[0]
    why = [*not_measured(provider, found)]
    yield from why
    if why:
        return
    if found.latency is None or not found.latency.cost.arm64:
        yield Missing(_LATENCY, "which part of the file costs most")
        return
    name, cost = next(iter(found.latency.cost.arm64.items()))
    part = cost.front_end_instructions_per_second / max(1, cost.instructions_per_second)
    said = f"on {name} {100 * part:.0f} % is the front-end, costliest is {cost.costliest_op}"
    yield from narrower(found.params, said, math.sqrt(0.5), 0.6 * (1 - part))
    yield from fewer_frames(found.params, said, 0.6 * part)
