"""The matrix of stages and runtimes, coloured by the verdict."""

from typing import Any

import pytest

from pocketear.contracts.parity import ParityCell, ParityReport
from pocketear.contracts.verdict import Verdict
from pocketear.params import load_params
from pocketear.report import parity
from pocketear.stages import gate

FIGURES: dict[str, Any] = {"max_abs": 1e-3, "max_rel": 1e-5, "snr_db": 90.0, "worst": "a.wav"}
LIMIT = {"max_rel": "max_front_end_error"}
CELLS = (
    ParityCell(runtime="keras", stage="mel", limits=LIMIT, **FIGURES),
    ParityCell(
        runtime="litert_int8", stage="mel", limits=LIMIT, **{**FIGURES, "max_rel": 1e-3}
    ),
    ParityCell(runtime="coreml_fp16", stage="mel", limits={}, absent="joined with another"),
    ParityCell(
        runtime="litert_int8", stage="scores", limits={"flips": "max_flips"}, flips=0.01, **FIGURES
    ),
)  # fmt: skip
REPORT = ParityReport(windows=("a.wav",), entries=CELLS)


@pytest.fixture
def verdict(project: object) -> Verdict:
    return gate.judge([*gate.parity_gates(REPORT, load_params().gate)], ())


def test_the_matrix_shows_what_passes_what_fails_and_what_is_absent(verdict: Verdict) -> None:
    runtimes, (mel, scores) = parity.matrix(REPORT, verdict)
    assert runtimes == ["keras", "litert_int8", "coreml_fp16"]
    assert [cell and cell.state for cell in mel.cells] == ["pass", "fail", "absent"]
    failed, absent = mel.cells[1:]
    assert failed and "worst a.wav" in failed.note and "limit ≤ 1 × 10⁻⁴" in failed.note
    assert absent and absent.note == "joined with another"
    assert (mel.reference, scores.reference) == ("librosa", "Keras")
    assert [cell and cell.text for cell in scores.cells] == [None, "1.0 % flips", None]


def test_nothing_is_judged_but_by_the_verdict() -> None:
    _, (mel, _) = parity.matrix(REPORT, None)
    assert [cell and cell.state for cell in mel.cells] == ["ungated", "ungated", "absent"]


def test_a_gated_figure_that_is_absent_is_a_failure(project: object) -> None:
    cell = ParityCell(runtime="keras", stage="mel", limits=LIMIT, absent="it crashed")
    report = ParityReport(windows=(), entries=(cell,))
    verdict = gate.judge([*gate.parity_gates(report, load_params().gate)], ())
    _, (mel,) = parity.matrix(report, verdict)
    assert [cell and cell.state for cell in mel.cells] == ["fail"]
