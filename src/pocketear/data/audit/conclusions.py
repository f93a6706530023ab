"""conclusions: findings of the audit -> audit.json, in words and with what follows from them."""

from collections.abc import Iterator
from typing import Any, Literal

import pandas as pd

from pocketear.base.errors import shown
from pocketear.contracts.audit import Audit, AuditedLabel, AuditedProperty
from pocketear.data.audit.shortcuts import TOGETHER, Contrast, Finding
from pocketear.params import AuditParams

_MOST = 0.5  # share of the clips of a label, beyond which a group is most of it
_DIGITS = 6  # of a figure: the last ones differ from one kind of machine to another


def summarise(findings: list[Finding], table: pd.DataFrame, limits: AuditParams) -> Audit:
    """What validate writes. findings: of `audit`, the one of all together last; table: the clips"""
    *properties, overall = (_property(one, limits) for one in findings)
    labels = {str(label): _label(rows) for label, rows in table.groupby("label")}
    few = [line for label, rows in table.groupby("label") for line in _one_group(str(label), rows)]
    marked = [one.sentence for one in (*properties, overall) if one.status == "marked"]
    return Audit(
        properties=tuple(properties), overall=overall, labels=labels, marks=(*marked, *few)
    )


def _one_group(label: str, rows: pd.DataFrame) -> Iterator[str]:
    """A line where a label is one recording, or mostly one."""
    clips = rows["group"].value_counts()
    most, cure = int(clips.max()), "add recordings of other people or places"
    if len(clips) == 1:
        yield (
            f"label {shown(label)} comes from one group, so nothing tells it from that recording; "
            f"{cure}"
        )
    elif most > _MOST * len(rows):
        yield (
            f"label {shown(label)}: {most} of its {len(rows)} clips are of one group "
            f"({shown(str(clips.idxmax()))}), so the model mostly learns that recording; {cure}"
        )


def _property(one: Finding, limits: AuditParams) -> AuditedProperty:
    worst = one.worst
    if worst is None:
        return AuditedProperty(
            name=one.name, role=one.role, separation=None, sides=(), p_value=None, certain=False,
            status="clear", sentence=f"{one.name}: nothing to tell labels apart by",
        )  # fmt: skip
    separation = round(worst.separation, _DIGITS)
    return AuditedProperty(
        name=one.name, role=one.role, separation=separation, sides=worst.sides,
        p_value=float(f"{worst.p_value:.3g}"), certain=worst.certain,
        status=_status(one, separation, limits), sentence=_sentence(one.name, worst, separation),
    )  # fmt: skip


def _status(
    one: Finding, separation: float, limits: AuditParams
) -> Literal["clear", "marked", "refused"]:
    """Sounds themselves move what only marks, so that only a high separation is worth a line."""
    if one.role == "shown" or one.worst is None or not one.worst.certain:
        return "clear"
    if separation > limits.max_separation:
        return "refused" if one.role == "refuses" else "marked"
    return "marked" if one.role == "refuses" and separation > limits.mark_separation else "clear"


def _sentence(name: str, worst: Contrast, separation: float) -> str:
    left, right = worst.sides
    if not worst.certain:
        return f"{name}: tells {left} from {right} no better than chance may"
    alone = "together separate" if name == TOGETHER else "alone separates"
    return f"{name} {alone} {left} from {right} ({separation:.2f}; 0 is chance, 1 is perfect)"


def _label(rows: pd.DataFrame) -> AuditedLabel:
    return AuditedLabel(
        clips=len(rows),
        groups=int(rows["group"].nunique()),
        sample_rates=_counts(rows["sample_rate"]),
        codecs=_counts(rows["codec"]),
    )


def _counts(column: "pd.Series[Any]") -> dict[str, int]:
    return {str(value): int(count) for value, count in column.value_counts().sort_index().items()}
