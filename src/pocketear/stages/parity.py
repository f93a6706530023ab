"""parity: the same windows through every runtime -> how far each is from the reference, and where.

Two stages of the journey are compared. `features`: what the front-end says, against librosa.
`scores`: what the whole model says, against Keras. The windows are real test clips and probes that
break front-ends: digital silence, full-scale noise, clipping, an impulse, a whisper.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketear import command
from pocketear.archive import replacing
from pocketear.arrays import FeatureBatch, WindowBatch
from pocketear.errors import ParityError
from pocketear.front_end import reference
from pocketear.params import FrontEndParams, Params, load_params
from pocketear.progress import track
from pocketear.runner import open_feature_runner, open_runner
from pocketear.store import Store, open_store
from pocketear.windows import cut_windows

EXACT = ("keras", "litert_fp32", "litert_int8", "coreml_fp32")  # float32 front-ends
LIMITS = {
    "litert_fp32": {"max_abs": "max_fp32_error"},
    "litert_int8": {"flips": "max_flips"},
    "coreml_fp32": {"max_abs": "max_fp32_error"},
    "coreml_fp16": {"max_abs": "max_fp16_error"},
    "coreml_int8": {"flips": "max_flips"},
}
PROBES = ("digital silence", "full-scale noise", "noise at -80 dBFS", "clipped sine", "impulse")
_DB = 10 / np.log(10)  # decibels of a power ratio of e


@dataclass(frozen=True)
class Entry:
    """One cell of the matrix. limits: figure -> the limit of params.gate that judges it."""

    runtime: str
    stage: str
    max_abs: float
    max_rel: float
    snr_db: float
    flips: float
    worst: str
    limits: dict[str, str]


def probes(frontend: FrontEndParams, seed: int) -> dict[str, NDArray[np.float32]]:
    """Windows with known extremes, by name. Each (window_length,) float32."""
    length, rng = frontend.window_length, np.random.default_rng(seed)
    noise = rng.uniform(-1, 1, length)
    impulse = np.zeros(length)
    impulse[length // 2] = 1.0
    sine = np.sin(2 * np.pi * 440 * np.arange(length) / frontend.sample_rate)
    sounds = (np.zeros(length), noise, noise * 1e-4, np.clip(10 * sine, -1, 1), impulse)
    return {name: sound.astype(np.float32) for name, sound in zip(PROBES, sounds, strict=True)}


def chosen_windows(store: Store, params: Params) -> tuple[list[str], WindowBatch]:
    """The first window of test clips, spread over them, and the probes. returns: names, windows"""
    rows = np.flatnonzero(store.index["split"] == "test")
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), params.parity.clips)).astype(int)]
    length = params.frontend.window_length
    windows = {
        str(store.index["path"].iloc[row]): cut_windows(store.waveform(int(row)), length, length)[0]
        for row in chosen
    } | probes(params.frontend, params.seed)
    return list(windows), np.stack(list(windows.values()))


def power_ratio(
    features: FeatureBatch, expected: FeatureBatch, p: FrontEndParams
) -> NDArray[np.float64]:
    """Relative error of each coefficient.

    log-mel: of the mel power under the log, so that dB and ln are judged alike. MFCC: relative to
    the frame's largest coefficient, since a coefficient may be zero.
    """
    if p.kind == "log_mel":
        scale = _DB if p.log == "db" else 1.0
        return np.asarray(np.abs(np.expm1((features.astype(np.float64) - expected) / scale)))
    largest = np.abs(expected).max(axis=-1, keepdims=True)
    return np.asarray(np.abs(features.astype(np.float64) - expected) / np.maximum(largest, 1e-9))


def snr_db(values: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Signal to error ratio over everything; 200 where there is no error."""
    error = float(np.square(values.astype(np.float64) - expected).sum())
    signal = float(np.square(expected, dtype=np.float64).sum())
    return 200.0 if error == 0 else float(min(200.0, 10 * np.log10(signal / error)))


def compare(
    runtime: str,
    stage: str,
    values: NDArray[np.float32],
    expected: NDArray[np.float32],
    relative: NDArray[np.float64],
    names: list[str],
    limits: dict[str, str],
) -> Entry:
    """Judge one runtime at one stage; arrays have windows first.

    raises: ParityError if shapes differ, or a value is not finite
    """
    if values.shape != expected.shape:
        raise ParityError(f"{runtime}: {stage} has shape {values.shape}, want {expected.shape}")
    if not np.isfinite(values).all():
        bad = names[int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))]
        raise ParityError(f"{runtime}: {stage} is NaN or infinite on {bad}")
    error = np.abs(values.astype(np.float64) - expected).reshape(len(values), -1)
    # of real clips: no label is right for a probe, so another one is no mistake
    real = np.array([name not in PROBES for name in names])
    flipped = (
        (values.argmax(axis=-1) != expected.argmax(axis=-1))[real] if stage == "scores" else []
    )
    by_window = relative.reshape(len(values), -1) if stage == "features" else error
    return Entry(
        runtime=runtime,
        stage=stage,
        max_abs=float(error.max()),
        max_rel=float(relative.max()),
        snr_db=round(snr_db(values, expected), 2),
        flips=float(np.mean(flipped)) if len(flipped) else 0.0,
        worst=names[int(by_window.max(axis=1).argmax())],
        limits=limits,
    )


def features_entries(
    files: dict[str, Path], names: list[str], windows: WindowBatch, store: Store, p: FrontEndParams
) -> Iterator[Entry]:
    """What the network hears in every runtime, its normalisation undone, against librosa."""
    expected = np.stack([reference(window, p) for window in windows])
    for runtime, path in track(files.items(), len(files), "parity of features"):
        values = open_feature_runner(path)(windows) * store.scale + store.mean
        relative = power_ratio(values, expected, p)
        limits = {"max_rel": "max_front_end_error"} if runtime in EXACT else {}
        yield compare(runtime, "features", values, expected, relative, names, limits)


def scores_entries(
    files: dict[str, Path], names: list[str], windows: WindowBatch
) -> Iterator[Entry]:
    """Every other runtime against Keras, from waveform to probabilities."""
    expected = open_runner(files["keras"])(windows)
    for runtime, path in track(files.items(), len(files), "parity of scores"):
        if runtime != "keras":
            values = open_runner(path)(windows)
            relative = np.abs(values.astype(np.float64) - expected)
            yield compare(runtime, "scores", values, expected, relative, names, LIMITS[runtime])


def model_files(models: Path, name: str) -> dict[str, Path]:
    """Runtime -> file, for all that is exported."""
    return {
        "keras": models / "keras" / "model.keras",
        **{f"litert_{v}": models / "litert" / f"{name}_{v}.tflite" for v in ("fp32", "int8")},
        **{
            f"coreml_{v}": models / "coreml" / f"{name}_{v}.mlpackage"
            for v in ("fp32", "fp16", "int8")
        },
    }


def main(features: Path, models: Path, out: Path) -> None:
    """Compare every runtime with librosa and Keras on real clips and probes."""
    params = load_params()
    store = open_store(features)
    names, windows = chosen_windows(store, params)
    files = model_files(models, params.package.name)
    entries = [
        *features_entries(files, names, windows, store, params.frontend),
        *scores_entries(files, names, windows),
    ]
    report = {"windows": names, "entries": [asdict(entry) for entry in entries]}
    with replacing(out) as fresh:
        fresh.write_text(json.dumps(report, indent=2) + "\n")
    for entry in entries:
        print(f"parity: {entry.runtime} {entry.stage}: max {entry.max_abs:.2g}, {entry.worst}")


if __name__ == "__main__":
    command.run(main)
