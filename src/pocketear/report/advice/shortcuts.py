"""shortcuts: labels told apart by what is not sound, and labels lost when the sound is changed."""

from collections.abc import Iterator

from pocketear.contracts.verdict import Gate
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
    for one in (*found.audit.properties, found.audit.overall):
        if one.status == "refused" and one.separation is not None:
            what = f"recordings of {' and '.join(one.sides)} made alike in {one.name}"
            yield more_recordings(found.params, one.sentence, one.separation, what)


def robust(gate: Gate, found: Findings) -> Iterator[Found]:
    """Of robust.CONDITION.recall_min. strength: recall that the condition costs, at least 0.3"""
    condition = gate.name.split(".")[1]
    own = found.robustness.get(condition) if found.robustness else None
    clean = found.metrics_of(found.shipped[0])
    if own is None or clean is None:
        yield Missing(_ROBUSTNESS, f"the condition {condition}")
        return
    label = own.worst
    before, after = clean.recall.get(label, 0.0), own.recall[label]
    said = f"recall of {label} is {100 * before:.0f} % as recorded, {100 * after:.0f} % then"
    strength = max(0.3, bounded(before - after))
    if condition in _TRAINED_BY:
        name, more = _TRAINED_BY[condition]
        now = float(getattr(found.params.augment, name.partition(".")[2]))
        wanted = min(_MOST, now + more) if more < 1 else now + more
        yield from changed(found.params, said, strength, {name: round(wanted, 2)})
    elif not found.params.augment.shift:
        yield from changed(found.params, said, strength, {"augment.shift": "true"})
