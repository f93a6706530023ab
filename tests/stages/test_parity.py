import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exported_project import working_in
from pocketear.errors import ParityError
from pocketear.params import load_params
from pocketear.stages import parity


@pytest.fixture(scope="module")
def report(exported: Path) -> dict:
    with working_in(exported):
        parity.main(Path("data/features"), Path("models"), Path("reports/parity.json"))
    return json.loads((exported / "reports" / "parity.json").read_text())


def test_every_runtime_is_compared_at_every_stage(report: dict) -> None:
    cells = {(entry["runtime"], entry["stage"]) for entry in report["entries"]}
    exported = {"litert_fp32", "litert_int8", "coreml_fp32", "coreml_fp16", "coreml_int8"}
    assert cells == {(name, "features") for name in exported | {"keras"}} | {
        (name, "scores") for name in exported
    }
    assert {"digital silence", "impulse", "clipped sine"} <= set(report["windows"])


def test_the_front_end_is_librosas_everywhere(report: dict) -> None:
    for entry in report["entries"]:
        if entry["stage"] == "features" and entry["runtime"] in parity.EXACT:
            assert entry["max_rel"] < 1e-4, entry


def test_float32_says_the_same_as_keras(report: dict) -> None:
    entries = {(e["runtime"], e["stage"]): e for e in report["entries"]}
    for name in ("litert_fp32", "coreml_fp32"):
        assert entries[name, "scores"]["max_abs"] < 1e-5
        assert entries[name, "scores"]["flips"] == 0


@given(size=st.integers(1, 5), error=st.floats(1e-3, 1), where=st.integers(0, 4))
def test_the_worst_window_is_named(size: int, error: float, where: int) -> None:
    expected = np.full((5, size, 2), 0.5, np.float32)
    values = expected.copy()
    values[where, 0, 0] += np.float32(error)
    names = [f"clip {n}" for n in range(5)]
    relative = np.abs(values - expected)
    entry = parity.compare("litert", "features", values, expected, relative, names, {})
    assert entry.worst == f"clip {where}"
    assert entry.max_abs == pytest.approx(error, rel=1e-3)
    energy = np.square(expected, dtype=float).sum()
    assert entry.snr_db == pytest.approx(10 * np.log10(energy / error**2), abs=0.1)


def test_a_flip_is_counted() -> None:
    expected = np.array([[0.9, 0.1], [0.4, 0.6]], np.float32)
    values = np.array([[0.8, 0.2], [0.6, 0.4]], np.float32)
    relative = np.abs(values - expected)
    entry = parity.compare("x", "scores", values, expected, relative, ["a", "b"], {})
    assert (entry.flips, entry.worst) == (0.5, "b")


def test_what_is_not_a_number_is_refused_by_name() -> None:
    expected = np.zeros((2, 3), np.float32)
    values = np.array([[0, 0, 0], [0, np.nan, 0]], np.float32)
    with pytest.raises(ParityError, match="x: scores is NaN or infinite on b"):
        parity.compare("x", "scores", values, expected, values * 0, ["a", "b"], {})
    with pytest.raises(ParityError, match="shape"):
        parity.compare("x", "scores", values[:1], expected, expected, ["a", "b"], {})


def test_relative_error_is_of_the_power_under_the_log(project: Path) -> None:
    p = load_params().frontend
    expected = np.array([[[-20.0, -60.0]]], np.float32)
    louder = expected + np.float32(10 * np.log10(1.01))
    np.testing.assert_allclose(parity.power_ratio(louder, expected, p), 0.01, rtol=1e-3)
