"""harness: one .tflite run by the arm64 LiteRT under emulation -> what it printed and counted."""

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import WindowBatch
from pocketear.base.errors import PhoneError
from pocketear.phone.classes import phone_table
from pocketear.phone.setup import Tools

KINDS = ("multiply_add", "vector", "load", "store", "branch", "other")
TIMEOUT_S = 900.0
_WARM_UP = 3  # the first run in a process costs more, of large files the second a little, too
_PACE_US = 0
Part = tuple[int, ...]  # one number a kind, in the order of KINDS


@dataclass(frozen=True)
class Run:
    """What one process said.

    regions: of each window, its parts (one, unless traced)
    quiet: of a look at as many zeros, where instructions were counted
    """

    regions: tuple[tuple[Part, ...], ...]
    quiet: tuple[Part, ...]
    values: dict[str, list[str]]
    outputs: NDArray[np.float32]  # (window, output)


@dataclass(frozen=True)
class Job:
    """A model, windows (each is run once, warm) and one of the cores in classes.yaml.

    cpu: what QEMU emulates, if not what classes.yaml says; counts do not depend on it as long as
        it has the same kinds of instructions, since the C library is set not to look
    """

    model: Path
    windows: WindowBatch
    core: str
    timeout_s: float = TIMEOUT_S
    cpu: str = ""


def count_run(tools: Tools, job: Job) -> Run:
    """Instructions of each window.

    raises: PhoneError if LiteRT refuses the file, or the process crashes or takes too long
    """
    return _run(tools, job, traced=False)


def profile_run(tools: Tools, job: Job) -> Run:
    """Instructions of each window in parts, with LiteRT's own profile of them."""
    return _run(tools, job, traced=True, profile=True)


def memory_run(tools: Tools, job: Job) -> Run:
    """No counts; `peak_bytes` among the values."""
    return _run(tools, job, traced=True, counted=False)


def parse_values(printed: str) -> dict[str, list[str]]:
    """`key value` lines, in order."""
    values: dict[str, list[str]] = {}
    for line in printed.splitlines():
        key, _, value = line.partition(" ")
        values.setdefault(key, []).append(value)
    return values


def _run(
    tools: Tools, job: Job, *, traced: bool, counted: bool = True, profile: bool = False
) -> Run:
    plugin = str(tools.plugin).replace(",", ",,")  # a comma would begin an option of the plugin
    with tempfile.TemporaryDirectory(prefix="pocketear-") as folder:
        here = Path(folder)
        (here / "input").write_bytes(job.windows.astype("<f4").tobytes())
        # arguments lie on the program's stack: names of one length, wherever the project is
        (here / "model").symlink_to(job.model.resolve())
        (here / "harness").symlink_to(tools.harness(traced=traced))
        command = [
            str(tools.emulator), "-cpu", job.cpu or phone_table().cores[job.core].emulated_as,
            "-L", str(tools.root(job.core)), "-E", "LD_LIBRARY_PATH=/lib",
            "-E", "GLIBC_TUNABLES=glibc.cpu.name=generic",
            *(["-plugin", plugin] if counted else []),
            "./harness", "model", "input", "output",
            str(_WARM_UP), str(_PACE_US), str(int(profile)),
        ]  # fmt: skip
        values = parse_values(_output(command, folder, job))
        counts = (here / "counts.txt").read_text() if counted else ""
        outputs = np.fromfile(here / "output", "<f4").reshape(len(job.windows), -1)
    *regions, quiet = _regions(counts) or ((),)
    return Run(tuple(regions), quiet, values, outputs)


def _output(command: Sequence[str], folder: str, job: Job) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={},  # what is in it would move the stack, and with it a few cache misses
            timeout=job.timeout_s,
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PhoneError(
            f"{job.model}: the harness did not end within {job.timeout_s:g} s"
        ) from error
    printed = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        failed = parse_values(printed).get("failed")
        if failed:
            raise PhoneError(f"{job.model}: LiteRT for arm64 refuses it: {failed[0]}")
        why = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["silently"]
        raise PhoneError(f"{job.model}: the harness ended with {done.returncode}: {why[-1]}")
    return printed


def _regions(counts: str) -> tuple[tuple[Part, ...], ...]:
    regions: list[tuple[Part, ...]] = []
    parts: list[Part] = []
    for line in counts.splitlines():
        word, *numbers = line.split()
        parts.append(tuple(int(number) for number in numbers))
        if word == "end":
            regions.append(tuple(parts))
            parts = []
    return tuple(regions)
