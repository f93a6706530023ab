"""validation: what validate found."""

from pydantic import NonNegativeFloat, NonNegativeInt

from pocketear.contracts.report_file import Contract


class Validation(Contract):
    """validation.json, by validate. labels: usable clips by label."""

    usable: NonNegativeInt
    set_aside: NonNegativeInt
    labels: dict[str, NonNegativeInt]
    seconds: NonNegativeFloat
    problems: tuple[str, ...]
