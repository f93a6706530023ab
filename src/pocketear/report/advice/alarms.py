"""alarms: why the listener misses sounds, or raises false alarms."""

import math
from collections.abc import Iterator
from dataclasses import replace

from pocketear.contracts.metrics import Alarms
from pocketear.contracts.verdict import Gate
from pocketear.evaluation.wording import plural
from pocketear.report.advice import evidence, learning
from pocketear.report.advice.kinds import Cause, Found, Missing, changed, digits
from pocketear.report.findings import Findings
from pocketear.report.tables import count_pairs

_LEAST_THRESHOLD = 0.5  # as listening.thresholds chooses them
_CURVE = "reports/evaluation/alarms.csv"
_NONE_HIGH = -math.log(0.05)  # Garwood's bound of no event at all: stays below this, with 95 %


def misses(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of miss_rate: the label that is missed most."""
    runner = gate.name.partition(".")[0]
    own = found.metrics_of(runner)
    if own is None or own.alarms is None or not own.alarms.misses:
        yield Missing(learning.METRICS, "the sounds that the listener misses")
        return
    label = max(own.alarms.misses, key=lambda name: own.alarms.misses[name])  # type: ignore[union-attr]
    sure = evidence.sure_share(found, runner, label, _LEAST_THRESHOLD)
    recognised = (own.recall[label] if sure is None else sure) >= 1 - gate.limit
    yield from learning.weighed(learning.padded(found, label), 1.0)
    yield from too_brief(found, label)
    yield from high_threshold(found, label, own.alarms.misses[label], gate.limit)
    weight = 0.3 if recognised else 0.9
    causes = learning.training(found, gate.limit, own.alarms.misses[label])
    for cause in learning.weighed(causes, weight):
        said = (
            "" if sure is None else f"{100 * sure:.0f} % of the clips of {label} score 0.5 or more"
        )
        if isinstance(cause, Cause) and said and not recognised:
            yield replace(cause, evidence=f"{said}; {cause.evidence}")
        else:
            yield cause
    yield from learning.weighed(learning.confused(runner, label, found), weight)


def too_brief(found: Findings, label: str) -> Iterator[Found]:
    """Sounds shorter than what the listener averages over, or reports.

    strength: the share of min_seconds, or of smoothing, that the median clip lacks, times 0.6
    """
    seconds, p = evidence.clip_seconds(found, label), found.params.listener
    if seconds is None:
        return
    median, rate = float(seconds.median()), found.params.frontend.sample_rate
    averaged = p.smoothing * p.hop_length / rate
    values: dict[str, float | str] = {}
    if p.min_seconds > median:
        values["listener.min_seconds"] = digits(median / 2)
    if averaged > median and p.smoothing > 1:
        values["listener.smoothing"] = max(1, math.floor(median * rate / p.hop_length))
    said = (
        f"the median clip of {label} is {median:.2f} s; the listener drops events below "
        f"{p.min_seconds:g} s and averages over {averaged:g} s"
    )
    longest = max(p.min_seconds, averaged)
    yield from changed(found.params, said, 0.6 * (1 - median / longest), values)


def high_threshold(found: Findings, label: str, missed: float, limit: float) -> Iterator[Found]:
    """A lower threshold would miss few enough: it is kept high by the rate of false alarms.

    strength: 0.85, since the curve shows it
    """
    if found.alarms is None:
        yield Missing(_CURVE, "what other thresholds would miss")
        return
    points = found.alarms[found.alarms["label"] == label]
    enough = points[points["misses"] <= limit]
    if enough.empty:
        return
    rate = float(enough["false_alarms_per_hour"].min())
    allowed = found.params.listener.false_alarms_per_hour
    if rate <= allowed:
        return
    said = (
        f"{100 * missed:.0f} % of {label} is missed at the threshold that "
        f"{allowed:g} false alarms an hour allow; with {rate:.3g} it would be few enough"
    )
    higher = digits(rate * 1.05)
    values: dict[str, float | str] = {"listener.false_alarms_per_hour": higher}
    yield from changed(found.params, said, 0.85, values)


def false_alarms(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of false_alarms_per_hour: too little sound to ignore, or too many events in it."""
    runner = gate.name.partition(".")[0]
    own = found.metrics_of(runner)
    if own is None or own.alarms is None:
        yield Missing(learning.METRICS, "false alarms")
        return
    yield from short_recordings(own.alarms, gate.limit, found)
    if own.alarms.false_alarms:
        yield from low_threshold(own.alarms, gate, found)
        yield from taken_for_sounds(runner, found)


def short_recordings(own: Alarms, limit: float, found: Findings) -> Iterator[Found]:
    """Too little sound to ignore for so low a limit. strength: 0.95 where not even silence passes

    Else: the share of the bound that is not the count itself.
    """
    if own.quiet_hours <= 0 or own.false_alarms_per_hour_high is None:
        return
    bound = own.false_alarms_per_hour_high * own.quiet_hours
    hopeless = own.quiet_hours * limit < _NONE_HIGH
    minutes, wanted = 60 * own.quiet_hours, bound / limit
    said = (
        f"{plural(own.false_alarms, 'false alarm')} in {minutes:.1f} min of sound to ignore; "
        f"without any, {60 * _NONE_HIGH / limit:.3g} min could vouch for {limit:g} an hour"
    )
    place = found.params.evaluate.negatives.as_posix()
    hours = math.ceil(10 * (wanted - own.quiet_hours)) / 10
    action = f"put {hours:.1f} h or more of recordings without any label into {place}"
    strength = 0.95 if hopeless else 0.6 * (1 - own.false_alarms / bound)
    yield Cause(said, strength, action, "dvc repro")


def low_threshold(own: Alarms, gate: Gate, found: Findings) -> Iterator[Found]:
    """Thresholds that let too much through. strength: 0.7, or 0.3 where few events decide"""
    p = found.params.listener
    counted = own.false_alarms / own.quiet_hours if own.quiet_hours else 0.0
    said = (
        f"{plural(own.false_alarms, 'event')} in sound to ignore, {counted:.3g} an hour, with "
        f"thresholds chosen for {p.false_alarms_per_hour:g} an hour on validation"
    )
    lower = digits(p.false_alarms_per_hour * min(0.5, gate.limit / max(counted, gate.limit)))
    values: dict[str, float | str] = {"listener.false_alarms_per_hour": lower}
    strength = 0.7 if counted > gate.limit else 0.3
    yield from changed(found.params, said, strength, values)
    smoother: dict[str, float | str] = {"listener.smoothing": p.smoothing + 1}
    seconds = (p.smoothing + 1) * p.hop_length / found.params.frontend.sample_rate
    brief = f"{said}; an average over {seconds:g} s is steadier"
    yield from changed(found.params, brief, 0.5 * strength, smoother)


def taken_for_sounds(runner: str, found: Findings) -> Iterator[Found]:
    """Background clips that are recognised as a label that sounds. strength: their share"""
    table = found.predictions_of(runner)
    background = [name for name in found.params.listener.background if name in found.labels]
    if table is None:
        yield Missing(learning.PREDICTIONS, "which background is taken for which label")
        return
    if not background:
        return
    counts = count_pairs(table["label"], table["predicted"], found.labels)
    rows = [found.labels.index(name) for name in background]
    mistakes = counts[rows].sum(axis=0)
    mistakes[rows] = 0
    total, most = int(counts[rows].sum()), int(mistakes.argmax())
    if not mistakes[most]:
        return
    said = (
        f"{mistakes.sum()} of {plural(total, 'background clip')} are taken for another label, "
        f"{mistakes[most]} of them for {found.labels[most]}"
    )
    path = found.params.data.path.as_posix()
    action = f"add background recordings like those that the page shows as worst, to {path}"
    yield Cause(said, min(1.0, 2 * float(mistakes.sum()) / total), action, "pocketear report")
