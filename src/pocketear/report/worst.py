"""worst: the test clips that the file that ships gets most wrong, as pictures and sounds."""

import base64
import io
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base.arrays import Features, Waveform
from pocketear.contracts.names import SCORE_COLUMN
from pocketear.data.store import Store
from pocketear.report.findings import Findings

SHOWN = 6
SECONDS = 6.0  # of each clip, from its start: bounds the page
_SCORES_SHOWN = 3
_WIDEST = 800  # px of a spectrogram; longer clips are thinned


@dataclass(frozen=True)
class WorstClip:
    """One clip. scores: the likeliest labels and the true one, the highest first.

    picture, sound: data URIs of the first `shown_seconds`
    """

    path: str
    label: str
    predicted: str
    scores: list[tuple[str, float]]
    seconds: float
    shown_seconds: float
    picture: str
    sound: str

    @property
    def correct(self) -> bool:
        """Whether the prediction is right after all."""
        return self.label == self.predicted


def worst_clips(found: Findings, runner: str) -> list[WorstClip]:
    """The clips whose true label scores lowest against the likeliest other, the worst first.

    [] without predictions, or without the store of clips that they were made from
    """
    table, store = found.predictions_of(runner), found.store
    if table is None or store is None:
        return []
    rows = np.flatnonzero(store.index["split"] == "test")
    if store.index["sha256"].iloc[rows].tolist() != table["sha256"].tolist():
        return []  # features of another dataset than the one that was evaluated
    scores = table[[SCORE_COLUMN + label for label in found.labels]].to_numpy(float)
    truth = np.asarray(table["label"].map({label: i for i, label in enumerate(found.labels)}))
    clips = []
    for place in np.argsort(margins(scores, truth), kind="stable")[:SHOWN]:
        likeliest = np.argsort(-scores[place], kind="stable")[:_SCORES_SHOWN]
        shown = sorted({*likeliest.tolist(), int(truth[place])}, key=lambda i: -scores[place, i])
        named = [(found.labels[i], round(float(scores[place, i]), 3)) for i in shown]
        rate = found.params.frontend.sample_rate
        clips.append(_clip(store, int(rows[place]), rate, table.iloc[place], named))
    return clips


def margins(scores: NDArray[np.float64], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Score of the true label less that of the likeliest other. scores: (clip, label)"""
    clips = np.arange(len(scores))
    others = scores.copy()
    others[clips, truth] = -np.inf
    margin: NDArray[np.float64] = scores[clips, truth] - others.max(axis=1)
    return margin


def _clip(
    store: Store,
    row: int,
    sample_rate: int,
    clip: "pd.Series[str]",
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


def spectrogram(features: Features) -> str:
    """Features (frame, coefficient) as a PNG: low frequencies at the bottom, loud is bright."""
    import matplotlib
    from PIL import Image

    every = -(-len(features) // _WIDEST)
    low, high = np.percentile(features, [5, 99.8])
    scaled = np.clip((features[::every] - low) / max(float(high - low), 1e-6), 0, 1)
    image = Image.fromarray(np.rint(255 * scaled).astype(np.uint8).T[::-1])
    colours = matplotlib.colormaps["magma"](np.arange(256), bytes=True)[:, :3]
    image.putpalette(colours.tobytes())
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return _uri("image/png", content)


def sound(waveform: Waveform, sample_rate: int) -> str:
    """A waveform as 16-bit FLAC: lossless, and every browser plays it."""
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, waveform, sample_rate, format="FLAC", subtype="PCM_16")
    return _uri("audio/flac", content)


def _uri(kind: str, content: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
