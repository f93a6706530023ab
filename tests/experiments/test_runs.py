"""Runs in MLflow: a real SQLite store, a server that is away, a killed training."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pocketear.base.errors import TrackingError
from pocketear.experiments import client as client_
from pocketear.experiments import provenance, runs
from pocketear.experiments.journal import left_behind
from pocketear.params import load_params
from pocketear.report.figures import scalars

pytest_plugins = ["tracked_project"]
NOBODY_LISTENS = "http://127.0.0.1:9"


def train(epochs=3):
    params = load_params()
    with runs.training_run(params, Path("data/split/clips.parquet")) as run:
        for epoch in range(epochs):
            run.on_epoch(epoch, {"loss": 1.0 / (epoch + 1), "val_accuracy": 0.5 + 0.1 * epoch})
        Path("history.csv").write_text("epoch,loss\n")
        Path("model.keras").write_bytes(b"weights")
        run.log_artifacts(Path("history.csv"), "training")
        run.log_model(Path("model.keras"))


def all_runs():
    with client_.reaching() as client:
        return client.search_runs([client_.experiment_id(client)])


def artefacts(run_id, folder):
    with client_.reaching() as client:
        return [file.path for file in client.list_artifacts(run_id, folder)]


def test_a_training_is_one_run_with_parameters_curves_dataset_and_artefacts(tracked):
    train()
    (run,) = all_runs()
    assert run.info.status == "FINISHED"
    assert run.data.params["train.epochs"] == str(load_params().train.epochs)
    assert run.data.params["seed"] == str(load_params().seed)
    assert run.data.metrics == pytest.approx({"training.loss": 1 / 3, "training.val_accuracy": 0.7})
    with client_.reaching() as client:
        curve = client.get_metric_history(run.info.run_id, "training.loss")
    assert [(point.step, point.value) for point in curve] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("clips.parquet", "0123456789abcdef")
    assert artefacts(run.info.run_id, "training") == ["training/history.csv"]
    assert (tracked / "mlartifacts").is_dir()
    assert not list(tracked.glob(".pocketear/pending-runs/*"))


def test_the_run_that_trained_a_model_is_found_by_the_models_bytes(tracked):
    train()
    (run,) = all_runs()
    model = provenance.file_sha256(Path("model.keras"))
    with client_.reaching() as client:
        found = runs.find_or_make_run(client, model, load_params())
        other = runs.find_or_make_run(client, "0" * 64, load_params())
        again = runs.find_or_make_run(client, "0" * 64, load_params())
    assert found == run.info.run_id
    assert other == again != found


def test_training_goes_on_without_the_server_and_the_run_is_sent_later(
    tracked, monkeypatch, capsys
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY_LISTENS)
    train()
    told = capsys.readouterr().err
    assert "training goes on" in told
    assert NOBODY_LISTENS in told
    assert told.count("\n") == 1, "said once, not at every epoch"
    assert len(list(tracked.glob(".pocketear/pending-runs/*"))) == 1

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert runs.send_pending() == 1
    (run,) = all_runs()
    assert run.info.status == "FINISHED"
    assert run.info.end_time >= run.info.start_time
    assert run.data.metrics == pytest.approx({"training.loss": 1 / 3, "training.val_accuracy": 0.7})
    assert run.data.tags[runs.MODEL_TAG] == provenance.file_sha256(Path("model.keras"))
    assert artefacts(run.info.run_id, "training") == ["training/history.csv"]
    assert runs.send_pending() == 0
    assert len(all_runs()) == 1


def test_a_training_that_fails_is_a_failed_run(tracked):
    with (
        pytest.raises(ZeroDivisionError),
        runs.training_run(load_params(), Path("data/split/clips.parquet")),
    ):
        raise ZeroDivisionError
    assert [run.info.status for run in all_runs()] == ["FAILED"]


def test_a_killed_training_does_not_stay_running_for_ever(tracked):
    script = textwrap.dedent("""
        import time
        from pathlib import Path
        from pocketear import params
        from pocketear.experiments import runs
        with runs.training_run(params.load_params(), Path("data/split/clips.parquet")) as run:
            run.on_epoch(0, {"loss": 1.0})
            print("ready", flush=True)
            time.sleep(60)
    """)
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    assert runs.send_pending() == 0, "its process lives: the run is left alone"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert runs.send_pending() == 1
    (run,) = all_runs()
    assert (run.info.status, run.data.metrics) == ("KILLED", {"training.loss": 1.0})
    with client_.reaching() as client:
        assert len(client.get_metric_history(run.info.run_id, "training.loss")) == 1


def test_folds_go_below_the_run_of_their_cross_validation(tracked, monkeypatch):
    monkeypatch.setenv(provenance.PARENT_VARIABLE, "parent-id")
    train(epochs=1)
    assert all_runs()[0].data.tags["mlflow.parentRunId"] == "parent-id"


@pytest.mark.parametrize("uri", ["htp://localhost:5000", "localhost:5000", "mlruns"])
def test_a_wrong_address_is_told_before_the_training(tracked, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(TrackingError, match=r"MLFLOW_TRACKING_URI: .* is not an address"):
        train()


def test_a_locked_database_does_not_stop_a_training(tracked, capsys):
    import sqlite3

    holder = sqlite3.connect(tracked / "mlflow.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    train(epochs=1)
    holder.rollback()
    assert "training goes on" in capsys.readouterr().err
    assert runs.send_pending() == 1


def test_what_is_in_the_place_of_the_store_is_named(tracked, monkeypatch, capsys):
    Path("mlflow.db").write_bytes(b"this is no database, nor will it be" * 100)
    with pytest.raises(
        TrackingError, match=r"mlflow\.db refused: .*file is not a database"
    ) as told:
        runs.start_parent("folds", load_params())
    assert not isinstance(told.value, client_.ServerAwayError), "waiting does not mend it"
    train(epochs=1)
    assert "training goes on" in capsys.readouterr().err

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+nodriver://me:secret@127.0.0.1/runs")
    with pytest.raises(TrackingError) as told:
        runs.start_parent("folds", load_params())
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_driver_that_is_not_installed_is_one_clear_line(tracked, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "mssql+pyodbc://me:secret@127.0.0.1/runs")
    with pytest.raises(TrackingError, match=r"needs the Python module pyodbc") as told:
        runs.start_parent("folds", load_params())
    assert "secret" not in str(told.value)


def test_numbers_of_a_nested_report_become_metric_names():
    nested = {"a53": {"instructions": 7, "ok": True}, "by clip": {"x(1)": 0.5}, "note": "text"}
    assert scalars(nested) == {"a53.instructions": 7.0, "by clip.x_1_": 0.5}


def test_a_file_that_dvc_does_not_know_is_named_by_its_own_hash(tracked):
    Path("other.csv").write_text("a\n")
    assert provenance.dvc_hash(Path("other.csv")) == provenance.file_sha256(Path("other.csv"))[:32]
    Path("other.csv.dvc").write_text("outs: [{md5: feed, path: other.csv}]")
    assert provenance.dvc_hash(Path("other.csv")) == "feed"


BEGIN_AND_END = """
import sys
from pathlib import Path
from pocketear.experiments.journal import Journal
for _ in range(1000):
    Journal.create(Path(sys.argv[1])).discard()
"""


def test_a_run_that_begins_is_not_taken_for_one_that_was_left_behind(tmp_path):
    """As two trainings that start together would: each sends what it finds."""
    command = [sys.executable, "-c", BEGIN_AND_END, str(tmp_path)]
    beginner = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while beginner.poll() is None:
        for journal in left_behind(tmp_path):
            journal.discard()
    assert beginner.returncode == 0, beginner.communicate()[1]
    assert list(tmp_path.iterdir()) == []
