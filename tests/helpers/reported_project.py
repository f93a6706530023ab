"""A project's folder after `gate`, in its real formats: a store of clips, and every report.

The reports are written by the stages' own functions, from scores that are made up.
"""

import numpy as np
import pandas as pd

from pocketear.contracts import report_file as contracts
from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.latency import ClassCost, LatencyReport, ModelCost, OpCost, TimedLimit
from pocketear.contracts.metrics import Alarms, Metrics, MetricsReport
from pocketear.contracts.names import shipped_runners
from pocketear.contracts.normalisation import Normalisation
from pocketear.contracts.parity import ParityCell, ParityReport
from pocketear.contracts.validation import Validation
from pocketear.evaluation.metrics import predictions, score
from pocketear.params import load_params
from pocketear.stages import evaluate, gate

LABELS = ("cry", "laugh", "other")
RATE, MELS, HOP = 16_000, 64, 160
RUNNERS = ("keras", "litert_fp32", "litert_int8", "coreml_fp16")
BYTES = 123_456


def write_reported(root, *, labels=LABELS, seconds=1.0, paths=None, skill=3.0, seed=3):
    """Write data/features and reports/ below `root`; skill: how sure the model is of the truth."""
    params = load_params(root / "params.yaml")
    index = write_store(root / "data/features", labels, seconds, paths, seed)
    reports = root / "reports"
    for folder in ("evaluation", "training", "validation"):
        (reports / folder).mkdir(parents=True)
    test = index[index["split"] == "test"].reset_index(drop=True)
    metrics = write_evaluation(reports / "evaluation", test, labels, skill, params)
    write_history(reports / "training")
    parity, latency = parity_of(test["path"][0]), latency_of(params)
    shipped = shipped_runners(params.export)
    limits = params.gate.model_copy(update={"budgets": {}, "bound": "estimate"})
    folds = GroupFolds(folds=0, why="split.crossvalidate is never", metrics=None)
    gates = [
        *gate.accuracy_gates(metrics, shipped, folds, limits),
        *gate.parity_gates(parity, params.gate),
        *gate.latency_gates(latency, limits),
    ]
    validation = Validation(
        usable=len(index), set_aside=1, labels=dict.fromkeys(labels, 12), seconds=9.0, problems=()
    )
    aside = pd.DataFrame({"path": ["data/quiet.wav"], "reason": ["too quiet: -93.0 dBFS"]})
    aside.to_csv(reports / "validation/set_aside.csv", index=False)
    for name, content in {
        "metrics": metrics, "parity": parity, "latency": latency,
        "verdict": gate.judge(gates, ("false alarms: no recording to count them in",)),
        "validation/validation": validation,
    }.items():  # fmt: skip
        contracts.write(content, reports / f"{name}.json")
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
    normalisation = Normalisation(mean=(0.0,) * MELS, scale=(1.0,) * MELS)
    contracts.write(normalisation, folder / "normalisation.json")
    return index


def write_evaluation(folder, test, labels, skill, params):
    rng = np.random.default_rng(3)
    truth = test["label"].map({label: i for i, label in enumerate(labels)}).to_numpy(np.int64)
    logits = rng.normal(0, 1, (len(test), len(labels)))
    logits[np.arange(len(test)), truth] += skill
    scores = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)).astype(np.float32)
    own = Metrics(bytes=BYTES, **score(test, scores, labels, params.evaluate.calibration_bins))
    alarms = Alarms(
        misses={labels[0]: 0.25}, false_alarms=1, quiet_hours=0.05, false_alarms_per_hour_high=94.9
    )
    android, _ = shipped_runners(params.export)
    table = predictions(test[["path", "sha256", "group", "label"]], scores, labels)
    evaluate.plots(table, folder, params.evaluate.calibration_bins)
    tables = [table.assign(runner=runner) for runner in RUNNERS]
    pd.concat(tables, ignore_index=True).to_parquet(folder / "predictions.parquet", index=False)
    write_alarms(folder, labels)
    metrics = dict.fromkeys(RUNNERS, own)
    return MetricsReport(metrics | {android: own.model_copy(update={"alarms": alarms})})


def write_alarms(folder, labels):
    """A curve a label: the lower the threshold, the fewer are missed, the more alarms are false."""
    rows = [
        {"label": label, "threshold": threshold, "misses": threshold**2,
         "false_alarms_per_hour": 100 * (i + 1) * (1 - threshold)}
        for threshold in (0.9, 0.7, 0.5)
        for i, label in enumerate(labels)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(folder / "alarms.csv", index=False)


def write_history(folder):
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [1.0, 0.5, 0.4], "val_loss": [1, 0.6, 0.7]})
    history = history.assign(accuracy=[0.4, 0.7, 0.8], val_accuracy=[0.4, 0.7, 0.6])
    history.to_csv(folder / "history.csv", index=False)


def parity_of(worst):
    """One cell that passes and one that is over its limit are in tests/report/test_parity.py."""
    cell = ParityCell(
        runtime="litert_fp32", stage="scores", limits={"max_abs": "max_fp32_error"},
        max_abs=3e-8, max_rel=3e-8, snr_db=130.0, flips=0.0, worst=worst,
    )  # fmt: skip
    return ParityReport(windows=(worst,), entries=(cell,))


def latency_of(params, *, ops=3, passed=True):
    """Two phone classes, and a stopwatch on this machine."""
    model = f"{params.package.name}_{params.export.android}.tflite"
    classes = {"a53": class_cost(ops), "x1": class_cost(ops)}
    return LatencyReport(
        shipped=model,
        models={model: ModelCost(bytes=BYTES, arm64=classes)},
        timed={"host.ratio": TimedLimit(limit=1.0, unit="", passed=passed)},
    )


def class_cost(ops):
    """Of so many ops, each costlier than the one before."""
    counts = [1000 * (i + 1) for i in range(ops)]
    by_op = tuple(
        OpCost(op="CONV_2D", name=f"block_{i}", kernel="", front_end=i < 2,
               instructions=count, share=count / sum(counts))
        for i, count in enumerate(counts)
    )  # fmt: skip
    return ClassCost(
        instructions_per_inference=sum(counts),
        instructions_per_second=8_000_000,
        front_end_instructions_per_second=2_000_000,
        instructions_per_quiet_second=110_000,
        by_kind={"load": 9},
        by_op=by_op,
        costliest_op=f"CONV_2D block_{ops - 1}",
        estimate_ms_per_second=9.3,
        estimate_low=5.1,
        estimate_high=17.0,
        leave_one_out_error=0.2,
        peak_bytes=1_840_000,
        max_abs_to_host=0.0,
    )
