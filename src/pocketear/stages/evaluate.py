"""evaluate: every runner on the test side -> metrics, predictions, confusion, calibration.

A clip's scores are the mean of its windows' scores. Nothing here, nor before, chose anything on
the test side.
"""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from pocketear.base import process
from pocketear.base.errors import DataError, RunnerError
from pocketear.base.files import replacing
from pocketear.base.progress import track
from pocketear.base.tables import write_csv
from pocketear.contracts.metrics import Metrics, MetricsReport
from pocketear.contracts.names import (
    KERAS,
    LITERT_VARIANTS,
    SCORE_COLUMN,
    ModelFiles,
    coreml_runner,
    labels_of,
    litert_runner,
    shipped_runners,
)
from pocketear.contracts.report_file import write
from pocketear.data.clips import read_labels
from pocketear.data.decoding.untrusted import stream_untrusted
from pocketear.data.store import Store, open_store
from pocketear.evaluation.metrics import predictions, reliability, score
from pocketear.listening import thresholds
from pocketear.params import ExportParams, Params, load_params
from pocketear.runtimes.card import read_card
from pocketear.runtimes.clip_scores import clip_scores
from pocketear.runtimes.runner import open_runner

_BLOCK = 1 << 16  # samples of a long recording in memory at once
_CLIP = ["path", "sha256", "group", "label"]  # of the store's index: what a clip is
_NOTES = {".md", ".txt", ".dvc"}  # what lies beside recordings


def judged_files(files: ModelFiles, export: ExportParams) -> dict[str, Path]:
    """Runner name -> model file: Keras, what ships, and the small variants beside it."""
    judged = {KERAS, *map(litert_runner, LITERT_VARIANTS), *shipped_runners(export)}
    judged.add(coreml_runner("int8"))
    return {name: path for name, path in files.by_runner().items() if name in judged}


def size_of(model: Path) -> int:
    """The bytes of a model's file, or of all files of its folder."""
    files = [model] if model.is_file() else model.rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file())


def evaluate(
    runners: dict[str, Path], store: Store, labels: tuple[str, ...], params: Params
) -> tuple[dict[str, Metrics], pd.DataFrame]:
    """Metrics and predictions of every runner on the test side."""
    rows = np.flatnonzero(store.index["split"] == "test").tolist()
    index = store.index.iloc[rows].reset_index(drop=True)
    waveforms = [store.waveform(row) for row in rows]
    window, hop = params.frontend.window_length, params.listener.hop_length
    metrics: dict[str, Metrics] = {}
    tables = []
    for name, path in track(runners.items(), len(runners), "evaluate"):
        scores = clip_scores(open_runner(path), waveforms, window, hop)
        figures = score(index, scores, labels, params.evaluate.calibration_bins)
        metrics[name] = Metrics(bytes=size_of(path), **figures)
        tables.append(predictions(index[_CLIP], scores, labels).assign(runner=name))
    return metrics, pd.concat(tables, ignore_index=True)


def alarm_streams(path: Path, store: Store, params: Params) -> list[thresholds.Stream]:
    """Long recordings scored by the file that ships on Android, its thresholds chosen before.

    The test clips joined in a seeded order, and every recording in evaluate.negatives.
    """
    card, run = read_card(path), open_runner(path)
    rows = np.flatnonzero(store.index["split"] == "test").tolist()
    own = store.index.iloc[rows]
    order, sounds = thresholds.joined_clips(
        own["samples"].tolist(), own["label"].tolist(), card.sample_rate, params.seed
    )
    named = negatives(params.evaluate.negatives)
    clips = (store.waveform(rows[place]) for place in order)
    streams = [thresholds.scored_recording(run, card, clips, sounds)]
    for file in track(named, len(named), "negative recordings"):
        try:
            blocks = stream_untrusted(file, card.sample_rate, _BLOCK)
            streams.append(thresholds.scored_recording(run, card, blocks, ()))
        except RunnerError as error:
            raise RunnerError(f"{file}: {error}") from error
    return streams


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


def plots(table: pd.DataFrame, folder: Path, bins: int) -> None:
    """CSV files for `dvc plots`: the confusion of what ships on Android, and calibration."""
    confusion = table[["label", "predicted"]].rename(columns={"label": "actual"})
    write_csv(confusion, folder / "confusion.csv")
    columns = [SCORE_COLUMN + label for label in labels_of(map(str, table.columns))]
    correct = (table["label"] == table["predicted"]).to_numpy()
    curve = reliability(correct, table[columns].max(axis=1).to_numpy(), bins=bins)
    write_csv(curve.round(4), folder / "calibration.csv")


def main(features: Path, models: Path, metrics: Path, out: Path) -> None:
    """Score Keras and the files that ship on the test side."""
    params = load_params()
    files, store = ModelFiles(models, params.package.name), open_store(features)
    android, _ = shipped_runners(params.export)
    found, table = evaluate(
        judged_files(files, params.export), store, read_labels(files.labels), params
    )
    shipped = files.by_runner()[android]
    streams, settings = alarm_streams(shipped, store, params), read_card(shipped).listener
    alarms = thresholds.alarms_of(streams, settings)
    found[android] = found[android].model_copy(update={"alarms": alarms})
    points = thresholds.misses_and_false_alarms(streams, settings)
    write(MetricsReport(found), metrics)
    with replacing(out) as fresh:
        fresh.mkdir()
        table.to_parquet(fresh / "predictions.parquet", index=False)
        plots(table[table["runner"] == android], fresh, params.evaluate.calibration_bins)
        write_csv(pd.DataFrame([asdict(point) for point in points]), fresh / "alarms.csv")
    for name, row in found.items():
        print(f"evaluate: {name}: accuracy {row.accuracy:.3f}")


if __name__ == "__main__":
    process.run(main)
