"""evaluate: every runner on the test side -> metrics, predictions, confusion, calibration.

A clip's scores are the mean of its windows' scores. Nothing here, nor before, chose anything on
the test side.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pocketear.base import process
from pocketear.base.arrays import Scores, Waveform
from pocketear.base.errors import DataError, RunnerError
from pocketear.base.files import replacing
from pocketear.base.progress import track
from pocketear.data.audio import stream_waveform
from pocketear.data.clips import read_labels
from pocketear.data.store import Store, open_store
from pocketear.data.windows import cut_windows
from pocketear.evaluation.metrics import score
from pocketear.listening import thresholds
from pocketear.params import EvaluateParams, Params, load_params
from pocketear.runtimes.card import ModelCard, read_card
from pocketear.runtimes.runner import Runner, open_runner

_BLOCK = 1 << 16  # samples of a long recording in memory at once
_NOTES = {".md", ".txt", ".dvc"}  # what lies beside recordings


def clip_scores(run: Runner, store: Store, rows: list[int], window: int, hop: int) -> Scores:
    """(clip, label): the mean over each clip's windows, all windows in one call."""
    batches = [cut_windows(store.waveform(row), window, hop) for row in rows]
    scores = run(np.concatenate(batches))
    ends = np.cumsum([len(batch) for batch in batches])
    return np.stack([part.mean(axis=0) for part in np.split(scores, ends[:-1])])


def predictions(index: pd.DataFrame, scores: Scores, labels: tuple[str, ...]) -> pd.DataFrame:
    """One row a clip: what it is, what is predicted, every label's score."""
    predicted = np.asarray(labels, object)[scores.argmax(axis=1)]
    table = index[["path", "sha256", "group", "label"]].assign(predicted=predicted)
    return table.assign(**{f"score_{label}": scores[:, i] for i, label in enumerate(labels)})


def shipped(models: Path, params: Params) -> dict[str, Path]:
    """Runner name -> model file: Keras, what ships, and the small variants beside it."""
    name, coreml = params.package.name, dict.fromkeys((params.export.ios, "int8"))
    return {
        "keras": models / "keras" / "model.keras",
        "litert_fp32": models / "litert" / f"{name}_fp32.tflite",
        "litert_int8": models / "litert" / f"{name}_int8.tflite",
        **{f"coreml_{kind}": models / "coreml" / f"{name}_{kind}.mlpackage" for kind in coreml},
    }


def size_of(model: Path) -> int:
    """The bytes of a model's file, or of all files of its folder."""
    files = [model] if model.is_file() else model.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def evaluate(
    runners: dict[str, Path], store: Store, labels: tuple[str, ...], params: Params
) -> tuple[dict[str, dict[str, Any]], pd.DataFrame]:
    """Metrics and predictions of every runner on the test side."""
    rows = np.flatnonzero(store.index["split"] == "test").tolist()
    index = store.index.iloc[rows].reset_index(drop=True)
    truth = index["label"].map({label: i for i, label in enumerate(labels)}).to_numpy(np.int64)
    p: EvaluateParams = params.evaluate
    metrics: dict[str, dict[str, Any]] = {}
    tables = []
    for name, path in track(runners.items(), len(runners), "evaluate"):
        scores = clip_scores(
            open_runner(path), store, rows, params.frontend.window_length, p.hop_length
        )
        metrics[name] = {"bytes": size_of(path)} | asdict(
            score(
                truth, scores, index["group"].to_numpy(object), labels,
                resamples=p.bootstrap, bins=p.calibration_bins, seed=params.seed,
            )
        )  # fmt: skip
        tables.append(predictions(index, scores, labels).assign(runner=name))
    return metrics, pd.concat(tables, ignore_index=True)


def alarm_streams(path: Path, store: Store, params: Params) -> list[thresholds.Stream]:
    """Long recordings as the file that ships on Android hears them, its thresholds chosen before.

    The test clips joined in a seeded order, and every recording in evaluate.negatives.
    """
    card, run = read_card(path), open_runner(path)
    rows = np.flatnonzero(store.index["split"] == "test").tolist()
    mixed, sounds = thresholds.mixed_recording(
        [store.waveform(row) for row in rows],
        store.index["label"].iloc[rows].tolist(),
        card.sample_rate,
        params.seed,
    )
    named = negatives(params.evaluate.negatives)
    streams = [_stream(run, card, [mixed], sounds)]
    for file in track(named, len(named), "negative recordings"):
        try:
            blocks = stream_waveform(file, card.sample_rate, _BLOCK)
            streams.append(_stream(run, card, blocks, ()))
        except RunnerError as error:
            raise RunnerError(f"{file}: {error}") from error
    return streams


def _stream(
    run: Runner, card: ModelCard, blocks: Iterable[Waveform], sounds: tuple[thresholds.Sound, ...]
) -> thresholds.Stream:
    scores, samples = thresholds.score_stream(run, blocks, card.window_length, card.hop_length)
    rate = card.sample_rate
    return thresholds.Stream(scores, sounds, card.labels, rate, card.window_length, samples / rate)


def negatives(place: Path) -> list[Path]:
    """The recordings that `place`, a file or a folder, holds; notes and hidden files are none.

    raises: DataError if there is no such place
    """
    if not place.exists():
        raise DataError(f"{place}: not found; evaluate.negatives in params.yaml names it")
    files = [place] if place.is_file() else sorted(place.rglob("*"))
    return [
        file
        for file in files
        if file.is_file() and file.suffix not in _NOTES and not file.name.startswith(".")
    ]


def plots(table: pd.DataFrame, folder: Path) -> None:
    """CSV files for `dvc plots`: the confusion of what ships on Android, and calibration."""
    table[["label", "predicted"]].rename(columns={"label": "actual"}).to_csv(
        folder / "confusion.csv", index=False
    )
    columns = [name for name in table if name.startswith("score_")]
    confidence = table[columns].max(axis=1)
    correct = table["label"] == table["predicted"]
    bins = pd.cut(confidence, np.linspace(0, 1, 11), include_lowest=True, labels=False)
    curve = pd.DataFrame({"confidence": confidence, "accuracy": correct.astype(float)})
    curve.groupby(bins).mean().round(4).to_csv(folder / "calibration.csv", index=False)


def main(features: Path, models: Path, metrics: Path, out: Path) -> None:
    """Score Keras and the files that ship on the test side."""
    params = load_params()
    runners, store = shipped(models, params), open_store(features)
    labels = read_labels(models / "keras" / "labels.txt")
    figures, table = evaluate(runners, store, labels, params)
    android = f"litert_{params.export.android}"
    streams, settings = alarm_streams(runners[android], store, params), read_card(runners[android])
    figures[android]["alarms"] = asdict(thresholds.alarms_of(streams, settings.listener))
    points = thresholds.misses_and_false_alarms(streams, settings.listener)
    with replacing(metrics) as fresh:
        fresh.write_text(json.dumps(figures, indent=2) + "\n")
    with replacing(out) as fresh:
        fresh.mkdir()
        table.to_parquet(fresh / "predictions.parquet", index=False)
        plots(table[table["runner"] == android], fresh)
        pd.DataFrame([asdict(point) for point in points]).to_csv(fresh / "alarms.csv", index=False)
    for name, row in figures.items():
        print(f"evaluate: {name}: accuracy {row['accuracy']:.3f}")


if __name__ == "__main__":
    process.run(main)
