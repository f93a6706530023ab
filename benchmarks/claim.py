"""claim: a benchmark's figures -> a table on the screen and benchmarks/results/<claim>.json."""

import datetime
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def publish(claim: str, figures: dict[str, Any]) -> None:
    """Print the figures and write them with the machine, the commit and the date."""
    record = {
        "claim": claim,
        "command": f"python benchmarks/{Path(sys.argv[0]).name}",
        "commit": _MEASURED,
        "machine": machine(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "figures": figures,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{claim}.json").write_text(json.dumps(record, indent=2) + "\n")
    for name, value in figures.items():
        print(f"{name:40} {value if not isinstance(value, (dict, list)) else json.dumps(value)}")


def commit() -> str:
    """The commit that was measured; `+` where the work tree differs from it."""
    short = _git("rev-parse", "--short=12", "HEAD")
    return short + ("+" if _git("status", "--porcelain", "--", "src", "params.yaml") else "")


def machine() -> str:
    """Processor, cores, system and Python: never a host's name."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    )


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip()


_MEASURED = commit()  # read at the start: a benchmark may take an hour, and files may change
