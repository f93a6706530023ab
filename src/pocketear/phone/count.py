"""count: a .tflite and a phone class -> instructions of one warm inference, by kind and by op."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketear.base import process
from pocketear.base.arrays import WindowBatch
from pocketear.base.errors import PhoneError
from pocketear.phone.classes import phone_class, phone_table
from pocketear.phone.graph import read_graph
from pocketear.phone.harness import KINDS, Job, Part, Run, count_run, memory_run, profile_run
from pocketear.phone.profile import OpCost, split_by_op
from pocketear.phone.setup import Tools, prepare

RUNTIME = "LiteRT"  # what it does around the ops
_SEED, _LEVEL, _WINDOWS = 2718, 0.1, 3
_BOOKKEEPING = 4  # instructions by which LiteRT's look-up of several buffers varies, run by run


@dataclass(frozen=True)
class Counts:
    """One warm inference on one core.

    quiet: instructions of a look at as many zeros, which a listener does not run

    by_op: every op in the order in which they run, last what LiteRT does around them; together
        they are the whole
    peak_bytes: most memory held at once by loading the file and running it, beyond the program
    outputs: (window, output) what it computed, to be held against another machine's
    """

    by_kind: dict[str, int]
    by_op: tuple[OpCost, ...]
    quiet: int
    peak_bytes: int
    outputs: NDArray[np.float32]

    @property
    def instructions(self) -> int:
        """All kinds together."""
        return sum(self.by_kind.values())

    @property
    def front_end_instructions(self) -> int:
        """Of the ops up to the last that the front-end's layer made."""
        return sum(op.instructions for op in self.by_op if op.front_end)


def probe_windows(window_length: int) -> WindowBatch:
    """Seeded noise at -20 dB: counts do not depend on it, outputs are compared on it."""
    noise = np.random.default_rng(_SEED).normal(0, _LEVEL, (_WINDOWS, window_length))
    return np.clip(noise, -1, 1).astype(np.float32)


def count(
    model: Path, name: str, windows: WindowBatch | None = None, tools: Tools | None = None
) -> Counts:
    """Count `model` on the phone class called `name`.

    windows: (window, sample), noise if none are given
    raises: PhoneError naming what is absent, or why the file cannot be measured
    """
    core = phone_class(name).core
    graph = read_graph(model)
    windows = probe_windows(graph.length) if windows is None else windows
    tools = tools or prepare()
    many, one = Job(model, windows, core), Job(model, windows[:1], core)
    with ThreadPoolExecutor(max_workers=2) as pool:
        plain, traced, memory = [
            running.result()
            for running in (
                pool.submit(count_run, tools, many),
                pool.submit(profile_run, tools, one),
                pool.submit(memory_run, tools, one),
            )
        ]
    by_kind = dict(zip(KINDS, steady(model, plain), strict=True))
    ops = split_by_op(traced, graph.ops)
    rest = {kind: n - sum(op.by_kind[kind] for op in ops) for kind, n in by_kind.items()}
    by_op = (*ops, OpCost("", RUNTIME, "", False, rest))
    quiet, peak = sum(plain.quiet[-1]), int(memory.values["peak_bytes"][0])
    return Counts(by_kind, by_op, quiet, peak, plain.outputs)


def steady(model: Path, run: Run) -> Part:
    """The counts of the first window, which are those of every window.

    raises: PhoneError if they are not
    """
    totals = [sum(region[-1]) for region in run.regions]
    if max(totals) - min(totals) > _BOOKKEEPING:
        raise PhoneError(
            f"{model}: costs {min(totals)} to {max(totals)} instructions, by the input"
        )
    return run.regions[0][-1]


def table(counts: Counts, name: str) -> str:
    """What a person reads."""
    lines = [f"{name}: {counts.instructions:,} instructions, {counts.peak_bytes:,} bytes at most"]
    lines.append("  " + ", ".join(f"{kind} {n:,}" for kind, n in counts.by_kind.items()))
    for op in counts.by_op:
        side = "front-end" if op.front_end else ""
        lines.append(f"{op.instructions:>12,}  {op.kind:<18} {op.kernel:<32} {side:<9} {op.name}")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    """MODEL.tflite [CLASS ...]"""
    if not arguments:
        raise PhoneError("which file? python -m pocketear.phone.count MODEL.tflite [CLASS ...]")
    model, *names = arguments
    for name in names or phone_table().classes:
        print(table(count(Path(model), name), name))


if __name__ == "__main__":
    process.guard(lambda: main(sys.argv[1:]))
