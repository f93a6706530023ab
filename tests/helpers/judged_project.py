"""A project's folder after `gate`: reports in their real formats, small files as the models."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

LABELS = ("cry", "laugh", "other")


def write_judged(
    root, *, weights=b"weights", truth=None, predicted=None, accepted=True, tflite=None
):
    """Write models/ and reports/ below `root`, as the stages up to `gate` leave them.

    truth, predicted: indices into LABELS, one a clip; by default all of 30 clips are right
    """
    truth = np.arange(30) % 3 if truth is None else np.asarray(truth)
    predicted = truth if predicted is None else np.asarray(predicted)
    write_models(Path(root), weights, tflite or b"tflite of " + weights)
    reports = Path(root, "reports")
    (reports / "evaluation").mkdir(parents=True, exist_ok=True)
    table = pd.concat(
        [predictions(runner, truth, predicted) for runner in ("litert_int8", "coreml_fp16")]
    )
    table.to_parquet(reports / "evaluation/predictions.parquet", index=False)
    metrics = {
        runner: figures(truth, predicted)
        for runner in ("keras", "litert_fp32", "litert_int8", "coreml_fp16")
    }
    accuracy = metrics["litert_int8"]["accuracy"]
    reason = "" if accepted else f"accuracy {accuracy:.2f} is below 0.8"
    gate = {"name": "accuracy", "limit": 0.8, "value": accuracy, "unit": "", "sense": "at least"}
    verdict = {
        "accepted": accepted,
        "gates": [
            {**gate, "passed": accepted, "reason": reason},
            {"name": "file_bytes", "limit": 1e6, "value": 17, "unit": " B", "passed": True},
        ],
        "reasons": [reason] if reason else [],
    }
    counted = {
        "instructions_per_second": 61_000_000,
        "by_kind": {"load": 9},
        "by_op": [{"name": "x"}],
    }
    latency = {"shipped": {"arm64": {"a53": counted}, "host": {"ratio_median": 3.4}}}
    parity = {"runtime": "litert_int8", "stage": "scores", "flips": 0.0, "max_abs": 0.1}
    parity |= {"limits": {"flips": "max_flips"}}
    written = {
        "metrics": metrics,
        "verdict": verdict,
        "latency": latency,
        "parity": {"entries": [parity]},
    }
    for name, content in written.items():
        (reports / f"{name}.json").write_text(json.dumps(content, indent=2))
    truth_and_prediction = {"actual": truth, "predicted": predicted}
    pd.DataFrame(truth_and_prediction).to_csv(reports / "evaluation/confusion.csv", index=False)
    (reports / "validation").mkdir(exist_ok=True)
    (reports / "validation/index.html").write_text("<html>Data Docs</html>")


def write_models(root, weights, tflite):
    (root / "models/keras").mkdir(parents=True, exist_ok=True)
    (root / "models/litert").mkdir(exist_ok=True)
    package = root / "models/coreml/cry_laugh_fp16.mlpackage"
    package.mkdir(parents=True, exist_ok=True)
    (package / "Manifest.json").write_bytes(weights)
    (root / "models/keras/model.keras").write_bytes(weights)
    (root / "models/keras/labels.txt").write_text("\n".join(LABELS) + "\n")
    (root / "models/litert/card.json").write_text("{}")
    (root / "models/litert/cry_laugh_int8.tflite").write_bytes(tflite)


def predictions(runner, truth, predicted):
    columns = {
        "runner": runner,
        "path": [f"data/clips/{i}.wav" for i in range(len(truth))],
        "sha256": [f"{i:064x}" for i in range(len(truth))],
        "label": [LABELS[i] for i in truth],
        "predicted": [LABELS[i] for i in predicted],
    }
    scores = {f"score_{name}": (predicted == i) * 0.8 + 0.1 for i, name in enumerate(LABELS)}
    return pd.DataFrame(columns | scores)


def figures(truth, predicted):
    right = truth == predicted
    recall = {name: float(right[truth == i].mean()) for i, name in enumerate(LABELS)}
    accuracy = float(right.mean())
    spread = {"accuracy_low": accuracy - 0.1, "accuracy_high": min(1.0, accuracy + 0.1)}
    return {"accuracy": accuracy, **spread, "macro_f1": accuracy, "recall": recall,
            "calibration_error": 0.05}  # fmt: skip
