"""shortcuts: labels told apart by what is not sound, and labels lost when the sound is changed."""

from collections.abc import Iterator

from pocketear.contracts.verdict import Gate
from pocketear.report.advice import learning
from pocketear.report.advice.kinds import Found, Missing, bounded, changed, more_recordings
from pocketear.report.findings import Findings

_AUDIT, _ROBUSTNESS = "reports/validation/audit.json", "reports/robustness.json"
_MOST = 0.6  # share of windows above which too few are left as they are
# condition -> the parameter of training that meets it, and by how much more of it to ask for
_TRAINED_BY = {
    "phone_band": ("augment.band_share", 0.3),
    "amr": ("augment.band_share", 0.3),
    "aac": ("augment.band_share", 0.3),
    "quiet_30": ("augment.quiet_share", 0.3),
    "loud_10": ("augment.gain_db", 6.0),
    "noise_20": ("augment.noise_share", 0.3),
    "noise_10": ("augment.noise_share", 0.3),
    "noise_0": ("augment.noise_share", 0.3),
    "room": ("augment.response_db", 3.0),
}


def separation(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of audit.separation: each property that tells labels apart. strength: how well it does"""
    if found.audit is None:
        yield Missing(_AUDIT, "what tells the labels apart")
        return
    every = (*found.audit.properties, found.audit.overall)
    refused = [one for one in every if one.status == "refused"]
    refused.sort(key=lambda one: -(one.separation or 0.0))
    for first in refused[:1]:
        others = [one.name for one in refused[1:] if one != found.audit.overall]
        said = first.sentence + (f"; also {', '.join(others)}" if others else "")
        alike = ", ".join([first.name, *others])
        what = f"recordings of {' and '.join(first.sides)} made alike in {alike}"
        yield more_recordings(found.params, said, first.separation or 0.0, what)


def robust(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of robust.CONDITION.recall_min: what the condition costs, or the label as it was recorded.

    strength: the recall that the condition costs, at least 0.3 where the label is recognised well
    enough without it
    """
    condition = gate.name.split(".")[1]
    own = found.robustness.get(condition) if found.robustness else None
    clean = found.metrics_of(found.shipped[0])
    if own is None or clean is None:
        yield Missing(_ROBUSTNESS, f"the condition {condition}")
        return
    label = own.worst
    before, after = clean.recall.get(label, 0.0), own.recall[label]
    said = f"recall of {label} is {100 * before:.0f} % as recorded, {100 * after:.0f} % then"
    strength = bounded(before - after)
    if before >= gate.limit:
        strength = max(0.3, strength)
    else:
        yield from learning.training(found, 1 - gate.limit, 1 - before)
        yield from learning.confused(found.shipped[0], label, found)
    if condition in _TRAINED_BY:
        name, more = _TRAINED_BY[condition]
        now = float(getattr(found.params.augment, name.partition(".")[2]))
        wanted = min(_MOST, now + more) if more < 1 else now + more
        yield from changed(found.params, said, strength, {name: round(wanted, 2)})
    elif not found.params.augment.shift:
        yield from changed(found.params, said, strength, {"augment.shift": "true"})
