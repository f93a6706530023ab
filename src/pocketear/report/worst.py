"""worst: the test clips that the file that ships gets most wrong, as pictures and sounds."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.contracts.names import SCORE_COLUMN
from pocketear.report.findings import Findings
from pocketear.report.player import Judged, ShownClip, likeliest, show

SHOWN = 6


def worst_clips(found: Findings, runner: str) -> list[ShownClip]:
    """The clips whose true label scores lowest against the likeliest other, the worst first.

    [] without predictions, or without the store of clips that they were made from
    """
    table, store = found.predictions_of(runner), found.store
    if table is None or store is None:
        return []
    rows = np.flatnonzero(store.index["split"] == "test")
    if store.index["sha256"].iloc[rows].tolist() != table["sha256"].tolist():
        return []  # features of another dataset than the one that was evaluated
    rate = found.params.frontend.sample_rate
    clips = []
    for place, judged in worst_first(table, found.labels):
        row = int(rows[place])
        clips.append(show(judged, store.waveform(row), store.features(row), rate))
    return clips


def worst_first(table: pd.DataFrame, labels: list[str]) -> list[tuple[int, Judged]]:
    """The SHOWN clips with the lowest margins, and their row numbers. table: predictions"""
    scores = table[[SCORE_COLUMN + label for label in labels]].to_numpy(float)
    truth = np.asarray(table["label"].map({label: i for i, label in enumerate(labels)}))
    places = np.argsort(margins(scores, truth), kind="stable")[:SHOWN].tolist()
    paths, given, predicted = (
        table[name].astype(str).tolist() for name in ("path", "label", "predicted")
    )
    return [
        (place, Judged(paths[place], given[place], predicted[place],
                       likeliest(scores[place], labels, given[place])))
        for place in places
    ]  # fmt: skip


def margins(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score of the true label less that of the likeliest other. scores: (clip, label)"""
    clips = np.arange(len(scores))
    others = scores.copy()
    others[clips, truth] = -np.inf
    margin: NDArray[np.float64] = scores[clips, truth] - others.max(axis=1)
    return margin
