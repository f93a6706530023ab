"""explain: advice on failed gates and findings, as short text for a terminal."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import replace

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
    return "\n\n".join("\n".join(block(one, width)) for one in together(advice))


def together(advice: Iterable[Advice]) -> list[Advice]:
    """Pieces with the same causes as one, which has all their reasons, a line each."""
    by_causes: dict[object, Advice] = {}
    for one in advice:
        key = (one.meaning, one.causes, one.missing) if one.causes else one
        known = by_causes.get(key)
        both = known and replace(known, reason=f"{known.reason}\n{_reason(one)}")
        by_causes[key] = both or replace(one, reason=_reason(one))
    return list(by_causes.values())


def _reason(advice: Advice) -> str:
    """The reason, which names what it is about."""
    named = advice.reason.startswith(advice.subject)
    return advice.reason if named else f"{advice.subject}: {advice.reason}"


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
    for reason in _reason(advice).split("\n"):
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


def lines(advice: Iterable[Advice]) -> dict[str, str]:
    """Subject -> advice in one line, with the command; what is as for an earlier one says so."""
    found: dict[str, str] = {}
    first: dict[str, str] = {}
    for one in advice:
        whole = f"{one.line}: `{one.command}`" if one.command else one.line
        same = first.setdefault(whole, one.subject)
        found[one.subject] = whole if same == one.subject else f"as for {same}"
    return found


def _wrapped(text: str, indent: str, width: int, hang: int = 2) -> list[str]:
    return textwrap.wrap(
        text, max(40, width), initial_indent=indent, subsequent_indent=indent + " " * hang,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
