"""files: why an exported file differs from Keras, or its front-end from librosa."""

import math
from collections.abc import Iterator

from pocketear.contracts.metrics import Metrics
from pocketear.contracts.names import KERAS
from pocketear.contracts.parity import ParityCell
from pocketear.contracts.verdict import Gate
from pocketear.evaluation.wording import number, plural, runner_name, size
from pocketear.report.advice import evidence, learning
from pocketear.report.advice.kinds import Cause, Found, Missing, changed, more_recordings
from pocketear.report.findings import Findings

_PARITY = "reports/parity.json"
_NEAR = 0.1  # a margin between two scores below which rounding decides
_REPEAT = "make setup && dvc repro parity"


def drop(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of accuracy_drop and recall_drop: what a shipped file loses against Keras."""
    runner = gate.name.partition(".")[0]
    own, keras = found.metrics_of(runner), found.metrics_of(KERAS)
    if own is None or keras is None:
        yield Missing(learning.METRICS, f"{runner_name(runner)} against Keras")
        return
    clips, label = own.clips, ""
    if gate.name.endswith("recall_drop"):
        lost = {name: keras.recall.get(name, 0.0) - own.recall[name] for name in own.recall}
        label = max(lost, key=lambda name: lost[name])
        clips = _clips_of(found, runner, label) or own.clips
    yield from rounding(runner, found, label)
    yield from near_ties(runner, found)
    yield from few_tested(clips, label, gate.limit, found)


def few_tested(clips: int, label: str, limit: float, found: Findings) -> Iterator[Found]:
    """So few clips that a single one is more than the limit. strength: 0.4"""
    if clips * limit >= 1:
        return
    of = f"{plural(clips, 'test clip')} of {label}" if label else plural(clips, "test clip")
    said = f"one of {of} is {100 / clips:.1f} %, more than the limit"
    wanted, split = math.floor(1 / limit) + 1, found.params.split
    folds = max(2, split.folds * clips // wanted)  # the test side is one of so many folds
    if split.by == "group" and folds < split.folds:
        yield from changed(found.params, said, 0.4, {"split.test_share": round(1 / folds, 2)})
        return
    what = f"clips of {label or 'every label'}, so that {wanted} are tested"
    yield more_recordings(found.params, said, 0.4, what)


def _clips_of(found: Findings, runner: str, label: str) -> int:
    table = found.predictions_of(runner)
    return 0 if table is None else int((table["label"] == label).sum())


def flips(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of scores.flips: decisions of a quantised file that differ from Keras."""
    runner = gate.name.partition(".")[0]
    yield from absent(gate, found)
    if found.parity is None:
        yield Missing(_PARITY, "the clips that get another label")
    if gate.value is None:
        return
    yield from rounding(runner, found)
    yield from near_ties(runner, found)


def rounding(runner: str, found: Findings, label: str = "") -> Iterator[Found]:
    """The variant rounds, and fp32 of the same runtime does not lose it. A file of fp32 does not.

    strength: 0.8, or 0.6 where fp32 was not evaluated, less half the share of near ties
    """
    runtime, _, variant = runner.partition("_")
    own, keras = found.metrics_of(runner), found.metrics_of(KERAS)
    if variant == "fp32" or own is None or keras is None:
        return
    exact = found.metrics_of(f"{runtime}_fp32")
    of = f" of {label}" if label else ""
    said = (
        f"{runner_name(runner)} reaches {_share(own, label)}{of} and Keras {_share(keras, label)}"
    )
    strength = 0.6
    if exact is not None:
        said += f"; fp32 reaches {_share(exact, label)}, in {size(exact.bytes)}"
        strength = 0.8
    margins = evidence.flipped_margins(found, runner, KERAS)
    if margins is not None and len(margins):
        strength -= 0.5 * float((margins < _NEAR).mean())
    if runner in found.shipped:
        yield from changed(found.params, said, strength, learning.exact_variant(runner))


def _share(own: Metrics, label: str) -> str:
    return number(own.recall.get(label) if label else own.accuracy, share=True)


def near_ties(runner: str, found: Findings) -> Iterator[Found]:
    """Clips that flip because Keras itself hardly decides. strength: 0.9 times their share

    What helps is a surer model, so the causes of the training come with it, as strong at most.
    """
    margins = evidence.flipped_margins(found, runner, KERAS)
    if margins is None:
        yield Missing(learning.PREDICTIONS, "how sure Keras is of the clips that differ")
        return
    if not len(margins):
        return
    share = float((margins < _NEAR).mean())
    said = (
        f"{plural(len(margins), 'test clip')} differ from Keras, whose own margin between the two "
        f"likeliest labels is below {_NEAR:g} on {100 * share:.0f} % of them"
    )
    own = found.metrics_of(KERAS)
    error = 1 - own.accuracy if own else 1.0
    causes = learning.training(found, 1 - found.params.gate.min_accuracy, error)
    for cause in learning.weighed(causes, 0.9 * share):
        if isinstance(cause, Cause):
            evidence_of_both = f"{said}; {cause.evidence}"
            yield Cause(
                evidence_of_both, cause.strength, cause.action, cause.command, cause.changes
            )


def parity(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of frames, power, mel, features, logits and scores: where the first difference is."""
    yield from absent(gate, found)
    if found.parity is None:
        yield Missing(_PARITY, "the step at which a file first differs")
        return
    runner = gate.name.partition(".")[0]
    if gate.value is None:
        return
    first = first_over(found, runner)
    if first is None:
        return
    cell, figure, value, limit = first
    said = (
        f"{runner_name(runner)} first differs at {cell.stage}: {figure} {number(value)}, want "
        f"{number(limit)}, on {cell.worst}; later steps inherit it"
    )
    variant = runner.partition("_")[2]
    if cell.stage in ("logits", "scores") and variant == "fp16":
        yield from changed(found.params, said, 0.9, {"export.ios": "fp32"})
        return
    action = "bring the libraries back to uv.lock and measure again; if it stays, report a bug"
    yield Cause(said, 0.8, action, _REPEAT)


def first_over(found: Findings, runner: str) -> tuple[ParityCell, str, float, float] | None:
    """The first step of a file over its limit: the cell, the figure, its value and the limit."""
    limits = found.params.gate.model_dump()
    for cell in found.parity.entries if found.parity else ():
        for figure, name in cell.limits.items() if cell.runtime == runner else ():
            value = cell.figure(figure)
            if value is not None and value > limits[name]:
                return cell, figure, value, float(limits[name])
    return None


def absent(gate: Gate, found: Findings) -> Iterator[Found]:
    """A step that was not compared, as parity.json says why."""
    runner, _, rest = gate.name.partition(".")
    stage = rest.partition(".")[0]
    for cell in found.parity.entries if found.parity else ():
        if (cell.runtime, cell.stage) == (runner, stage) and cell.absent:
            action = "bring the libraries back to uv.lock and measure again"
            yield Cause(cell.absent, 0.9, action, _REPEAT)
