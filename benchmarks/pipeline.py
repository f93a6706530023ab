"""pipeline: what a user waits for: the default run, a run with nothing to do, a first prediction.

python benchmarks/pipeline.py [--pairs 15]

The default run is `dvc repro` from nothing in a copy of the project with its own DVC cache, in the
current environment: installation is not included. Cold start: `pocketear predict` of five seconds
at 44.1 kHz with the model of that copy, each time right after a bare `python -c pass`; the median
of the differences. Other work on the machine slows all of it, so processor seconds, which it hardly
affects, are given beside wall seconds, and the average number of processes that waited for a core
(load_average).
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "flows"))

from claim import publish  # noqa: E402  flows/ is a folder of scripts
from copies import make_copy  # noqa: E402

RATE, SECONDS, LONG_SECONDS = 44_100, 5, 600
NO_OPS = 5
UV = ROOT / ".pocketear/uv/bin/uv"  # of `make setup`, where the machine has none
DVC = [sys.executable, "-m", "dvc", "repro", "--quiet"]
POCKETEAR = str(Path(sys.executable).with_name("pocketear"))


def spent(command: list[str], folder: Path) -> tuple[float, float]:
    """Wall and processor seconds of a command and its children."""
    environment = os.environ | {
        "MLFLOW_TRACKING_URI": "",  # the copy's own store
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",  # `python` of its stages
        "UV": os.environ.get("UV") or shutil.which("uv") or str(UV),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as in the Makefile
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_noise(path: Path, seconds: int) -> Path:
    """Noise at -20 dB, as a 16-bit WAV."""
    noise = np.random.default_rng(0).normal(0, 0.1, RATE * seconds).clip(-1, 1)
    soundfile.write(path, noise, RATE)
    return path


def time_runs(folder: Path) -> dict[str, float]:
    """From nothing to packages, and again with nothing to do."""
    wall, processor = spent(DVC, folder)
    again = [spent(DVC, folder) for _ in range(NO_OPS)]
    return {
        "default_run_s": wall,
        "default_run_processor_s": processor,
        "noop_s": statistics.median(wall for wall, _ in again),
        "noop_processor_s": statistics.median(processor for _, processor in again),
    }


def time_predict(folder: Path, pairs: int) -> dict[str, float]:
    """The first prediction, without Python's own start; and a long recording."""
    short = write_noise(folder / "short.wav", SECONDS)
    long = write_noise(folder / "long.wav", LONG_SECONDS)
    bare, predict = [sys.executable, "-c", "pass"], [POCKETEAR, "predict", str(short)]
    spent(predict, folder)  # bytecode and disk cache
    runs = [(spent(bare, folder), spent(predict, folder)) for _ in range(pairs)]
    done = subprocess.run(
        [POCKETEAR, "predict", "--json", str(long)], cwd=folder, check=True, capture_output=True
    )
    (prediction,) = json.loads(done.stdout)["files"]
    return {
        "predict_cold_s": statistics.median(cold[0] - bare[0] for bare, cold in runs),
        "predict_cold_best_s": min(cold[0] - bare[0] for bare, cold in runs),
        "predict_cold_processor_s": statistics.median(cold[1] - bare[1] for bare, cold in runs),
        "bare_python_s": statistics.median(bare[0] for bare, _ in runs),
        "pairs": pairs,
        "long_file_real_time_factor": prediction["real_time_factor"],
    }


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = make_copy(ROOT, Path(scratch) / "project", [], Path(scratch) / "cache")
        figures = time_runs(folder) | {"load_average": os.getloadavg()[2]}
        figures |= time_predict(folder, arguments.pairs)
    publish("pipeline", {name: round(value, 4) for name, value in figures.items()})


if __name__ == "__main__":
    main()
