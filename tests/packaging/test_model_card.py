"""MODEL_CARD.md: what an app's developer and a reviewer find in it."""

import pytest
from markdown_it import MarkdownIt

from packaged_project import ACCEPTED, GATE
from pocketear.base.archive import sha256
from pocketear.contracts.verdict import Verdict
from pocketear.packaging.model_card import render
from tiny_model import tiny_card


def cells(text: str) -> list[list[str]]:
    """The rows of every table, as a Markdown reader sees them."""
    rows: list[list[str]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows and token.level > 2:
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


def test_it_says_what_the_model_takes_and_gives() -> None:
    rows = cells(render(tiny_card(licence="MIT"), ACCEPTED, {}))
    for row in (
        ["Version", "1.2.3"],
        ["Licence", "MIT"],
        ["Labels", "background, crying_baby, laughing"],
        ["Window", "0.1 s of mono sound at 16000 Hz, every 0.05 s"],
        ["No events of", "background"],
    ):
        assert row in rows


def test_the_files_can_be_checked_by_their_sums() -> None:
    rows = cells(render(tiny_card(), ACCEPTED, {"x.tflite": b"weights"}))
    assert ["x.tflite", sha256(b"weights")] in rows


def test_labels_of_any_text_neither_break_a_table_nor_become_html() -> None:
    labels = ("a|b", "<img src=x>", "R&B")
    card = tiny_card(labels=labels, thresholds=dict.fromkeys(labels, 0.6), background=())
    text = render(card, ACCEPTED, {})
    assert ["Labels", ", ".join(labels)] in cells(text)
    assert ["No events of", "no label"] in cells(text)
    assert "<img" not in text


def test_a_refused_verdict_is_there_with_every_reason() -> None:
    """Beside a version in the registry, which takes refused ones too."""
    failed = GATE.model_copy(update={"value": 0.1, "passed": False, "reason": "accuracy: 0.1"})
    reasons = (failed.reason, "host.ratio: over 0.5")
    verdict = Verdict(accepted=False, reasons=reasons, absent=(), gates=(failed,))
    text = render(tiny_card(), verdict, {})
    assert "## Verdict: refused\n\n- accuracy: 0.1\n\n- host.ratio: over 0.5\n" in text
    assert ["LiteRT int8: accuracy", "≥ 80.0 %", "10.0 %"] in cells(text)


@pytest.mark.parametrize(
    ("passed", "shown"), [(True, "within it"), (False, "over it, or not measured")]
)
def test_a_time_is_shown_only_as_kept_to_its_limit_or_not(passed: bool, shown: str) -> None:
    """Else two builds of one commit would differ."""
    timed = GATE.model_copy(
        update={"name": "host.ratio", "sense": "at most", "limit": 1.0, "value": None,
                "timed": True, "passed": passed}
    )  # fmt: skip
    verdict = Verdict(accepted=passed, reasons=(), absent=(), gates=(timed,))
    (row,) = [row for row in cells(render(tiny_card(), verdict, {})) if "YAMNet" in row[0]]
    assert row[1:] == ["≤ 1", shown]
