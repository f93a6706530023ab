"""project: a scratch project for a benchmark, and the commands of dvc.yaml run in it."""

import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
ESC10 = ROOT.parent / "shared/data/esc10"


@dataclass(frozen=True)
class Cost:
    """What a process used."""

    seconds: float
    peak_mb: float


def need_esc10() -> None:
    """Exit with a one-line error where there is no copy of ESC-10."""
    if not (ESC10 / "clips.csv").is_file():
        sys.exit(f"error: {ESC10}: not found; put a copy of ESC-10 with its clips.csv there")


@contextmanager
def scratch_project(changes: dict[str, dict[str, Any]]) -> Iterator[Path]:
    """An empty project folder as the working folder: params.yaml with `changes` by section."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, values in changes.items():
        params[section] |= values
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        yield Path(folder)


def run_stage(name: str) -> Cost:
    """Run one stage as a process in the working folder."""
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"][name]
    words = shlex.split(stage["cmd"])
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *words[1:]], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    if status:
        sys.exit(f"error: the stage {name} failed")
    return Cost(seconds, _kilobytes(used) / 1024)


def _kilobytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)  # macOS counts bytes
