"""Runs in MLflow: a real SQLite store, a server that does not answer, a killed training."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pandas as pd
import pytest

from pocketear.base.archive import sha256
from pocketear.base.errors import TrackingError
from pocketear.contracts.latency import Timings
from pocketear.experiments import runs
from pocketear.experiments.client import (
    ServerUnavailableError,
    connect,
    experiment_id,
    scalars,
)
from pocketear.experiments.journal import left_behind
from pocketear.params import load_params

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
    with connect() as client:
        return client.search_runs([experiment_id(client)])


def curve(run):
    with connect() as client:
        points = client.get_metric_history(run.info.run_id, "training/loss")
    return [(point.step, point.value) for point in points]


def artefacts(run_id, folder):
    with connect() as client:
        return [file.path for file in client.list_artifacts(run_id, folder)]


def test_a_training_is_one_run_with_parameters_curves_dataset_and_artefacts(tracked):
    train()
    (run,) = all_runs()
    assert run.info.status == "FINISHED"
    assert run.data.params["train.epochs"] == str(load_params().train.epochs)
    assert run.data.params["seed"] == str(load_params().seed)
    assert run.data.metrics == pytest.approx({"training/loss": 1 / 3, "training/val_accuracy": 0.7})
    assert curve(run) == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("clips.parquet", "0123456789abcdef")
    assert json.loads(dataset.dataset.source) == {"uri": "data/recipes/cry_laugh.yaml"}
    assert artefacts(run.info.run_id, "training") == ["training/history.csv"]
    assert (tracked / "mlartifacts").is_dir()
    assert not list(tracked.glob(".pocketear/pending-runs/*"))


def test_the_sides_of_a_feature_store_are_inputs_with_their_counts(tracked):
    sides = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    labels, groups = ["cry", "laugh"] * 5, ["a", "b", "c", "d", "a", "b", "e", "f", "g", "h"]
    Path("features").mkdir()
    table = pd.DataFrame({"label": labels, "group": groups, "split": sides, "samples": 9})
    table.to_parquet("features/index.parquet", index=False)
    with runs.training_run(load_params(), Path("features")):
        pass
    (run,) = all_runs()
    inputs = {context(one): one.dataset for one in run.inputs.dataset_inputs}
    profiles = {use: json.loads(dataset.profile) for use, dataset in inputs.items()}
    assert {use: one["clips"] for use, one in profiles.items()} == {
        "train": 6, "validation": 2, "test": 2,
    }  # fmt: skip
    assert profiles["train"]["groups_by_label"] == {"cry": 2, "laugh": 2}
    assert profiles["train"]["clips_by_label"] == {"cry": 3, "laugh": 3}
    columns = json.loads(inputs["test"].schema)["mlflow_colspec"]
    assert {"name": "samples", "type": "long"} in columns
    assert {"name": "label", "type": "string"} in columns


def context(used):
    return next(tag.value for tag in used.tags if tag.key == "mlflow.data.context")


def test_a_lock_that_dvc_is_writing_is_no_uncommitted_change(tracked):
    Path(".gitignore").write_text("*\n!params.yaml\n!dvc.lock\n")
    user = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost")
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "all")):
        subprocess.run([*user, *command], check=True)
    Path("dvc.lock").write_text("stages: {}")
    train()
    with Path("params.yaml").open("a") as params:
        params.write("# changed\n")
    train()
    said = [run.data.tags["pocketear.uncommitted_changes"] for run in all_runs()]
    assert sorted(said) == ["false", "true"]


def test_the_run_that_trained_a_model_is_found_by_the_models_bytes(tracked):
    train()
    (run,) = all_runs()
    model = {runs.MODEL_TAG: sha256(b"weights")}
    unknown = {runs.MODEL_TAG: "0" * 64}
    with connect() as client:
        found = runs.find_or_make_run(client, model, load_params())
        other = runs.find_or_make_run(client, unknown, load_params())
        again = runs.find_or_make_run(client, unknown, load_params())
    assert found == run.info.run_id
    assert other == again != found


def test_training_goes_on_without_the_server_and_the_run_is_sent_later(
    tracked, monkeypatch, capsys
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY_LISTENS)
    train()
    (line,) = capsys.readouterr().err.splitlines()  # once, not at every epoch
    assert "training goes on" in line
    assert NOBODY_LISTENS in line
    assert len(list(tracked.glob(".pocketear/pending-runs/*"))) == 1

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert runs.send_pending() == 1
    (run,) = all_runs()
    assert run.info.status == "FINISHED"
    assert run.info.end_time >= run.info.start_time
    assert run.data.metrics == pytest.approx({"training/loss": 1 / 3, "training/val_accuracy": 0.7})
    assert run.data.tags[runs.MODEL_TAG] == sha256(b"weights")
    assert artefacts(run.info.run_id, "training") == ["training/history.csv"]
    assert runs.send_pending() == 0
    assert len(all_runs()) == 1


def test_only_what_the_server_missed_is_kept_and_sent(tracked, monkeypatch):
    Path("first.csv").write_text("first")
    Path("second").mkdir()
    Path("second/second.csv").write_text("second")
    with runs.training_run(load_params(), Path("data/split/clips.parquet")) as run:
        run.on_epoch(0, {"loss": 2.0})
        run.log_artifacts(Path("first.csv"))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", NOBODY_LISTENS)
        run.on_epoch(1, {"loss": math.nan})
        run.log_artifacts(Path("second"))
    Path("second/second.csv").write_text("changed since")
    ended = 1000 * time.time()
    assert not list(runs.PENDING.rglob("first.csv")), "it has arrived"

    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert [run.info.status for run in all_runs()] == ["RUNNING"]
    assert runs.send_pending() == 1
    (sent,) = all_runs()
    assert sent.info.status == "FINISHED"
    assert sent.info.end_time <= ended, "not when it was sent"
    (first, (step, loss)) = curve(sent)
    assert (first, step, math.isnan(loss)) == ((0, 2.0), 1, True)
    with connect() as client:
        got = Path(client.download_artifacts(sent.info.run_id, "", str(tracked / "data")))
    assert (got / "first.csv").read_text() == "first"
    assert (got / "second.csv").read_text() == "second"


def test_a_kept_run_of_an_older_pocketear_is_one_clear_line(tracked, capsys):
    events = runs.PENDING / "0123/events.jsonl"
    events.parent.mkdir(parents=True)
    events.write_text('{"kind": "start", "time": 1, "tags": {}, "params": {}}\n')
    assert runs.send_pending() == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{events}: damaged, or written by another version" in line
    assert f"delete {events.parent} if the run is not worth keeping" in line
    assert events.exists()


def test_a_training_that_fails_is_a_failed_run(tracked):
    with (
        pytest.raises(ZeroDivisionError),
        runs.training_run(load_params(), Path("data/split/clips.parquet")),
    ):
        raise ZeroDivisionError
    assert [run.info.status for run in all_runs()] == ["FAILED"]


@pytest.mark.slow
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
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout and child.stdout.readline() == "ready\n"
        alive = 1000 * time.time()
        assert runs.send_pending() == 0, "its process lives: the run is left alone"
        os.kill(child.pid, signal.SIGKILL)
    assert runs.send_pending() == 1
    (run,) = all_runs()
    assert (run.info.status, run.data.metrics) == ("KILLED", {"training/loss": 1.0})
    assert curve(run) == [(0, 1.0)]
    assert run.info.start_time <= run.info.end_time <= alive, "not when it was noticed"


def test_folds_go_below_the_run_of_their_cross_validation(tracked, monkeypatch):
    monkeypatch.setenv(runs.PARENT_VARIABLE, "parent-id")
    train(epochs=1)
    assert all_runs()[0].data.tags["mlflow.parentRunId"] == "parent-id"


@pytest.mark.parametrize("uri", ["htp://localhost:5000", "localhost:5000", "mlruns"])
def test_a_wrong_address_fails_before_the_training(tracked, monkeypatch, uri):
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


def test_a_store_that_is_no_database_is_named(tracked, monkeypatch, capsys):
    Path("mlflow.db").write_bytes(b"this is no database, nor will it be" * 100)
    with pytest.raises(
        TrackingError, match=r"mlflow\.db refused: .*file is not a database"
    ) as refused:
        runs.start_parent("folds", load_params())
    assert not isinstance(refused.value, ServerUnavailableError), "waiting does not help"
    train(epochs=1)
    assert "training goes on" in capsys.readouterr().err

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+nodriver://me:secret@127.0.0.1/runs")
    with pytest.raises(TrackingError) as refused:
        runs.start_parent("folds", load_params())
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_driver_that_is_not_installed_is_one_clear_line(tracked, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "mssql+pyodbc://me:secret@127.0.0.1/runs")
    with pytest.raises(TrackingError, match=r"needs the Python module pyodbc") as refused:
        runs.start_parent("folds", load_params())
    assert "secret" not in str(refused.value)


def test_numbers_of_a_nested_report_become_metric_names():
    report = Timings(
        sha256="ab", providers={"host": {"ratio (median)": 0.5, "reference": "yamnet"}}
    )
    nested = {"a53": {"instructions": 7, "ok": True}, "timings": report, "by_fold": [1.0]}
    assert scalars(nested) == {
        "a53/instructions": 7.0,
        "timings/providers.host.ratio _median_": 0.5,
    }


def test_a_dataset_has_the_hash_that_dvc_knows_else_its_own(tracked):
    Path("other.csv").write_text("a\n")
    assert runs.dvc_hash(Path("other.csv")) == sha256(b"a\n")[:32]
    Path("other.csv.dvc").write_text("outs: [{md5: feed, path: other.csv}]")
    assert runs.dvc_hash(Path("other.csv")) == "feed"


BEGIN_AND_END = """
import sys
from pathlib import Path
from pocketear.experiments.journal import Journal
for _ in range(1000):
    Journal.create(Path(sys.argv[1])).discard()
"""


@pytest.mark.slow
def test_a_run_that_begins_is_not_taken_for_one_that_was_left_behind(tmp_path):
    """As two trainings that start together would: each sends what it finds."""
    command = [sys.executable, "-c", BEGIN_AND_END, str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as beginner:
        while beginner.poll() is None:
            for journal in left_behind(tmp_path):
                journal.discard()
        assert beginner.returncode == 0, beginner.communicate()[1]
    assert list(tmp_path.iterdir()) == []
