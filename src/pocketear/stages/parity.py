"""parity: the same windows through every runtime -> how far each is from the reference, and where.

A matrix of stages of the journey and runtimes. `frames` (windowed), `power`, `mel` and `features`
(log-mel or MFCC) are held against librosa, `logits` and `scores` against Keras. The front-end and
the convolutions see a window in chunks (network.by_chunks), so librosa is given these. The windows
are real test clips and probes that break front-ends: digital silence, full-scale noise, clipping,
an impulse, a whisper.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pocketear.base import process
from pocketear.base.arrays import FeatureBatch, WindowBatch
from pocketear.base.errors import ParityError
from pocketear.base.progress import track
from pocketear.contracts.names import KERAS, LOGITS, NORMALISE, SCORES, ModelFiles
from pocketear.contracts.normalisation import Normalisation
from pocketear.contracts.parity import ParityCell, ParityReport
from pocketear.contracts.report_file import write
from pocketear.data.store import Store, open_store
from pocketear.data.windows import cut_windows
from pocketear.evaluation.numeric_error import (
    PROBES,
    as_powers,
    floor_power,
    loudest_mel,
    power_error,
    powers_of,
    probes,
    row_error,
    snr_db,
)
from pocketear.frontend import layer, numpy_fft
from pocketear.frontend.librosa_features import reference_frames, reference_steps
from pocketear.params import FrontEndParams, Params, load_params
from pocketear.runtimes.keras import load_keras
from pocketear.runtimes.runner import open_runner
from pocketear.runtimes.tensors import open_tensor_runner
from pocketear.training.network import normalisation_of

FRONT_END = ("frames", "power", "mel", "features")  # held against librosa
NETWORK = (LOGITS, SCORES)
ROUNDED = ("coreml_fp16", "coreml_int8")  # give the network its features in fp16
# figure -> the limit of params.gate that judges it
_FRONT_END_LIMIT = {"max_rel": "max_front_end_error"}
_LIMITS: dict[tuple[str, str], dict[str, str]] = {
    ("litert_fp32", "logits"): {"max_rel": "max_fp32_error"},
    ("litert_fp32", "scores"): {"max_abs": "max_fp32_error"},
    ("litert_int8", "scores"): {"flips": "max_flips"},
    ("coreml_fp32", "logits"): {"max_rel": "max_fp32_error"},
    ("coreml_fp32", "scores"): {"max_abs": "max_fp32_error"},
    ("coreml_fp16", "logits"): {"max_rel": "max_fp16_error"},
    ("coreml_fp16", "scores"): {"max_abs": "max_fp16_error"},
    ("coreml_int8", "scores"): {"flips": "max_flips"},
}
Steps = Mapping[str, FeatureBatch]  # stage -> (window, …)


@dataclass(frozen=True)
class Expected:
    """What the references say of the same windows.

    steps: by stage; frame_power: (window, frame, 1) sum over all bins of librosa's power
    """

    steps: Steps
    frame_power: FeatureBatch


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


def librosas(windows: WindowBatch, p: FrontEndParams) -> Expected:
    """The front-end's stages; of `power` the bins that the graph computes at all.

    p: of a chunk
    """
    rows = [
        {"frames": reference_frames(chunk, p), **reference_steps(chunk, p)}
        for chunk in windows.reshape(-1, p.window_length)
    ]
    stages = {stage: np.stack([row[stage] for row in rows]) for stage in FRONT_END}
    steps = _by_window(stages, len(windows))
    whole = steps["power"].sum(axis=-1, keepdims=True)
    return Expected({**steps, "power": steps["power"][..., layer.used_bins(p)]}, whole)


def _by_window(steps: Steps, count: int) -> dict[str, FeatureBatch]:
    """(window and chunk, frame, …) -> (window, frame, …). count: of windows"""
    return {name: values.reshape(count, -1, values.shape[-1]) for name, values in steps.items()}


def steps_of(
    path: Path, windows: WindowBatch, normalisation: Normalisation, p: FrontEndParams
) -> Steps:
    """What a file computes at each stage, in librosa's layout and units; stages that it lacks lack.

    normalisation: the network's, which is taken back; p: of a chunk
    raises: RunnerError if it cannot be run
    """
    tensors = open_tensor_runner(path)(windows)
    if numpy_fft.FRAMES in tensors:  # computed outside the graph
        steps = {step: tensors[step] for step in (numpy_fft.FRAMES, numpy_fft.MEL)}
        steps[numpy_fft.POWER] = tensors[numpy_fft.POWER][..., layer.used_bins(p)]
    else:
        scopes = {scope: tensors[scope] for scope in layer.SCOPES if scope in tensors}
        steps = layer.in_librosas_layout(scopes, p)
    if NORMALISE in tensors:
        shape = (-1, layer.n_frames(p), layer.n_coefficients(p))
        steps["features"] = tensors[NORMALISE].reshape(shape)
        mean, scale = (np.asarray(x, np.float32) for x in (normalisation.mean, normalisation.scale))
        steps["features"] = steps["features"] * scale + mean
    steps = _by_window(steps, len(windows))
    if LOGITS in tensors:
        steps[LOGITS] = tensors[LOGITS].reshape(len(windows), -1)
    return {**steps, SCORES: open_runner(path)(windows)}


def relative_error(
    stage: str, values: FeatureBatch, expected: Expected, p: FrontEndParams
) -> NDArray[np.float64]:
    """Of a power: relative to itself, as far as float32 goes (numeric_error.power_error).

    A log-mel is judged by the power under the log, so that dB and ln are judged alike. Of anything
    else: relative to the largest of its row (frame, or window), since a value may be zero.
    """
    wanted = expected.steps[stage]
    floor = floor_power(p)
    if stage == "power":
        return power_error(values, wanted, expected.frame_power, floor)
    loudest = loudest_mel(expected.frame_power, p)
    if stage == "mel":
        return power_error(as_powers(values, p), as_powers(wanted, p), loudest, floor)
    if stage == "features" and p.kind == "log_mel":
        return power_error(powers_of(values, p), powers_of(wanted, p), loudest, floor)
    return row_error(values, wanted)


def compare(
    cell: ParityCell,
    values: FeatureBatch,
    expected: FeatureBatch,
    relative: NDArray[np.float64],
    names: list[str],
) -> ParityCell:
    """Fill in one cell; arrays have windows first.

    raises: ParityError if shapes differ, or a value is not finite
    """
    where = f"{cell.runtime}: {cell.stage}"
    if values.shape != expected.shape:
        raise ParityError(f"{where} has shape {values.shape}, want {expected.shape}")
    if not np.isfinite(values).all():
        bad = names[int(np.argmin(np.isfinite(values).reshape(len(values), -1).all(axis=1)))]
        raise ParityError(f"{where} is NaN or infinite on {bad}")
    figures = {
        "max_abs": float(np.abs(values.astype(np.float64) - expected).max()),
        "max_rel": float(relative.max()),
        "snr_db": round(snr_db(values, expected), 2),
        "flips": flips(values, expected, names) if cell.stage == SCORES else None,
        "worst": names[int(relative.reshape(len(values), -1).max(axis=1).argmax())],
    }
    return cell.model_copy(update=figures)


def flips(scores: FeatureBatch, expected: FeatureBatch, names: list[str]) -> float:
    """Share of real clips that get another label: for a probe no label is right."""
    real = np.array([name not in PROBES for name in names])
    flipped = (scores.argmax(axis=-1) != expected.argmax(axis=-1))[real]
    return float(flipped.mean()) if len(flipped) else 0.0


def limits(runtime: str, stage: str) -> dict[str, str]:
    """What of a cell is judged, and by which limit of params.gate."""
    if stage in FRONT_END:
        return {} if stage == "features" and runtime in ROUNDED else _FRONT_END_LIMIT
    return _LIMITS.get((runtime, stage), {})


def row(
    runtime: str, steps: Steps, expected: Expected, names: list[str], p: FrontEndParams
) -> Iterator[ParityCell]:
    """All cells of a runtime."""
    for stage in (*FRONT_END, *NETWORK):
        cell = ParityCell(runtime=runtime, stage=stage, limits=limits(runtime, stage))
        if stage not in steps:
            reason = f"the file computes no float tensor named after {stage}"
            joined = f"{reason}; its converter joined it with another"
            yield cell.model_copy(update={"absent": joined})
        elif runtime != KERAS or stage in FRONT_END:
            relative = relative_error(stage, steps[stage], expected, p)
            yield compare(cell, steps[stage], expected.steps[stage], relative, names)


def matrix(
    files: Mapping[str, Path], names: list[str], windows: WindowBatch, params: Params
) -> Iterator[ParityCell]:
    """Every cell. files: runtime -> its file, Keras's among them"""
    p = params.chunk
    expected = librosas(windows, p)
    normalisation = normalisation_of(load_keras(files[KERAS]))
    network = steps_of(files[KERAS], windows, normalisation, p)
    expected = replace(
        expected, steps={**expected.steps, **{stage: network[stage] for stage in NETWORK}}
    )
    for runtime, path in track(files.items(), len(files), "parity"):
        steps = network if runtime == KERAS else steps_of(path, windows, normalisation, p)
        yield from row(runtime, steps, expected, names, p)


def main(features: Path, models: Path, out: Path) -> None:
    """Compare every runtime with librosa and Keras on real clips and probes."""
    params = load_params()
    store = open_store(features)
    names, windows = chosen_windows(store, params)
    files = ModelFiles(models, params.package.name).by_runner()
    cells = tuple(matrix(files, names, windows, params))
    write(ParityReport(windows=tuple(names), entries=cells), out)
    for cell in cells:
        found = cell.absent or f"max {cell.max_abs:.2g}, {cell.max_rel:.2g} relative"
        print(f"parity: {cell.runtime} {cell.stage}: {found}; worst {cell.worst or 'not known'}")


if __name__ == "__main__":
    process.run(main)
