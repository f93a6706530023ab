"""Claim parity_apple: the .mlpackages that were built, on Apple's own runtime, against LiteRT.

Run on macOS in a folder where `make run` has been: python benchmarks/parity_apple.py
Elsewhere it says so in one line and exits 1. The windows are the probes that parity compares.
"""

from pathlib import Path

import numpy as np

from claim import publish
from pocketear import command, mil
from pocketear.agreement import probes
from pocketear.params import load_params
from pocketear.runner import open_runner


def main() -> None:
    """Compare every package with the fp32 .tflite."""
    params = load_params()
    name, models = params.package.name, Path("models")
    windows = np.stack(list(probes(params.frontend, params.seed).values()))
    expected = open_runner(models / "litert" / f"{name}_fp32.tflite")(windows)
    packages = sorted((models / "coreml").glob("*.mlpackage"))
    publish(
        "parity_apple",
        {path.stem: mil.compare_on_apple(path, windows, expected) for path in packages},
    )


if __name__ == "__main__":
    command.guard(main)
