"""learning: why scores are wrong: the training, the clips, and how many people they come from."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pocketear.contracts.metrics import Metrics
from pocketear.contracts.names import KERAS
from pocketear.contracts.verdict import Gate
from pocketear.data.suggestions import window_of
from pocketear.evaluation.wording import plural, runner_name
from pocketear.params import Params
from pocketear.report.advice import evidence
from pocketear.report.advice.evidence import Curve
from pocketear.report.advice.kinds import (
    Cause,
    Found,
    Missing,
    changed,
    digits,
    more_recordings,
    multiple,
)
from pocketear.report.findings import Findings

HISTORY, STORE = "reports/training/history.csv", "data/features"
PREDICTIONS, METRICS = "reports/evaluation/predictions.parquet", "reports/metrics.json"
# The learning rate is lowered by a third while training diverges: Bengio, Practical
# recommendations for gradient-based training of deep architectures (2012), section 3.1.1.
_LOWER_RATE = 3.0
_CHANCE, _HIGHEST_RATE, _LOWEST_RATE = 1.05, 0.1, 1e-3
_FEW_CLIPS = 0.5  # of the median label's


@dataclass(frozen=True)
class Judged:
    """A share of clips that a gate refuses. label: "" for all of them

    share: as measured, None where it was not; limit: what was wanted of it
    """

    gate: Gate
    subject: str
    label: str
    share: float | None
    limit: float

    @property
    def enough(self) -> bool:
        """Whether the measured share is good enough, and only its interval is not."""
        return self.share is not None and self.share >= self.limit


def accuracy(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of accuracy and accuracy_low."""
    subject = gate.name.partition(".")[0]
    own = evidence.metrics_of(found, subject)
    judged = Judged(gate, subject, "", own.accuracy if own else None, gate.limit)
    yield from _shares(judged, own, found)


