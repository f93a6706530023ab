"""parity_apple: the .mlpackages that were built, on Apple's own runtime, against LiteRT.

Run on macOS in a folder where `make run` has been: python benchmarks/parity_apple.py
Elsewhere it exits 1 with a one-line error. The windows are the probes that parity compares.
NAME_features is the same model exported with export.ios_front_end `accelerate`, on features from
frontend/numpy_fft.py; the features of the Swift package are compared by its own tests.
"""

from pathlib import Path

import numpy as np

from claim import publish
from pocketear.base import process
from pocketear.evaluation.numeric_error import probes
from pocketear.params import load_params
from pocketear.runtimes import coreml
from pocketear.runtimes.runner import open_runner
from pocketear.stages import export_coreml
from project import scratch_project


def main() -> None:
    """Compare every package with the fp32 .tflite."""
    params = load_params()
    name, models = params.package.name, Path("models")
    windows = np.stack(list(probes(params.frontend, params.seed).values()))
    expected = open_runner(models / "litert" / f"{name}_fp32.tflite")(windows)

    def compared(folder: Path, ending: str) -> dict[str, dict[str, float]]:
        return {
            path.stem + ending: coreml.compare_on_apple(path, windows, expected)
            for path in sorted(folder.glob("*.mlpackage"))
        }

    figures = compared(models / "coreml", "")
    if params.export.ios_front_end == "in_model" and params.frontend.n_fft.bit_count() == 1:
        keras, card = (models / "keras").resolve(), (models / "litert/card.json").resolve()
        with scratch_project({"export": {"ios_front_end": "accelerate"}}) as folder:
            export_coreml.main(keras, card, folder / "coreml")
            figures |= compared(folder / "coreml", "_features")
    publish("parity_apple", figures)


if __name__ == "__main__":
    process.guard(main)
