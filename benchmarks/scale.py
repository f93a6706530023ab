"""scale: cost of many short clips from the folder to the feature store, and of adding a few more.

python benchmarks/scale.py [--clips 1000 10000 100000]

Each clip is half a second of its own noise at 16 kHz in a WAV file, a fifth of them of another
label, twenty per group. Measured are the processes of ingest, validate, split and featurize, one
after the other, from nothing; then again with one clip in a hundred more. incremental_share is the
time of the second run as a share of the first: 0.01 would be the new clips alone; the rest is
start-up, hashing, and writing the tables and the store.
"""

import argparse
import sys
import wave
from pathlib import Path

import numpy as np

from claim import publish
from project import Cost, run_stage, scratch_project

STAGES = ("ingest", "validate", "split", "featurize")
RATE, SAMPLES, TO_A_GROUP = 16_000, 8_000, 20
MORE = 0.01


def write_clips(first: int, last: int) -> None:
    """Clips number `first` to `last` - 1 in sounds/LABEL/GROUP."""
    for number in range(first, last):
        group = number // TO_A_GROUP
        path = Path(f"sounds/{'cry' if group % 5 else 'rest'}/{group:05}/{number:06}.wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).normal(0, 3000, SAMPLES)
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, RATE, 0, "NONE", ""))
            file.writeframes(noise.astype("<i2").tobytes())


def measure(clips: int) -> tuple[list[Cost], list[Cost]]:
    """The costs of each stage, from nothing and with a few more clips."""
    with scratch_project({"data": {"source": "folder", "path": "sounds"}}):
        write_clips(0, clips)
        first = [run_stage(stage) for stage in STAGES]
        write_clips(clips, round(clips * (1 + MORE)))
        return first, [run_stage(stage) for stage in STAGES]


def total(costs: list[Cost]) -> float:
    """Seconds of all stages."""
    return sum(cost.seconds for cost in costs)


def main() -> None:
    """Measure every size; publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, nargs="+", default=[1000, 10_000, 100_000])
    figures: dict[str, dict[str, float]] = {
        "seconds_per_clip": {}, "peak_mb": {}, "incremental_share": {}
    }  # fmt: skip
    stages: dict[str, dict[str, float]] = {}
    for clips in parser.parse_args().clips:
        first, again = measure(clips)
        name = str(clips)
        figures["seconds_per_clip"][name] = round(total(first) / clips, 5)
        figures["peak_mb"][name] = round(max(cost.peak_mb for cost in first + again))
        figures["incremental_share"][name] = round(total(again) / total(first), 3)
        stages[name] = {s: round(cost.seconds, 1) for s, cost in zip(STAGES, first, strict=True)}
        print(f"{clips} clips: {stages[name]}", file=sys.stderr, flush=True)
    publish("scale", figures | {"stage_seconds": stages})


if __name__ == "__main__":
    main()
