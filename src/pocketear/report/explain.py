"""explain: advice on failed gates and findings, as short text for a terminal."""

import textwrap
from collections.abc import Iterator

from pocketear.base.errors import DataError
from pocketear.contracts.verdict import Verdict
from pocketear.report.advice import rules
from pocketear.report.advice.kinds import Advice, Cause
from pocketear.report.findings import Findings

_INDENT = "  "


def text(found: Findings, gate: str, width: int) -> str:
    """Advice on one gate, or on every failed gate and every finding of validate.

    gate: its name, the whole or the end of it; "" for all; width: characters of a line
    raises: DataError if nothing was judged yet, or no gate has that name
    """
    if gate:
        return _one(found, gate, width)
    advice = [*rules.of_gates(found), *rules.of_findings(found)]
    if found.verdict is None and not advice:
        raise DataError("reports/verdict.json: not found; `dvc repro` makes it")
    if not advice:
        return "nothing to explain: every gate passed, and no clip was set aside"
    return "\n\n".join("\n".join(block(one, width)) for one in advice)


def _one(found: Findings, gate: str, width: int) -> str:
    verdict = found.verdict
    if verdict is None:
        raise DataError("reports/verdict.json: not found; `dvc repro` makes it")
    named = [one for one in verdict.gates if one.name == gate or one.name.endswith(f".{gate}")]
    if not named:
        raise DataError(f"{gate}: no such gate; {_failed(verdict)}")
    blocks = []
    for one in named:
        if one.passed:
            blocks.append(f"{one.name}: passed")
        else:
            blocks.append("\n".join(block(rules.advise(one, found), width)))
    return "\n\n".join(blocks)


def _failed(verdict: Verdict) -> str:
    names = ", ".join(gate.name for gate in verdict.failed)
    return f"those that failed are {names}" if names else "none failed"


def block(advice: Advice, width: int) -> Iterator[str]:
    """One piece of advice: the reason, what it means, its causes, what is not known."""
    reason = advice.reason
    if not reason.startswith(advice.subject):
        reason = f"{advice.subject}: {reason}"
    yield from _wrapped(reason, "", width)
    if advice.meaning:
        yield from _wrapped(advice.meaning, _INDENT, width)
    for number, cause in enumerate(advice.causes, start=1):
        yield from _cause(f"{number}. {cause.word} evidence: ", cause, width)
    for missing in advice.missing:
        yield from _wrapped(f"not known: {missing.text}", _INDENT, width)
    if not advice.causes:
        yield f"{_INDENT}see {advice.docs}"


def _cause(head: str, cause: Cause, width: int) -> Iterator[str]:
    yield from _wrapped(head + cause.text, _INDENT, width, hang=3)
    yield f"{_INDENT}     {cause.command}"  # on one line, to be copied


def line(advice: Advice) -> str:
    """Advice in one line: the likeliest cause, what to do, the command."""
    return f"{advice.line}: `{advice.command}`" if advice.command else advice.line


def _wrapped(text: str, indent: str, width: int, hang: int = 2) -> list[str]:
    return textwrap.wrap(
        text, max(40, width), initial_indent=indent, subsequent_indent=indent + " " * hang,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
