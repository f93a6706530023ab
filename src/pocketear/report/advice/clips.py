"""clips: what validate set aside, and why it refused a set."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pandas as pd

from pocketear.contracts.validation import Validation
from pocketear.evaluation.wording import plural
from pocketear.params import Params
from pocketear.report.advice.kinds import Advice, Cause, bounded, changed, with_recordings
from pocketear.report.findings import Findings

_DOCS = "docs/bring-your-own-sounds.md"
_LISTED = "column -s, -t reports/validation/set_aside.csv | less -S"


@dataclass(frozen=True)
class Reason:
    """A kind of reason in set_aside.csv, known by its words.

    column, parameter: of the clip table, and its bound in params.validation; "" where there is none
    worst: of the column's values, the one that a looser bound has to admit
    """

    words: str
    meaning: str
    action: str
    column: str = ""
    parameter: str = ""
    worst: Callable[["pd.Series[float]"], float] | None = None


_REASONS = (
    Reason("lasts ", "Clips are shorter or longer than a usable clip.", "cut long files to clips"),
    Reason("too quiet", "Clips hold next to no sound.", "record them again, or louder",
           "level_dbfs", "min_level_dbfs", min),
    Reason("clipped", "Clips are overdriven, so their spectrum is false.", "record them again, at "
           "a lower gain", "clipped_share", "max_clipped_share", max),
    Reason("has a DC offset", "The recorder adds a constant.", "remove it with a high-pass",
           "dc_offset", "max_dc_offset", max),
    Reason("digital silence", "Clips are mostly zeros.", "cut the silence off",
           "silence_share", "max_silence_share", max),
    Reason("sampled at", "The sample rate is outside of what is sound for the front-end.",
           "export the recordings again at 16 kHz or more"),
    Reason("has ", "Clips have more channels than are averaged to one.", "mix them down"),
    Reason("its label is not in", "Labels are not listed in data.labels.",
           "correct the label, or list it in data.labels"),
    Reason("the same sound has another label", "One sound has two labels.", "keep the right one"),
    Reason("the same sound is in the set", "Copies; only the first is used.", "delete them"),
    Reason("", "Files cannot be read as sound.", "export them again as WAV or FLAC"),
)  # fmt: skip


def aside(found: Findings) -> Iterator[Advice]:
    """Advice on what was set aside, a piece a kind of reason, the commonest first."""
    table = found.set_aside
    if table is None or table.empty:
        return
    kinds = table["reason"].map(kind_of).to_numpy()
    for kind in pd.Series(kinds).value_counts().index:
        reason, own = _REASONS[kind], table[kinds == kind]
        first = own.iloc[0]
        known = found.validation.usable + found.validation.set_aside if found.validation else 0
        said = f"{len(own)} of {plural(known, 'clip')}" if known else plural(len(own), "clip")
        causes = (by_hand(reason, own, said, known), *looser(reason, own, said, found.params))
        subject = f"{plural(len(own), 'clip')} set aside"
        text = f"{first['path']}: {first['reason']}"
        yield Advice(subject, text, reason.meaning, causes, (), _DOCS)


def kind_of(reason: str) -> int:
    """Which of _REASONS a reason is."""
    return next(
        place for place, kind in enumerate(_REASONS) if reason.startswith(kind.words)
    )  # the last takes all


def by_hand(reason: Reason, own: pd.DataFrame, said: str, known: int) -> Cause:
    """Better recordings. strength: share of all clips, at least 0.3"""
    strength = max(0.3, bounded(len(own) / max(1, known)))
    return Cause(f"{said}, such as {own.iloc[0]['path']}", strength, reason.action, _LISTED)


def looser(reason: Reason, own: pd.DataFrame, said: str, params: Params) -> Iterator[Cause]:
    """A bound that admits all of them, for who has listened to them. strength: 0.2"""
    if not reason.worst or reason.column not in own:
        return
    value = float(reason.worst(own[reason.column].astype(float)))
    if not pd.notna(value) or value in (float("inf"), float("-inf")):
        return
    name = f"validation.{reason.parameter}"
    bound = round(value + (-0.01 if reason.worst is min else 0.01), 2)
    if reason.worst is min or bound <= 1:
        evidence = f"{said}, up to {reason.column} {value:.3g}"
        yield from changed(params, evidence, 0.2, {name: bound}, "if they sound right")


def problems(found: Findings) -> Iterator[Advice]:
    """Advice on why a set was refused, a piece a problem."""
    report: Validation | None = found.validation
    for problem in report.problems if report else ():
        meaning, cause = _problem(problem, found)
        yield Advice("the set is refused", problem, meaning, (cause,), (), _DOCS)


def _problem(problem: str, found: Findings) -> tuple[str, Cause]:
    path = found.params.data.path.as_posix()
    add = with_recordings(found.params)
    if "usable clips, want at least" in problem:
        counts = found.validation.labels if found.validation else {}
        said = ", ".join(f"{label} {count}" for label, count in counts.items()) or "no label"
        return (
            "A label has too few clips to be learned and tested.",
            Cause(f"usable clips: {said}", 0.9, f"add clips to {path}, or correct the label", add),
        )
    if "cannot be used (" in problem:
        said = f"{found.validation.set_aside if found.validation else 0} clips are set aside"
        action = "see the kinds of reasons below, and correct the most frequent first"
        return "Too many clips cannot be used.", Cause(said, 0.9, action, _LISTED)
    said = problem.partition(": the same")[0].partition(": a group")[0]
    action = "give the recording one fold and one group, in clips.csv"
    return (
        "One recording would be on two sides, so the test would know it.",
        Cause(said, 0.9, action, add),
    )
