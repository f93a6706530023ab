"""predict: how long the first answer takes, and how fast a long recording is heard.

python benchmarks/predict.py [--pairs 15]

Cold start: `pocketear predict` of five seconds at 44.1 kHz, with the model that ships, each time
right after a bare `python -c pass`; the median of the differences. A machine that does other work
is slower in both, so processor seconds, which it hardly changes, stand beside the wall's.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from claim import publish

RATE, SECONDS, LONG_SECONDS = 44_100, 5, 600
POCKETEAR = str(Path(sys.executable).with_name("pocketear"))


def spent(command: list[str]) -> tuple[float, float]:
    """Wall and processor seconds of a command."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write_noise(path: Path, seconds: int) -> None:
    """Noise at -20 dB, as a 16-bit WAV."""
    noise = np.random.default_rng(0).normal(0, 0.1, RATE * seconds).clip(-1, 1)
    soundfile.write(path, noise, RATE)


def measure(pairs: int, folder: Path) -> dict[str, float]:
    """All figures of the claim."""
    short, long = folder / "short.wav", folder / "long.wav"
    write_noise(short, SECONDS)
    write_noise(long, LONG_SECONDS)
    bare, predict = [sys.executable, "-c", "pass"], [POCKETEAR, "predict", str(short)]
    spent(predict)  # bytecode and disk cache
    runs = [(spent(bare), spent(predict)) for _ in range(pairs)]
    told = subprocess.run(
        [POCKETEAR, "predict", "--json", str(long)], check=True, capture_output=True, text=True
    )
    (heard,) = json.loads(told.stdout)["files"]
    return {
        "pairs": pairs,
        "bare_python_s": statistics.median(bare[0] for bare, _ in runs),
        "predict_cold_s": statistics.median(cold[0] - bare[0] for bare, cold in runs),
        "predict_cold_best_s": min(cold[0] - bare[0] for bare, cold in runs),
        "predict_cold_processor_s": statistics.median(cold[1] - bare[1] for bare, cold in runs),
        "long_file_real_time_factor": heard["real_time_factor"],
    }


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments.pairs, Path(folder))
    publish("predict", {name: round(value, 4) for name, value in figures.items()})


if __name__ == "__main__":
    main()
