"""Advice as people meet it: in the terminal, in the summary, on the page, in a pull request."""

import re
from pathlib import Path

import pytest

from pocketear.base.errors import DataError
from pocketear.params import load_params
from pocketear.report import explain, markdown, page, summary
from pocketear.report.findings import Findings, read_findings
from reported_project import write_reported

COMMAND = "dvc exp run -S augment.mix_share=1"


@pytest.fixture
def refused(project: Path) -> Path:
    """A run whose history shows over-fitting, and whose accuracy is too low."""
    write_reported(project, seconds=1.6, skill=0.0)
    return project


def found() -> Findings:
    return read_findings(Path("reports"), Path("data/features"), load_params())


def test_every_failed_gate_is_explained_with_a_command_on_one_line(refused: Path) -> None:
    findings = found()
    text = explain.text(findings, "", width=80)
    assert findings.verdict
    assert findings.verdict.failed
    for gate in findings.verdict.failed:
        assert gate.name in text
    assert f"       {COMMAND}\n" in text
    lines = text.splitlines()
    assert max(len(line) for line in lines if "dvc exp run" not in line) <= 80
    assert "1 clip set aside: data/quiet.wav: too quiet" in text


def test_one_gate_by_its_name_or_the_end_of_it(refused: Path) -> None:
    whole = explain.text(found(), "litert_int8.accuracy", width=80)
    assert whole.startswith("litert_int8.accuracy: ")
    assert "coreml" not in whole
    assert whole in explain.text(found(), "accuracy", width=80)
    assert explain.text(found(), "file_bytes", width=80) == "file_bytes: passed"


def test_an_unknown_gate_is_one_line_that_names_those_that_failed(refused: Path) -> None:
    with pytest.raises(DataError, match=r"^speed: no such gate; those that failed are litert_int8"):
        explain.text(found(), "speed", width=80)


def test_before_a_verdict_there_is_nothing_to_explain(project: Path) -> None:
    with pytest.raises(DataError, match="dvc repro"):
        explain.text(found(), "", width=80)


def test_the_summary_has_one_line_of_advice_below_each_reason(refused: Path) -> None:
    lines = summary.text(refused).splitlines()
    verdict = found().verdict
    assert verdict
    for reason in verdict.reasons:
        assert lines[lines.index(f"  {reason}") + 1].startswith("    -> ")
    advice = [line for line in lines if line.startswith("    -> ") and " as for " not in line]
    assert len(advice) == len(set(advice)) < len(verdict.reasons)
    assert COMMAND in advice[0]


@pytest.mark.parametrize("damaged", ["reports/training/history.csv", "reports/folds/folds.json"])
def test_a_damaged_report_leaves_the_summary_without_advice(refused: Path, damaged: str) -> None:
    Path(damaged).parent.mkdir(exist_ok=True)
    Path(damaged).write_text("neither table nor JSON")
    text = summary.text(refused)
    assert "verdict: refused" in text
    assert "->" not in text


def test_the_page_folds_the_advice_beside_the_gate(refused: Path) -> None:
    text = page.render(found())
    folded = re.findall(r"<details class=\"advice\"><summary>(.*?)</summary>", text)
    verdict = found().verdict
    assert verdict
    assert len(folded) == len(verdict.failed) + 1  # and the clip that was set aside
    assert folded[0].startswith("over-fitting: ")
    assert f"<code>{COMMAND}</code>" in text


def test_a_pull_request_has_one_line_for_each_cause(refused: Path) -> None:
    lines = [line for line in markdown.text(found()).splitlines() if line.startswith("- ")]
    verdict = found().verdict
    assert verdict
    named = " ".join(lines).replace("\\", "")
    assert all(gate.name in named for gate in verdict.failed)
    assert lines[0].endswith(f": `{COMMAND}`")
