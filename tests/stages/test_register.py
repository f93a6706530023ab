"""The stage `register` on a real registry: which version a model is, and where it is kept."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from judged_project import TFLITE, write_judged, write_timings
from pocketear.experiments import registry, runs
from pocketear.experiments.client import connect, experiment_id
from pocketear.params import load_params
from pocketear.stages import register

pytest_plugins = ["tracked_project"]
pytestmark = pytest.mark.slow
OUT = Path("reports/registered.json")


def run_stage():
    register.main(Path("models"), Path("reports"), OUT)
    return json.loads(OUT.read_text())


def challenger():
    return registry.find("cry_laugh", "challenger")


def test_the_version_is_on_the_run_that_trained_the_model(tracked):
    write_judged(tracked)
    write_timings(0.34)
    with runs.training_run(load_params(), Path("data/split/clips.parquet")) as run:
        run.on_epoch(9, {"loss": 0.5, "accuracy": 0.7})
        run.log_model(Path("models/keras/model.keras"))
    registered = run_stage()
    assert registered == {
        "name": "cry_laugh",
        "identity": challenger().tags[registry.IDENTITY_TAG],
    }, "nothing that depends on the server"
    with connect() as client:
        (only,) = client.search_runs([experiment_id(client)])
    assert challenger().run_id == only.info.run_id
    assert only.info.status == "FINISHED"
    assert only.data.metrics["training/loss"] == 0.5
    assert only.data.metrics["accuracy"] == 1.0, "of the test side, not of the last epoch"
    assert only.data.metrics["recall_min"] == 1.0
    assert {name: n for name, n in only.data.metrics.items() if name.startswith("latency")} == {
        "latency/a53.instructions_per_second": 61e6,
        "latency/a53.front_end_instructions_per_second": 30e6,
        "latency/a53.instructions_per_quiet_second": 110e3,
        "latency/a53.estimate_ms_per_second": 41.0,
        "latency/a53.peak_bytes": 1e6,
        "latency/host.ratio_median": 0.34,
    }, "not the thousand figures of latency.json"
    parity = {name: n for name, n in only.data.metrics.items() if name.startswith("parity")}
    assert parity == {"parity/litert_int8.scores.flips": 0.0}, "what gates judge, of the matrix"
    assert only.data.metrics["tflite_bytes"] == TFLITE.stat().st_size
    assert only.data.metrics["mlpackage_bytes"] == len(b"weights")
    assert only.data.metrics["coreml_fp16/recall.cry"] == 1.0


def test_the_same_again_is_the_same_version_and_another_verdict_is_another(tracked):
    write_judged(tracked)
    first, again = run_stage(), run_stage()
    assert first == again
    write_judged(tracked, accepted=False)
    refused = run_stage()
    assert challenger().version == "2"
    write_judged(tracked, weights=b"other")
    other = run_stage()
    assert challenger().version == "3"
    assert len({one["identity"] for one in (first, refused, other)}) == 3
    write_judged(tracked)
    assert run_stage() == first
    assert challenger().version == "1"
    assert [made.version for made in registry.versions("cry_laugh")] == ["3", "2", "1"]


def test_without_the_server_the_version_is_kept_and_registered_later(tracked, monkeypatch, capsys):
    write_judged(tracked)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    kept = run_stage()
    assert "registered later" in capsys.readouterr().err
    run_stage()
    assert len(list(registry.PENDING.iterdir())) == 1, "the same model is kept once"

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    registry.send_pending()
    assert not list(registry.PENDING.iterdir())
    assert challenger().version == "1"
    assert challenger().tags[registry.IDENTITY_TAG] == kept["identity"]
    assert run_stage() == kept
    assert challenger().version == "1"


def test_the_command_says_which_version_it_is_and_nothing_else(tracked):
    write_judged(tracked)
    options = ["--models", "models", "--reports", "reports", "--out", str(OUT)]
    command = [sys.executable, "-m", "pocketear.stages.register", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("register: cry_laugh version 1\n", "")
