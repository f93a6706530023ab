"""verdict: the gates, and accepted or refused."""

from typing import Literal

from pocketear.contracts.report_file import Contract

DEMONSTRATION = "as a demonstration: rendered sounds only, nothing is known of real recordings"


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

    demonstration: what was trained and tested on is rendered, so nothing is known of real sounds
    reasons: of every gate that failed; absent: gates that there are not, with the reason
    notes: what limits what the verdict says about the world, a sentence each
    """

    accepted: bool
    reasons: tuple[str, ...]
    absent: tuple[str, ...]
    gates: tuple[Gate, ...]
    demonstration: bool = False
    notes: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """accepted | refused"""
        return "accepted" if self.accepted else "refused"

    @property
    def headline(self) -> str:
        """The verdict's first line."""
        return f"{self.word}, {DEMONSTRATION}" if self.demonstration else self.word

    @property
    def failed(self) -> tuple[Gate, ...]:
        """The gates that refused it."""
        return tuple(gate for gate in self.gates if not gate.passed)
