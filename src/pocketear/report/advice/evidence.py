"""evidence: what the stages wrote -> the figures that advice stands on. Nothing is judged here."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pocketear.contracts.metrics import Metrics
from pocketear.contracts.names import SCORE_COLUMN
from pocketear.evaluation.intervals import share_interval
from pocketear.report.findings import Findings
from pocketear.report.tables import count_pairs

CROSSVALIDATED = "crossvalidated"
_MOST_GROUPS = 5000
_STEP = 1.1  # between two numbers of groups that are tried


@dataclass(frozen=True)
class Curve:
    """How training went. Losses in nats; the validation side is without augmentation.

    epochs: how many there were; chance: the loss of equal scores, ln of the number of labels
    fall: share by which the validation loss fell from the third to the last quarter of the epochs
    worst: the highest training loss after the first epoch, in units of chance
    rise: share by which the last validation loss is above the lowest; lowest: its epoch
    accuracy, val_accuracy: of the last epoch
    slope: the exponent of the power law through the validation loss, its first quarter left out
    """

    epochs: int
    chance: float
    loss: float
    val_loss: float
    accuracy: float
    val_accuracy: float
    fall: float
    worst: float
    rise: float
    lowest: int
    slope: float

    @property
    def unlearned(self) -> float:
        """The validation loss at the end in units of chance: 0 perfect, 1 a guess."""
        return self.val_loss / self.chance

    @property
    def gain(self) -> float:
        """The share of the validation loss that twice the epochs would take away."""
        return 1 - math.pow(2.0, self.slope)

    @property
    def gap(self) -> float:
        """Training accuracy, on augmented windows, less validation accuracy."""
        return self.accuracy - self.val_accuracy


def curve_of(found: Findings) -> Curve | None:
    """How training went; None where there is no history, or not of this kind."""
    history, labels = found.history, found.labels
    if history is None or not len(history) or len(labels) < 2:
        return None
    if not {"accuracy", "val_accuracy"} <= set(history):
        return None
    val = history["val_loss"].to_numpy(float)
    third, last = _quarters(val)
    chance = math.log(len(labels))
    after_first = history["loss"].to_numpy(float)[1:]
    end = history.iloc[-1]
    return Curve(
        epochs=len(history),
        chance=chance,
        loss=float(end["loss"]),
        val_loss=float(end["val_loss"]),
        accuracy=float(end["accuracy"]),
        val_accuracy=float(end["val_accuracy"]),
        fall=1 - last / third if third > 0 else 0.0,
        worst=float(after_first.max(initial=0.0)) / chance,
        rise=float(val[-1] / val.min()) - 1 if val.min() > 0 else 0.0,
        lowest=int(val.argmin()) + 1,
        slope=_slope(val),
    )


def _quarters(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> tuple[float, float]:
    """Medians of the third and of the last quarter; of a single epoch, twice the same."""
    size = max(1, len(values) // 4)
    before = values[-2 * size : -size]
    last = float(np.median(values[-size:]))
    return (float(np.median(before)) if len(before) else last), last


def _slope(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    """The exponent of the power law through a curve, by least squares in logarithms.

    Without the first quarter, which the warm-up bends; 0.0 of a single epoch.
    source: Hestness et al., Deep learning scaling is predictable, empirically (2017), on power laws
    """
    if len(values) < 2 or values.min() <= 0:
        return 0.0
    epochs = np.arange(1, len(values) + 1)
    late = epochs >= len(values) / 4
    return float(np.polyfit(np.log(epochs[late]), np.log(values[late]), 1)[0])


def metrics_of(found: Findings, subject: str) -> Metrics | None:
    """The metrics that a gate is about: of a file that was evaluated, or over all folds."""
    if subject == CROSSVALIDATED:
        return found.folds.metrics if found.folds else None
    return found.metrics_of(subject)


def clip_seconds(found: Findings, label: str = "") -> pd.Series | None:
    """(clip,) seconds, of all clips or of a label; None without the store of clips."""
    if found.store is None:
        return None
    index = found.store.index
    own = index[index["label"] == label] if label else index
    return own["samples"] / found.params.frontend.sample_rate if len(own) else None


def groups_wanted(share: float, limit: float, groups: int) -> int | None:
    """How many groups, one clip each, vouch for `limit` where `share` of them are right.

    By the interval that the gate judges. None where no number does: share is at most limit
    """
    if share <= limit:
        return None
    count = max(2, groups)
    while count < _MOST_GROUPS:
        hits = np.arange(count) < round(share * count)
        if share_interval(hits, np.arange(count).astype(object))[0] >= limit:
            return count
        count = math.ceil(count * _STEP)
    return None


def commonest_mistake(found: Findings, runner: str, label: str) -> tuple[str, int, int] | None:
    """What a label is most often taken for, how many of its clips are, and how many it has.

    None without predictions of the runner, or where the label is never mistaken
    """
    table = found.predictions_of(runner)
    if table is None or label not in found.labels:
        return None
    row = count_pairs(table["label"], table["predicted"], found.labels)[found.labels.index(label)]
    own = found.labels.index(label)
    total, mistakes = int(row.sum()), row.copy()
    mistakes[own] = 0
    most = int(mistakes.argmax())
    return (found.labels[most], int(mistakes[most]), total) if mistakes[most] else None


def training_clips(found: Findings) -> "pd.Series[int] | None":
    """How many clips, and groups, of each label are on the training side. Index: label"""
    if found.store is None:
        return None
    index = found.store.index
    return index[index["split"] == "train"].groupby("label").size()


def confidence_and_accuracy(found: Findings, runner: str) -> tuple[float, float] | None:
    """Means over the test clips of one runner: the highest score, and whether it is right."""
    table = found.predictions_of(runner)
    if table is None:
        return None
    scores = table[[SCORE_COLUMN + label for label in found.labels]].to_numpy(float)
    return float(scores.max(axis=1).mean()), float((table["label"] == table["predicted"]).mean())


def sure_share(found: Findings, runner: str, label: str, least: float) -> float | None:
    """Share of a label's test clips that score `least` or more for it; None where not known."""
    table = found.predictions_of(runner)
    if table is None or label not in found.labels:
        return None
    own = table[table["label"] == label][SCORE_COLUMN + label]
    return float((own >= least).mean()) if len(own) else None


def flipped_margins(found: Findings, runner: str, reference: str) -> "pd.Series[float] | None":
    """The margins, highest score less the second, that the reference gives clips which flip.

    None where one of the two was not evaluated
    """
    own, wanted = found.predictions_of(runner), found.predictions_of(reference)
    if own is None or wanted is None or own["path"].tolist() != wanted["path"].tolist():
        return None
    scores = np.sort(
        wanted[[SCORE_COLUMN + label for label in found.labels]].to_numpy(float), axis=1
    )
    margins = pd.Series(scores[:, -1] - scores[:, -2])
    return margins[(own["predicted"] != wanted["predicted"]).to_numpy()]
