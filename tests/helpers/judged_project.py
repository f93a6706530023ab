"""A project's folder after `gate`: reports in their real formats, small files as the models."""

from pathlib import Path

import numpy as np
import pandas as pd

from pocketear.base.archive import sha256
from pocketear.contracts.latency import TIMINGS, ClassCost, LatencyReport, ModelCost, Timings
from pocketear.contracts.metrics import Metrics, MetricsReport
from pocketear.contracts.parity import ParityCell, ParityReport
from pocketear.contracts.report_file import write
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.runtimes.card import card_json, write_card
from tiny_model import tiny_card, tiny_tflite

LABELS = ("cry", "laugh", "other")
RUNNERS = ("keras", "litert_fp32", "litert_int8", "coreml_fp16")
TFLITE = Path("models/litert/cry_laugh_int8.tflite")


def write_judged(root, *, weights=b"weights", truth=None, predicted=None, accepted=True):
    """Write models/ and reports/ below `root`, as the stages up to `gate` leave them.

    weights: other ones make another model, whose network is the same
    truth, predicted: indices into LABELS, one a clip; by default all of 30 clips are right
    """
    truth = np.arange(30) % 3 if truth is None else np.asarray(truth)
    predicted = truth if predicted is None else np.asarray(predicted)
    write_models(Path(root), weights)
    reports = Path(root, "reports")
    (reports / "evaluation").mkdir(parents=True, exist_ok=True)
    table = pd.concat([predictions(runner, truth, predicted) for runner in RUNNERS[2:]])
    table.to_parquet(reports / "evaluation/predictions.parquet", index=False)
    own = metrics(truth, predicted)
    for name, report in {
        "metrics": MetricsReport(dict.fromkeys(RUNNERS, own)),
        "parity": parity(),
        "latency": latency(),
        "verdict": verdict(own.accuracy, accepted),
    }.items():
        write(report, reports / f"{name}.json")
    truth_and_prediction = {"actual": truth, "predicted": predicted}
    pd.DataFrame(truth_and_prediction).to_csv(reports / "evaluation/confusion.csv", index=False)
    (reports / "validation").mkdir(exist_ok=True)
    (reports / "validation/index.html").write_text("<html>Data Docs</html>")


def write_timings(ratio):
    """What `latency` leaves beside its report: this machine's stopwatch, of the file that ships."""
    digest = sha256(TFLITE.read_bytes())
    providers = {"host": {"ratio_median": ratio, "reference": "yamnet"}}
    write(Timings(sha256=digest, providers=providers), TIMINGS)


def write_models(root, weights):
    for folder in ("keras", "litert", "coreml/cry_laugh_fp16.mlpackage"):
        (root / "models" / folder).mkdir(parents=True, exist_ok=True)
    (root / "models/coreml/cry_laugh_fp16.mlpackage/Manifest.json").write_bytes(weights)
    (root / "models/keras/model.keras").write_bytes(weights)
    (root / "models/keras/labels.txt").write_text("\n".join(LABELS) + "\n")
    card = tiny_card(
        name="cry_laugh",
        labels=LABELS,
        thresholds={"cry": 0.5, "laugh": 0.5},
        background=("other",),
        made_from={"weights": sha256(weights)},
    )
    (root / "models/litert/card.json").write_text(card_json(card))
    (root / TFLITE).write_bytes(write_card(tiny_tflite(len(LABELS)), card))


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


def metrics(truth, predicted):
    right = truth == predicted
    recall = {name: float(right[truth == i].mean()) for i, name in enumerate(LABELS)}
    accuracy = float(right.mean())
    return Metrics(
        bytes=17,
        clips=len(truth),
        groups=len(truth),
        accuracy=accuracy,
        accuracy_low=accuracy - 0.1,
        accuracy_high=min(1.0, accuracy + 0.1),
        macro_f1=accuracy,
        recall=recall,
        recall_low=recall,
        recall_high=recall,
        precision=recall,
        label_groups={name: 5 for name in recall},
        recall_min=min(recall.values()),
        calibration_error=0.05,
    )


def parity():
    limits = {"flips": "max_flips"}
    cell = ParityCell(runtime="litert_int8", stage="scores", flips=0.0, max_abs=0.1, limits=limits)
    return ParityReport(windows=("data/clips/0.wav",), entries=(cell,))


def latency():
    a53 = ClassCost(
        instructions_per_inference=61_000_000,
        instructions_per_second=61_000_000,
        front_end_instructions_per_second=30_000_000,
        instructions_per_quiet_second=110_000,
        by_kind={"load": 9},
        by_op=(),
        costliest_op="CONV_2D",
        estimate_ms_per_second=41.0,
        estimate_low=30.0,
        estimate_high=50.0,
        leave_one_out_error=0.2,
        peak_bytes=1_000_000,
        max_abs_to_host=0.0,
    )
    return LatencyReport(
        shipped=TFLITE.name, models={TFLITE.name: ModelCost(bytes=17, arm64={"a53": a53})}
    )


def verdict(accuracy, accepted):
    reason = "" if accepted else f"accuracy {accuracy:.2f} is below 0.8"
    judged = Gate(name="accuracy", sense="at least", limit=0.8, value=accuracy, unit="",
                  passed=accepted, reason=reason)  # fmt: skip
    size = Gate(name="file_bytes", sense="at most", limit=1e6, value=17, unit=" B", passed=True,
                reason="")  # fmt: skip
    reasons = () if accepted else (reason,)
    return Verdict(accepted=accepted, reasons=reasons, absent=(), gates=(judged, size))
