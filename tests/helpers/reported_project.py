"""A project's folder after `gate`, in its real formats: a store of clips, and every report.

The reports are written by the stages' own functions, from scores that are made up.
"""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from pocketear.evaluation.metrics import score
from pocketear.params import load_params
from pocketear.stages import evaluate, gate

LABELS = ("cry", "laugh", "other")
RATE, MELS, HOP = 16_000, 64, 160
RUNNERS = ("keras", "litert_fp32", "litert_int8", "coreml_fp16")


def write_reported(root, *, labels=LABELS, seconds=1.0, paths=None, skill=3.0, seed=3):
    """Write data/features and reports/ below `root`; skill: how sure the model is of the truth."""
    params = load_params(root / "params.yaml")
    index = write_store(root / "data/features", labels, seconds, paths, seed)
    reports = root / "reports"
    for folder in ("evaluation", "training", "validation"):
        (reports / folder).mkdir(parents=True)
    test = index[index["split"] == "test"].reset_index(drop=True)
    metrics = write_evaluation(reports, test, labels, skill, seed)
    entry = {"runtime": "litert_fp32", "stage": "scores", "max_abs": 3e-8, "max_rel": 3e-8}
    entry |= {"snr_db": 130.0, "flips": 0.0, "worst": test["path"][0], "absent": ""}
    parity = {"entries": [{**entry, "limits": {"max_abs": "max_fp32_error"}}]}
    shipped = {"bytes": 123_456, "host": {"ratio_median": 0.2}}
    latency = {"shipped": shipped, "models": {}, "absent": {}}
    files = [f"litert_{params.export.android}", f"coreml_{params.export.ios}"]
    gates = [
        *gate.accuracy_gates(metrics, files, params.gate),
        *gate.parity_gates(parity, params.gate),
        gate.at_most("file_bytes", params.gate.max_file_bytes, shipped["bytes"], " B"),
    ]
    validation = {"usable": len(index), "set_aside": 1, "labels": {}, "seconds": 9.0}
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [1.0, 0.5, 0.4], "val_loss": [1, 0.6, 0.7]})
    history = history.assign(accuracy=[0.4, 0.7, 0.8], val_accuracy=[0.4, 0.7, 0.6])
    history.to_csv(reports / "training/history.csv", index=False)
    aside = pd.DataFrame({"path": ["data/quiet.wav"], "reason": ["too quiet: -93.0 dBFS"]})
    aside.to_csv(reports / "validation/set_aside.csv", index=False)
    for name, content in {
        "metrics": metrics, "parity": parity, "latency": latency, "verdict": gate.judge(gates, []),
        "validation/validation": validation,
    }.items():  # fmt: skip
        (reports / f"{name}.json").write_text(json.dumps(content))
    return index


def write_store(folder, labels, seconds, paths, seed):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    count, samples = 12 * len(labels), round(seconds * RATE)
    frames = (samples - 512) // HOP + 1
    waves = (rng.normal(0, 3000, (count, samples))).astype("<i2")
    waves.tofile(folder / "waveforms.i16")
    rng.normal(-40, 10, (count, frames, MELS)).astype("<f4").tofile(folder / "features.f32")
    index = pd.DataFrame(
        {
            "path": [f"data/clips/{i:03}.wav" for i in range(count)],
            "sha256": [f"{i:064x}" for i in range(count)],
            "label": [labels[i % len(labels)] for i in range(count)],
            "group": [f"g{i // 2}" for i in range(count)],
            "split": [
                "test" if i % 12 > 5 else "train" if i % 12 > 1 else "val" for i in range(count)
            ],
            "sample": np.arange(count) * samples,
            "samples": samples,
            "frame": np.arange(count) * frames,
            "frames": frames,
        }
    )
    if paths:
        index.loc[: len(paths) - 1, "path"] = paths
    index.to_parquet(folder / "index.parquet", index=False)
    normalisation = {"mean": [0.0] * MELS, "scale": [1.0] * MELS}
    (folder / "normalisation.json").write_text(json.dumps(normalisation))
    return index


def write_evaluation(reports, test, labels, skill, seed):
    rng = np.random.default_rng(seed)
    truth = test["label"].map({label: i for i, label in enumerate(labels)}).to_numpy(np.int64)
    logits = rng.normal(0, 1, (len(test), len(labels)))
    logits[np.arange(len(test)), truth] += skill
    metrics, tables = {}, []
    for runner in RUNNERS:
        scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        found = score(
            truth, scores.astype(np.float32), test["group"].to_numpy(object), labels,
            resamples=50, bins=10, seed=1,
        )  # fmt: skip
        metrics[runner] = {"bytes": 123_456} | asdict(found)
        tables.append(evaluate.predictions(test, scores, labels).assign(runner=runner))
    table = pd.concat(tables, ignore_index=True)
    table.to_parquet(Path(reports, "evaluation/predictions.parquet"), index=False)
    return metrics
