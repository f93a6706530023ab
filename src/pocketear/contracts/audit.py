"""audit: how well properties that are not sound tell the labels apart."""

from typing import Literal

from pydantic import NonNegativeInt

from pocketear.contracts.report_file import Contract


class AuditedProperty(Contract):
    """One property of the clips.

    separation: 0 chance, 1 perfect, of the two sides that it tells apart best; None: it is
        constant, or no two labels have two groups each
    p_value: that chance does it, times the number of contrasts tried; certain: it hardly does
    role: what a high separation does: refuses the verdict, marks the set, or is only shown
    refused: by the gate; marked: a line for people; clear: neither
    """

    name: str
    role: Literal["refuses", "marks", "shown"]
    separation: float | None
    sides: tuple[str, ...]
    p_value: float | None
    certain: bool
    status: Literal["clear", "marked", "refused"]
    sentence: str


class AuditedLabel(Contract):
    """What there is of one label: numbers of clips, and of groups."""

    clips: NonNegativeInt
    groups: NonNegativeInt
    sample_rates: dict[str, NonNegativeInt]
    codecs: dict[str, NonNegativeInt]


class Audit(Contract):
    """audit.json, by validate. overall: the properties of the recording, all together

    marks: lines for people, of properties and of labels
    """

    properties: tuple[AuditedProperty, ...]
    overall: AuditedProperty
    labels: dict[str, AuditedLabel]
    marks: tuple[str, ...]

    @property
    def worst(self) -> AuditedProperty | None:
        """Of what may refuse the verdict and is certain, what tells labels apart best."""
        certain = [
            one
            for one in (*self.properties, self.overall)
            if one.role == "refuses" and one.certain and one.separation is not None
        ]
        return max(certain, key=lambda one: one.separation or 0.0, default=None)
