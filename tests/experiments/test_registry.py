"""The registry on a real SQLite store: versions, their files, and what cannot be registered."""

import re
from pathlib import Path

import pandas as pd
import pytest

from copied_package import append, copy_package
from judged_project import write_judged, write_timings
from pocketear.base.errors import TrackingError
from pocketear.contracts.latency import TIMINGS
from pocketear.contracts.report_file import read, write
from pocketear.contracts.verdict import Verdict
from pocketear.experiments import registry
from pocketear.experiments.candidate import Candidate
from pocketear.experiments.client import connect
from pocketear.params import load_params

pytest_plugins = ["tracked_project"]
pytestmark = pytest.mark.slow
NOBODY_LISTENS = "http://127.0.0.1:9"


def candidate():
    return Candidate(Path("models"), Path("reports"), load_params())


def description(version):
    with connect() as client:
        return client.get_model_version(version.name, version.version).description


def metrics(version):
    with connect() as client:
        return client.get_run(version.run_id).data.metrics


def test_a_version_carries_its_verdict_its_card_and_its_files(tracked, tmp_path):
    write_judged(tracked, predicted=[0] * 30, accepted=False)
    made = registry.register(candidate())
    assert not made.accepted
    assert made.aliases == ("challenger",)
    assert made.tags["reasons"] == "accuracy 0.33 is below 0.8"
    assert made.tags["gates"] == "1 of 2 passed"
    assert "accuracy on the test side 0.333 (0.233 to 0.433)" in description(made)
    assert "Verdict: **refused**; 1 of 2 gates passed" in description(made)
    assert "- accuracy 0.33 is below 0.8" in description(made)

    got = registry.download(made, "reports/evaluation/predictions.parquet", tmp_path / "got")
    assert len(pd.read_parquet(got)) == 60
    models = registry.download(made, "models", tmp_path / "got")
    assert {path.name for path in models.iterdir()} == {
        "cry_laugh_int8.tflite", "cry_laugh_fp16.mlpackage.zip", "model.keras", "labels.txt",
        "card.json", "MODEL_CARD.md",
    }  # fmt: skip
    card = (models / "MODEL_CARD.md").read_text()
    assert "## Verdict: refused" in card
    assert re.search(r"\| accuracy +\| ≥ 80\.0 % +\| 33\.3 % ", card)
    assert registry.download(made, "reports/validation/index.html", tmp_path / "got").exists()
    picture = registry.download(made, "plots/confusion.png", tmp_path / "got")
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(TrackingError, match=r"version 1: its run holds no reports/nothing\.json"):
        registry.download(made, "reports/nothing.json", tmp_path / "got")


def test_many_long_reasons_are_cut_to_what_mlflow_holds_and_are_all_in_the_card(tracked, tmp_path):
    write_judged(tracked, accepted=False)
    verdict = read(Path("reports/verdict.json"), Verdict)
    reasons = tuple(f"gate {i}: {'too much of it, ' * 10}" for i in range(100))
    write(verdict.model_copy(update={"reasons": reasons}), Path("reports/verdict.json"))
    made = registry.register(candidate())
    for text in (description(made), made.tags["reasons"]):
        assert 4900 < len(text) <= 5000
        assert "gate 1: too much of it" in text
        assert text.endswith(" …")
    card = registry.download(made, "models/MODEL_CARD.md", tmp_path / "got").read_text()
    assert all(f"gate {i}: " in card for i in range(100))


def test_other_host_times_are_the_same_version_and_are_metrics_of_its_run(tracked):
    write_judged(tracked)
    write_timings(0.31)
    first = registry.register(candidate())
    assert metrics(first)["latency/host.ratio_median"] == 0.31
    write_timings(0.42)
    again = registry.register(candidate())
    assert (again.version, again.run_id) == (first.version, first.run_id)
    assert len(registry.versions("cry_laugh")) == 1
    assert metrics(first)["latency/host.ratio_median"] == 0.42


def test_times_of_another_file_or_that_cannot_be_read_are_not_logged(tracked, capsys):
    write_judged(tracked)
    write_timings(0.31)
    write_judged(tracked, weights=b"other")
    assert "latency/host.ratio_median" not in metrics(registry.register(candidate()))
    TIMINGS.write_text("{")
    write_judged(tracked, weights=b"third")
    assert "latency/host.ratio_median" not in metrics(registry.register(candidate()))
    assert "times are not logged: .pocketear/timings.json: damaged" in capsys.readouterr().err


def test_another_serving_code_is_another_version(tracked, tmp_path, monkeypatch):
    write_judged(tracked)
    package = copy_package(tmp_path / "code", monkeypatch)
    before = candidate().identity()
    append(package / "data/windows.py", "\n# a comment\n")
    assert candidate().identity() == before
    append(package / "data/windows.py", "\nCHANGED = True\n")
    assert candidate().identity() != before


def test_a_kept_version_of_an_older_pocketear_is_one_clear_line(tracked, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY_LISTENS)
    for weights in (b"old", b"new"):
        write_judged(tracked, weights=weights)
        assert registry.register_or_keep(candidate()) is None
    old, _ = sorted(registry.PENDING.iterdir(), key=lambda folder: folder.stat().st_mtime)
    (old / "reports/metrics.json").write_text('{"keras": {"accuracy": 1.0}}')
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    capsys.readouterr()
    registry.send_pending()
    lines = capsys.readouterr().err.splitlines()
    refused, arrived = (line for line in lines if line.startswith("note: "))
    assert "metrics.json: damaged, or written by another version" in refused
    assert f"delete {old} to drop it" in refused
    assert arrived == "note: the kept version is now cry_laugh version 1"
    assert list(registry.PENDING.iterdir()) == [old]


@pytest.mark.parametrize("which", ["7", "champion", "v7", "no such alias"])
def test_a_version_that_is_not_there_is_one_clear_line(tracked, which):
    with pytest.raises(TrackingError, match=r"cry_laugh: no version .*; `pocketear models` lists"):
        registry.find("cry_laugh", which)


def test_a_missing_model_file_is_named_and_not_taken_for_a_missing_server(tracked):
    write_judged(tracked)
    Path("models/litert/card.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"models/litert/card\.json"):
        registry.register_or_keep(candidate())
    assert not registry.PENDING.exists()