def recall(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of recall_min and recall_low: the label that the gate judged."""
    subject, _, figure = gate.name.partition(".")
    own = evidence.metrics_of(found, subject)
    shares = (own.recall_low if figure == "recall_low" else own.recall) if own else {}
    label = min(shares, key=lambda name: shares[name], default="")
    judged = Judged(gate, subject, label, own.recall.get(label) if own else None, gate.limit)
    yield from _shares(judged, own, found)
    if label:
        yield from few_clips(label, found)


def _shares(judged: Judged, own: Metrics | None, found: Findings) -> Iterator[Found]:
    if own is None:
        yield Missing(METRICS, f"{runner_name(judged.subject)}; it was not evaluated")
        return
    yield from few_groups(judged, own, found)
    weight = 0.3 if judged.enough else 1.0
    yield from weighed(lost_by_file(judged, found), weight)
    share = own.accuracy if judged.share is None else judged.share
    yield from weighed(training(found, 1 - judged.limit, 1 - share), weight)
    yield from weighed(padded(found, judged.label), 0.7 * weight)
    yield from weighed(confused(judged.subject, judged.label, found), weight)
    yield from weighed(other_people(own, judged.limit, found), weight)


def weighed(causes: Iterator[Found], weight: float) -> Iterator[Found]:
    """The same, every strength times `weight`."""
    for one in causes:
        yield replace(one, strength=one.strength * weight) if isinstance(one, Cause) else one


def few_groups(judged: Judged, own: Metrics, found: Findings) -> Iterator[Found]:
    """The share is good enough, and its interval is not, or there are fewer groups than wanted.

    strength: 0.95 where the measured share would pass; else up to 0.3, by how many groups lack
    """
    p = found.params.split
    fewest = min(own.label_groups, key=lambda name: own.label_groups[name])
    label = judged.label or fewest
    groups = own.label_groups[judged.label] if judged.label else own.groups
    if judged.share is None or not judged.gate.name.endswith("_low"):
        return
    wanted = evidence.groups_wanted(judged.share, judged.limit, groups)
    lack = 1 - own.label_groups[label] / p.min_test_groups
    strength = 0.95 if judged.enough else 0.3 * lack
    of = f"label {judged.label}" if judged.label else "all labels"
    said = (
        f"{100 * judged.share:.1f} % is right of the clips of {of}, but they come from only "
        f"{plural(groups, 'group')}, and those vouch for no more than {_percent(judged.gate.value)}"
    )
    if not judged.enough:
        tested = plural(own.label_groups[label], "group")
        said = f"label {label} is tested on {tested}, want {p.min_test_groups}"
    crossvalidated = judged.subject == evidence.CROSSVALIDATED or bool(
        found.folds and found.folds.metrics
    )
    if not crossvalidated:
        why = f"so that all groups are tested, {p.folds} times as many"
        yield from changed(found.params, said, strength, {"split.crossvalidate": "always"}, why)
        return
    more = f"some {wanted - groups} groups (people, places) more" if wanted else "more people"
    yield more_recordings(found.params, said, strength, f"recordings of {more}")


def training(found: Findings, wanted: float, error: float) -> Iterator[Found]:
    """What the training history shows. wanted, error: share of wrong clips, the limit and now

    A pretrained network has none: its last layer is a convex problem, and is solved.
    """
    if found.params.model.pretrained:
        return
    curve = evidence.curve_of(found)
    if curve is None:
        yield Missing(HISTORY, "the training: too short, too fast, or over-fitted")
        return
    yield from rate_too_high(curve, found.params)
    yield from too_short(curve, found.params, wanted / error if error > 0 else 1.0)
    yield from stopped_early(curve, found.params)
    yield from over_fitted(curve, found.params)
    yield from too_small(curve, found.params)


def rate_too_high(curve: Curve, params: Params) -> Iterator[Cause]:
    """Training that is worse than a guess at some time after its first epoch.

    strength: 0.9 where it also ends near chance, else by how far above chance it went
    """
    rate = params.train.learning_rate
    if curve.worst < _CHANCE and not (curve.unlearned > 0.9 and rate > _HIGHEST_RATE):
        return
    near_chance = curve.unlearned > 0.9
    said = (
        f"the training loss reached {curve.worst:.3g} times that of a guess, and the validation "
        f"loss ended at {curve.unlearned:.2g} times: the learning rate {rate:g} is too high"
    )
    lower = digits(min(rate / _LOWER_RATE, _HIGHEST_RATE))
    strength = 0.95 if near_chance else min(0.8, curve.worst - 1)
    yield from changed(params, said, strength, {"train.learning_rate": lower})


def too_short(curve: Curve, params: Params, ratio: float) -> Iterator[Cause]:
    """Training that ended while the validation loss still fell.

    ratio: what the error must come to, as a share of what it is
    strength: the loss left, in units of chance, by what twice the epochs would gain (10 %: much)
    """
    if curve.epochs < params.train.epochs or curve.gain <= 0 or curve.worst >= _CHANCE:
        return
    said = (
        f"after {plural(curve.epochs, 'epoch')} the validation loss is {curve.unlearned:.2f} of a "
        f"guess's, and falls so that twice as many would take {100 * curve.gain:.0f} % off it"
    )
    strength = min(1.0, 1.6 * curve.unlearned) * min(1.0, curve.gain / 0.1)
    epochs = epochs_wanted(curve, ratio)
    yield from changed(params, said, strength, {"train.epochs": epochs})


def epochs_wanted(curve: Curve, ratio: float) -> int:
    """Epochs at which the loss falls to `ratio` of its end, on the power law through its history.

    returns: twice to ten times as many, a multiple of five
    """
    steepness = min(-0.05, curve.slope)
    times = min(0.9, max(0.1, ratio)) ** (1 / steepness)
    return multiple(curve.epochs * min(10.0, max(2.0, times)), 5, up=True)


def stopped_early(curve: Curve, params: Params) -> Iterator[Cause]:
    """Training that `train.patience` ended. strength: the epochs that were not used, at most 0.7"""
    p = params.train
    if not p.patience < curve.epochs < p.epochs:
        return
    said = (
        f"training stopped at epoch {curve.epochs} of {p.epochs}, {plural(p.patience, 'epoch')} "
        f"after the lowest validation loss"
    )
    strength = 0.7 * (1 - curve.epochs / p.epochs) * min(1.0, 2 * curve.unlearned)
    yield from changed(params, said, strength, {"train.patience": 2 * p.patience})


def over_fitted(curve: Curve, params: Params) -> Iterator[Cause]:
    """Training clips that are learned by heart: a gap of accuracy, or a validation loss that rose.

    strength: 30 points of gap, or a rise to twice the lowest loss, count as 1
    """
    strength = max(curve.gap / 0.3, curve.rise if curve.gap > 0 else 0.0)
    if strength <= 0 or curve.worst >= _CHANCE:
        return
    said = (
        f"over-fitting: accuracy is {100 * curve.accuracy:.0f} % in training and "
        f"{100 * curve.val_accuracy:.0f} % on validation; the validation loss was lowest in epoch "
        f"{curve.lowest} of {curve.epochs}"
    )
    mixed, dropped = params.augment.mix_share, params.model.dropout
    if mixed < 1.0:
        values = {"augment.mix_share": 1.0 if mixed >= 0.5 else 0.5}
    elif dropped < 0.5:
        values = {"model.dropout": digits(min(0.5, max(0.2, 2 * dropped)))}
    else:
        values = {"train.weight_decay": digits(3 * params.train.weight_decay)}
    yield from changed(params, said, strength, values)


def too_small(curve: Curve, params: Params) -> Iterator[Cause]:
    """Training that has settled at a high loss, without over-fitting, at a sound learning rate.

    strength: the loss that is left, in units of chance
    """
    settled = curve.gain < 0.02 and curve.gap < 0.05 and curve.worst < _CHANCE
    if not settled or curve.unlearned < 0.3:
        return
    said = (
        f"training has settled at {curve.unlearned:.2f} of a guess's loss, with accuracy "
        f"{100 * curve.accuracy:.0f} % on its own clips"
    )
    rate = params.train.learning_rate
    if rate < _LOWEST_RATE:
        higher = digits(rate * _LOWER_RATE)
        yield from changed(params, said, curve.unlearned, {"train.learning_rate": higher})
        return
    wider = digits(1.5 * params.model.width)
    yield from changed(params, said, 0.8 * curve.unlearned, {"model.width": wider})


def padded(found: Findings, label: str = "") -> Iterator[Found]:
    """Clips much shorter than the window, filled up with zeros.

    strength: by windows of the median clip's length that fit into one; 2.5 count as 0.95
    """
    seconds = evidence.clip_seconds(found, label)
    if seconds is None:
        yield Missing(STORE, "how long the clips are, and how many of each label are trained on")
        return
    p, median = found.params.frontend, float(seconds.median())
    window = p.window_length / p.sample_rate
    if window <= median:
        return
    of = f" of {label}" if label else ""
    said = (
        f"the median clip{of} is {median:.2f} s, the window {window:.2g} s: "
        f"{window / median:.1f} of them in one window"
    )
    strength = 0.95 * min(1.0, (window / median - 1) / 1.5)
    yield from changed(found.params, said, strength, window_of(median, p))


def confused(subject: str, label: str, found: Findings) -> Iterator[Found]:
    """The pair of labels that is mixed up most. strength: its share of the label's clips, times 0.6

    label: "" for the label that is recognised worst
    """
    runner = subject if subject != evidence.CROSSVALIDATED else found.shipped[0]
    own = evidence.metrics_of(found, runner)
    if own and not label:
        label = min(own.recall, key=lambda name: own.recall[name])
    if found.predictions_of(runner) is None:
        yield Missing(PREDICTIONS, "which labels are taken for each other")
        return
    mistake = evidence.commonest_mistake(found, runner, label)
    if mistake:
        other, count, total = mistake
        said = f"{count} of {plural(total, 'test clip')} of {label} are taken for {other}"
        action = f"listen to the worst clips, and correct labels or add clips of {label}"
        yield Cause(said, 0.6 * count / total, action, "pocketear report")


def few_clips(label: str, found: Findings) -> Iterator[Found]:
    """A label with much less to train on. strength: by how far it is below the median label"""
    counts = evidence.training_clips(found)
    if counts is None or label not in counts.index:
        return
    median, own = float(counts.median()), int(counts[label])
    if own >= _FEW_CLIPS * median:
        return
    said = f"label {label} has {own} clips to train on, the median label {median:.0f}"
    lacking = f"some {round(median) - own} clips of {label}, of other people or places"
    yield more_recordings(found.params, said, 0.8 * (1 - own / median), lacking)


def other_people(own: Metrics, limit: float, found: Findings) -> Iterator[Found]:
    """Validation is good enough and the test side is not: its groups differ from the others.

    strength: 20 points between them count as 0.6
    """
    curve = evidence.curve_of(found)
    if curve is None or curve.val_accuracy < limit or own.accuracy >= curve.val_accuracy:
        return
    drop = curve.val_accuracy - own.accuracy
    said = (
        f"accuracy is {100 * curve.val_accuracy:.0f} % on validation and "
        f"{100 * own.accuracy:.0f} % on the test side: its groups are unlike those trained on"
    )
    what = "recordings of more people, places and microphones"
    yield more_recordings(found.params, said, min(0.6, 3 * drop), what)


def lost_by_file(judged: Judged, found: Findings) -> Iterator[Found]:
    """Keras passes and the file does not: it was lost in the export, not in training."""
    keras = found.metrics_of(KERAS)
    if keras is None or judged.share is None or judged.subject not in found.shipped:
        return
    before = keras.recall.get(judged.label) if judged.label else keras.accuracy
    if before is None or before < judged.limit or judged.enough:
        return
    said = (
        f"Keras reaches {100 * before:.1f} %, {runner_name(judged.subject)} only "
        f"{100 * judged.share:.1f} %: the export loses it"
    )
    yield from changed(found.params, said, 0.9, exact_variant(judged.subject))


def exact_variant(runner: str) -> dict[str, float | str]:
    """Ship fp32, whose weights and activations are not rounded."""
    return {"export.android" if runner.startswith("litert") else "export.ios": "fp32"}


def calibration(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of calibration_error: confidence above, or below, what is right. strength: 30 points are 1"""
    subject = gate.name.partition(".")[0]
    means = evidence.confidence_and_accuracy(found, subject)
    if means is None:
        yield Missing(PREDICTIONS, "how sure the scores are, and how often they are right")
        return
    sure, right = means
    said = f"the mean confidence is {100 * sure:.0f} %, and {100 * right:.0f} % is right"
    size, p = abs(sure - right) / 0.3, found.params
    ratio = (1 - p.gate.min_accuracy) / max(1 - right, 1e-9)
    if sure > right and p.augment.mix_share < 1.0:
        values = {"augment.mix_share": 1.0 if p.augment.mix_share >= 0.5 else 0.5}
        yield from changed(p, f"{said}: too sure", size, values)
    elif sure > right:
        values = {"train.weight_decay": digits(3 * p.train.weight_decay)}
        yield from changed(p, f"{said}: too sure", size, values)
    else:
        curve = evidence.curve_of(found)
        epochs = epochs_wanted(curve, ratio) if curve else 2 * p.train.epochs
        yield from changed(p, f"{said}: not sure enough", 0.8 * size, {"train.epochs": epochs})
    yield from training(found, 1 - p.gate.min_accuracy, 1 - right)


def _percent(value: float | None) -> str:
    return "nothing" if value is None else f"{100 * value:.1f} %"
