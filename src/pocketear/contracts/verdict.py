"""verdict: the gates, and accepted or refused."""

from typing import Literal

from pocketear.contracts.report_file import Contract


class Gate(Contract):
    """One row of the verdict. value: None where it was not measured, or is TimedLimit's."""

    name: str
    sense: Literal["at least", "at most"]
    limit: float
    value: float | None
    unit: str
    passed: bool
    reason: str  # "" if passed
    timed: bool = False


class Verdict(Contract):
    """verdict.json, by gate: the only place where pass or fail is decided.

    reasons: of every gate that failed; absent: gates that there are not, with the reason
    """

    accepted: bool
    reasons: tuple[str, ...]
    absent: tuple[str, ...]
    gates: tuple[Gate, ...]

    @property
    def word(self) -> str:
        """accepted | refused"""
        return "accepted" if self.accepted else "refused"

    @property
    def failed(self) -> tuple[Gate, ...]:
        """The gates that refused it."""
        return tuple(gate for gate in self.gates if not gate.passed)
