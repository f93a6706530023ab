"""rules: a gate's figure -> what it means, and the rule that looks for causes. The whole table.

To add a gate, add its figure here: its name without the file or phone class before the first dot,
the whole name, or what is before the first dot where that alone says what is judged. A gate without
a rule still gets its reason and a link to docs/gates.md.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pocketear.contracts.verdict import Gate
from pocketear.report.advice import alarms, clips, cost, files, learning, shortcuts
from pocketear.report.advice.kinds import LEAST, Advice, Cause, Found, Missing
from pocketear.report.findings import Findings

_SHOWN = 4  # causes of one gate


@dataclass(frozen=True)
class Rule:
    """What a failed gate of one kind means, and what finds its causes in a run."""

    meaning: str
    causes: Callable[[Gate, Findings], Iterable[Found]]


_DIFFERS = "The file computes other numbers than {reference} at this step."
_FRONT_END = Rule(_DIFFERS.format(reference="librosa"), files.parity)
_NETWORK = Rule(_DIFFERS.format(reference="Keras"), files.parity)
_TIMED = Rule("Listening takes too much time by a stopwatch, or was not timed.", cost.timed)

RULES = {
    "accuracy": Rule("Too many test clips get a wrong label.", learning.accuracy),
    "accuracy_low": Rule(
        "On new people, accuracy may be below the limit: too many wrong clips, or too few people.",
        learning.accuracy,
    ),
    "recall_min": Rule("One label is recognised too rarely.", learning.recall),
    "recall_low": Rule(
        "On new people, one label may be recognised too rarely: wrong clips, or too few people.",
        learning.recall,
    ),
    "audit.separation": Rule(
        "A model can tell the labels apart by how they were recorded, not by how they sound.",
        shortcuts.separation,
    ),
    "robust": Rule("A label is lost when the sound reaches the phone so.", shortcuts.robust),
    "calibration_error": Rule(
        "A score of 0.8 is not right 80 % of the time, so thresholds mean little.",
        learning.calibration,
    ),
    "accuracy_drop": Rule("The file that ships is less accurate than Keras.", files.drop),
    "recall_drop": Rule("The file that ships loses clips of a label that Keras has.", files.drop),
    "miss_rate": Rule("The listener raises no event for too many sounds.", alarms.misses),
    "false_alarms_per_hour": Rule(
        "An app may raise too many events when nothing sounds.", alarms.false_alarms
    ),
    **{
        f"{stage}.max_rel": _FRONT_END for stage in ("frames", "power", "mel", "features")
    },
    "logits.max_rel": _NETWORK,
    "scores.max_abs": _NETWORK,
    "scores.flips": Rule("Rounding gives real clips another label than Keras does.", files.flips),
    "file_bytes": Rule("The file makes the app's download too large.", cost.file_bytes),
    "host.ratio": _TIMED,
    "ms_per_listening_second": _TIMED,
    "instructions_per_second": Rule(
        "Listening all day would cost the phone class too much.", cost.instructions
    ),
    "estimate_ms_per_second": Rule("The phone class would be too slow.", cost.instructions),
    "peak_bytes": Rule("The phone class has too little memory for it.", cost.peak_bytes),
}  # fmt: skip


def rule_of(gate: str) -> Rule | None:
    """The rule of a gate by its name; None for a kind of gate that is not in the table."""
    subject, _, figure = gate.partition(".")
    return RULES.get(gate) or RULES.get(figure) or RULES.get(subject)


def advise(gate: Gate, found: Findings) -> Advice:
    """Advice on one failed gate."""
    rule = rule_of(gate.name)
    if rule is None:
        return Advice(gate.name, gate.reason, "", (), ())
    everything = list(rule.causes(gate, found))
    causes = sorted(
        _once(one for one in everything if isinstance(one, Cause) and one.strength >= LEAST),
        key=lambda one: -one.strength,
    )
    missing = dict.fromkeys(one for one in everything if isinstance(one, Missing))
    return Advice(gate.name, gate.reason, rule.meaning, tuple(causes[:_SHOWN]), tuple(missing))


def _once(causes: Iterable[Cause]) -> Iterator[Cause]:
    """Of causes with one command, the strongest."""
    by_command: dict[str, Cause] = {}
    for cause in causes:
        known = by_command.get(cause.command)
        if known is None or cause.strength > known.strength:
            by_command[cause.command] = cause
    yield from by_command.values()


def of_gates(found: Findings) -> list[Advice]:
    """Advice on every failed gate, in the verdict's order."""
    return [advise(gate, found) for gate in found.verdict.failed] if found.verdict else []


def of_findings(found: Findings) -> list[Advice]:
    """Advice on what validate refused or set aside."""
    return [*clips.problems(found), *clips.aside(found)]
