"""model_card: MODEL_CARD.md, which lies in both packages and beside a version in the registry.

A function of commit and data: a time by a stopwatch is in it only as kept to its limit or not.
"""

from collections.abc import Mapping

from pocketear.base.archive import sha256
from pocketear.base.tables import markdown_table, markdown_text
from pocketear.contracts.verdict import DEMONSTRATION, Verdict
from pocketear.evaluation.wording import gate_text
from pocketear.runtimes.card import ModelCard

FILE = "MODEL_CARD.md"
_DEMONSTRATION = f"For use {DEMONSTRATION}."


def render(card: ModelCard, verdict: Verdict, files: Mapping[str, bytes]) -> str:
    """The text of MODEL_CARD.md. files: the model's own files, name -> content."""
    hashes = {**card.made_from, **{name: sha256(content) for name, content in files.items()}}
    gates = [(text.name, text.limit, text.value) for text in map(gate_text, verdict.gates)]
    parts = [
        f"# {markdown_text(card.name)} {markdown_text(card.version)}",
        *([f"**{_DEMONSTRATION}**"] if verdict.demonstration else []),
        "Classifies sound on a phone: a waveform in, a score for each label out.",
        markdown_table(("", ""), properties(card)),
        f"## Verdict: {verdict.headline}",
        *(f"- {markdown_text(note)}" for note in verdict.notes),
        *(f"- {markdown_text(reason)}" for reason in verdict.reasons),
        markdown_table(("gate", "limit", "value"), gates),
        "## Made from, and what was made",
        markdown_table(("", "SHA-256"), sorted(hashes.items())),
    ]
    return "\n\n".join(parts) + "\n"


def properties(card: ModelCard) -> list[tuple[str, str]]:
    """What an app's developer asks first: name and value."""
    listener = card.listener
    seconds, hop = card.window_length / card.sample_rate, card.hop_length / card.sample_rate
    thresholds = (f"{label} {value:g}" for label, value in listener.thresholds.items())
    return [
        ("Version", card.version),
        ("Variant", card.variant),
        ("Licence", card.licence),
        ("Labels", ", ".join(card.labels)),
        ("Window", f"{seconds:g} s of mono sound at {card.sample_rate} Hz, every {hop:g} s"),
        ("Thresholds", ", ".join(thresholds)),
        ("No events of", ", ".join(listener.background) or "no label"),
        ("Smoothing", f"mean of {listener.smoothing} windows, hysteresis {listener.hysteresis:g}"),
        ("Shortest event", f"{listener.min_seconds:g} s"),
        ("Pause after one", f"{listener.refractory_seconds:g} s"),
    ]
