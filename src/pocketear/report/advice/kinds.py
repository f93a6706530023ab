"""kinds: what a piece of advice is made of, and how a change of parameters is written as a command.

A strength orders causes; it is no probability. Each rule says how its own comes from the figures.
"""

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pocketear.params import Params, value_of

Direction = Literal["up", "down", "set"]
_STRONG, _SOME = 0.6, 0.3
LEAST = 0.05  # a cause weaker than this is not named


@dataclass(frozen=True)
class Change:
    """A parameter by its name in params.yaml, its value now, and the suggested one."""

    parameter: str
    before: float | str
    after: float | str

    @property
    def direction(self) -> Direction:
        """up | down | set, where it is no number"""
        if isinstance(self.before, str) or isinstance(self.after, str):
            return "set"
        return "up" if self.after > self.before else "down"


@dataclass(frozen=True)
class Cause:
    """One likely cause. evidence: a sentence with this run's figures; strength: [0, 1]

    action: what to do; command: one line for a shell; changes: () where no parameter helps
    """

    evidence: str
    strength: float
    action: str
    command: str
    changes: tuple[Change, ...] = ()

    @property
    def word(self) -> str:
        """The strength as a word."""
        if self.strength >= _STRONG:
            return "strong"
        return "some" if self.strength >= _SOME else "weak"

    @property
    def text(self) -> str:
        """Evidence, and what to do, without the command."""
        return f"{self.evidence}. {self.action[0].upper()}{self.action[1:]}"


@dataclass(frozen=True)
class Missing:
    """Evidence that this run does not have. file: which would hold it; about: what it would say"""

    file: str
    about: str

    @property
    def text(self) -> str:
        """One sentence."""
        return f"{self.file} is not there, so nothing is known of {self.about}"


@dataclass(frozen=True)
class Advice:
    """Beside a failed gate, or a finding of validate. causes: the strongest first; may be ()

    subject: the gate's name, or what the finding is about; reason: as the stage wrote it
    docs: where more is written
    """

    subject: str
    reason: str
    meaning: str
    causes: tuple[Cause, ...]
    missing: tuple[Missing, ...]
    docs: str = "docs/gates.md"

    @property
    def line(self) -> str:
        """The likeliest cause and what to do, or what is lacking; without the command."""
        if self.causes:
            return self.causes[0].text
        if self.missing:
            return self.missing[0].text
        return f"no cause is known from this run; see {self.docs}"

    @property
    def command(self) -> str:
        """What to run first; "" where nothing is known."""
        return self.causes[0].command if self.causes else ""


Found = Cause | Missing


def changed(
    params: Params, evidence: str, strength: float, values: Mapping[str, float | str], why: str = ""
) -> tuple[Cause, ...]:
    """A cause that a change of parameters removes; () where they have these values already.

    values: name in params.yaml -> suggested value; why: added to the action
    """
    changes = tuple(
        Change(name, before, after)
        for name, after in values.items()
        if (before := value_of(params, name)) != after
    )
    if not changes:
        return ()
    steps = (
        f"set {c.parameter} to {_written(c.after)} (now {_written(c.before)})" for c in changes
    )
    action = " and ".join(steps) + (f", {why}" if why else "")
    settings = " ".join(f"-S {c.parameter}={_written(c.after)}" for c in changes)
    return (Cause(evidence, bounded(strength), action, f"dvc exp run {settings}", changes),)


def more_recordings(params: Params, evidence: str, strength: float, what: str) -> Cause:
    """A cause that only other recordings remove. what: which ones to add"""
    path = params.data.path.as_posix()
    return Cause(evidence, bounded(strength), f"add {what} to {path}", with_recordings(params))


def with_recordings(params: Params) -> str:
    """The command that takes what was added to data.path.

    DVC tracks no path outside of the project; it is a dependency, so `dvc repro` sees the change.
    """
    path = params.data.path
    outside = path.is_absolute() or ".." in path.parts
    if params.data.source == "recipe" or outside:
        return "dvc repro"
    return f"dvc add {shlex.quote(path.as_posix())} && dvc repro"


def bounded(value: float) -> float:
    """The nearest of [0, 1]; 0 for what is no number."""
    return min(1.0, max(0.0, value)) if math.isfinite(value) else 0.0


def multiple(value: float, step: int, *, up: bool) -> int:
    """The nearest multiple of `step`, at least one, at or above `value`, or at or below it."""
    count = math.ceil(value / step) if up else math.floor(value / step)
    return max(1, count) * step


def digits(value: float, count: int = 2) -> float:
    """`value` to so many significant digits."""
    return float(f"{value:.{count}g}")


def _written(value: float | str) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
