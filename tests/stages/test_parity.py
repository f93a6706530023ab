from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exported_project import working_in
from pocketear.base.errors import ParityError
from pocketear.contracts.names import ModelFiles
from pocketear.contracts.parity import ParityCell, ParityReport
from pocketear.contracts.report_file import read
from pocketear.data.store import open_store
from pocketear.evaluation.numeric_error import PROBES
from pocketear.params import load_params
from pocketear.stages import export_coreml, gate, parity

EXPORTED = ("litert_fp32", "litert_int8", "coreml_fp32", "coreml_fp16", "coreml_int8")


@pytest.fixture(scope="module")
def report(exported: Path) -> ParityReport:
    with working_in(exported):
        parity.main(Path("data/features"), Path("models"), Path("reports/parity.json"))
    return read(exported / "reports" / "parity.json", ParityReport)


def figure(cell: ParityCell, name: str) -> float:
    """A figure that a cell has."""
    value = cell.figure(name)
    assert value is not None, cell
    return value


def test_every_runtime_is_compared_at_every_stage(report: ParityReport) -> None:
    cells = [(entry.runtime, entry.stage) for entry in report.entries]
    assert cells == [("keras", stage) for stage in parity.FRONT_END] + [
        (runtime, stage) for runtime in EXPORTED for stage in (*parity.FRONT_END, *parity.NETWORK)
    ]
    assert not [entry.absent for entry in report.entries if entry.absent]
    assert set(PROBES) < set(report.windows)


def test_every_stage_of_the_front_end_is_librosas_in_every_runtime(report: ParityReport) -> None:
    for entry in report.entries:
        if entry.stage in parity.FRONT_END and entry.limits:
            assert figure(entry, "max_rel") < 1e-4, entry
            assert figure(entry, "snr_db") > 100, entry
    judged = {entry.runtime for entry in report.entries if entry.limits.get("max_rel")}
    assert judged == {"keras", *EXPORTED}


def test_float32_says_the_same_as_keras(report: ParityReport) -> None:
    entries = {(entry.runtime, entry.stage): entry for entry in report.entries}
    for name in ("litert_fp32", "coreml_fp32"):
        assert figure(entries[name, "logits"], "max_rel") < 1e-5
        assert figure(entries[name, "scores"], "max_abs") < 1e-5
        assert entries[name, "scores"].flips == 0


def test_a_front_end_in_swift_is_judged_at_the_same_stages_by_the_same_limits(
    exported: Path, report: ParityReport, tmp_path: Path
) -> None:
    text = (exported / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace(": in_model", ": accelerate"))
    with working_in(tmp_path):
        keras, card = exported / "models/keras", exported / "models/litert/card.json"
        export_coreml.main(keras, card, Path("models/coreml"))
        params = load_params()
        store = open_store(exported / "data/features")
        names, windows = parity.chosen_windows(store, params)
        files = ModelFiles(Path("models"), params.package.name).by_runner()
        files = {name: path for name, path in files.items() if name.startswith("coreml")}
        files |= {"keras": keras / "model.keras"}
        entries = list(parity.matrix(files, names, windows, params))
    found = {(entry.runtime, entry.stage): entry for entry in entries}
    judged = {(entry.runtime, entry.stage): entry.limits for entry in report.entries}
    assert len(found) == 3 * 6 + 4
    for cell, entry in found.items():
        assert entry.limits == judged[cell]
        assert not entry.absent, entry
        if entry.stage in parity.FRONT_END and entry.limits:
            assert figure(entry, "max_rel") < 1e-4, entry
    assert figure(found["coreml_fp32", "scores"], "max_abs") < 1e-5


def test_every_limit_is_one_of_params_and_judges_a_figure(
    report: ParityReport, project: Path
) -> None:
    gates = list(gate.parity_gates(report, load_params().gate))
    assert {one.name for one in gates} >= {
        "keras.frames.max_rel", "litert_int8.mel.max_rel", "coreml_fp16.power.max_rel",
        "litert_fp32.logits.max_rel", "coreml_fp16.scores.max_abs", "coreml_int8.scores.flips",
    }  # fmt: skip
    assert all(one.value is not None for one in gates)


def test_a_wrong_front_end_is_found_at_the_stage_where_it_goes_wrong(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mel filterbank of another norm: frames and power agree, mels and features do not."""
    with working_in(exported):
        params = load_params()
        store = open_store(Path("data/features"))
        names, windows = parity.chosen_windows(store, params)
        fp32 = ModelFiles(Path("models"), params.package.name).litert("fp32")
        steps = parity.steps_of(fp32, windows, store.normalisation, params.chunk)
    other = params.chunk.model_copy(update={"mel_norm": "none"})
    cells = parity.row("keras", steps, parity.librosas(windows, other), names, other)
    errors = {cell.stage: figure(cell, "max_rel") for cell in cells}
    assert errors["frames"] < 1e-4 and errors["power"] < 1e-4
    assert errors["mel"] > 0.1 and errors["features"] > 0.1


@given(size=st.integers(1, 5), error=st.floats(1e-3, 1), where=st.integers(0, 4))
def test_the_worst_window_is_named(size: int, error: float, where: int) -> None:
    expected = np.full((5, size, 2), 0.5, np.float32)
    values = expected.copy()
    values[where, 0, 0] += np.float32(error)
    names = [f"clip {n}" for n in range(5)]
    cell = ParityCell(runtime="litert_fp32", stage="mel", limits={})
    error_of = np.abs(values - expected).astype(np.float64)
    entry = parity.compare(cell, values, expected, error_of, names)
    assert entry.worst == f"clip {where}"
    assert entry.max_abs == pytest.approx(error, rel=1e-3)


def test_a_flip_is_counted_on_real_clips_only() -> None:
    expected = np.array([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4]], np.float32)
    scores = np.array([[0.8, 0.2], [0.6, 0.4], [0.4, 0.6]], np.float32)
    assert parity.flips(scores, expected, ["a", "b", "impulse"]) == 0.5
    assert parity.flips(scores, expected, list(PROBES[:3])) == 0


def test_what_is_not_a_number_is_refused_by_name() -> None:
    expected = np.zeros((2, 3), np.float32)
    values = np.array([[0, 0, 0], [0, np.nan, 0]], np.float32)
    cell = ParityCell(runtime="x", stage="scores", limits={})
    no_error = np.zeros((2, 3))
    with pytest.raises(ParityError, match="x: scores is NaN or infinite on b"):
        parity.compare(cell, values, expected, no_error, ["a", "b"])
    with pytest.raises(ParityError, match="shape"):
        parity.compare(cell, values[:1], expected, no_error, ["a", "b"])


def test_a_tensor_that_a_file_lacks_is_named_and_its_gate_refused(project: Path) -> None:
    params = load_params()
    window = np.zeros((1, params.frontend.window_length), np.float32)
    expected = parity.librosas(window, params.chunk)
    (cell, *_) = parity.row("litert_int8", {}, expected, ["silence"], params.chunk)
    assert (cell.stage, cell.max_rel) == ("frames", None)
    refused = list(gate.parity_gates(ParityReport(windows=(), entries=(cell,)), params.gate))
    assert [one.passed for one in refused] == [False]
    assert "computes no float tensor named after frames" in refused[0].reason
