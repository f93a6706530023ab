"""worst: the test clips that the model that ships gets most wrong, to be seen and heard."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pocketear.data.store import Store
from pocketear.report.clips_shown import sound, spectrogram
from pocketear.report.findings import Findings

if TYPE_CHECKING:
    import pandas as pd

SHOWN = 6
SECONDS = 6.0  # of each clip, from its start: bounds the page
_SCORES_SHOWN = 3


@dataclass(frozen=True)
class WorstClip:
    """One clip. scores: the likeliest labels and the true one, the highest first."""

    path: str
    label: str
    predicted: str
    scores: list[tuple[str, float]]
    seconds: float
    shown_seconds: float
    picture: str
    sound: str

    @property
    def right(self) -> bool:
        """Whether the model has it right after all."""
        return self.label == self.predicted


def worst_clips(found: Findings, runner: str) -> list[WorstClip]:
    """The clips whose true label scores lowest against the likeliest other, the worst first."""
    table, store = found.predictions_of(runner), found.store
    if table is None or store is None:
        return []
    scores = table[[f"score_{label}" for label in found.labels]].to_numpy(float)
    truth = table["label"].map({label: i for i, label in enumerate(found.labels)}).to_numpy(int)
    own = scores[np.arange(len(scores)), truth]
    others = scores.copy()
    others[np.arange(len(scores)), truth] = -np.inf
    order = np.argsort(own - others.max(axis=1), kind="stable")[:SHOWN]
    rows = np.flatnonzero(store.index["split"] == "test")
    clips = []
    for place in order:
        likeliest = np.argsort(-scores[place], kind="stable")[:_SCORES_SHOWN]
        shown = sorted({*likeliest.tolist(), int(truth[place])}, key=lambda i: -scores[place, i])
        named = [(found.labels[i], round(float(scores[place, i]), 3)) for i in shown]
        clip = table.iloc[place]
        clips.append(_clip(store, int(rows[place]), found.params.frontend.sample_rate, clip, named))
    return clips


def _clip(
    store: Store,
    row: int,
    sample_rate: int,
    clip: "pd.Series[Any]",
    scores: list[tuple[str, float]],
) -> WorstClip:
    waveform, features = store.waveform(row), store.features(row)
    seconds = len(waveform) / sample_rate
    share = min(1.0, SECONDS / seconds)
    return WorstClip(
        path=str(clip["path"]),
        label=str(clip["label"]),
        predicted=str(clip["predicted"]),
        scores=scores,
        seconds=seconds,
        shown_seconds=seconds * share,
        picture=spectrogram(features[: max(1, round(len(features) * share))]),
        sound=sound(waveform[: round(len(waveform) * share)], sample_rate),
    )
