"""Cross-validation on a small real DVC project with a real MLflow store: folds, sums, a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from places import ROOT
from pocketear.experiments.client import connect, experiment_id

from .conftest import commit

pytest_plugins = ["tracked_project"]
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]

SCORE = '''
"""A model whose figures depend on the fold; the training leaves a trace of how often it ran."""
import json, sys, time
from pathlib import Path
import yaml
METRICS = {"bytes": 1, "clips": 2, "groups": 2, "accuracy_low": 0.7, "accuracy_high": 1.0,
           "macro_f1": 0.8,
           "recall": {"cry": 1.0, "laugh": 0.6}, "recall_low": {"cry": 0.8, "laugh": 0.2},
           "recall_high": {"cry": 1.0, "laugh": 0.9}, "label_groups": {"cry": 1, "laugh": 1},
           "precision": {"cry": 0.7, "laugh": 1.0},
           "recall_min": 0.6, "calibration_error": 0.05}
params = yaml.safe_load(Path("params.yaml").read_text())
fold = params["split"]["test_fold"]
if sys.argv[1] == "train":
    with Path(sys.argv[2]).open("a") as trace:
        trace.write(f"{fold}\\n")
    if Path(sys.argv[2]).with_name("hang").exists() and fold == 2:
        time.sleep(120)
    Path("models/keras").mkdir(parents=True, exist_ok=True)
    Path("models/keras/model.keras").write_text(f"model of fold {fold}")
else:
    import pandas as pd
    Path("reports/evaluation").mkdir(parents=True, exist_ok=True)
    names = METRICS | {"accuracy": 0.8 + 0.05 * fold}
    Path("reports/metrics.json").write_text(json.dumps({"keras": names, "litert_int8": names}))
    clips = {"runner": "litert_int8", "label": ["cry", "laugh"], "predicted": ["cry", "cry"]}
    pd.DataFrame(clips).to_parquet("reports/evaluation/predictions.parquet")
'''


@pytest.fixture
def project(pipeline, tmp_path, monkeypatch, empty_store):
    """Two stages that end in metrics and predictions, on three folds."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, pipeline / "mlflow.db")
    trace = tmp_path / "trained.log"
    (pipeline / "score.py").write_text(SCORE)
    (pipeline / "dvc.yaml").write_text(f"""
stages:
  fit:
    cmd: python score.py train {trace}
    deps: [score.py, data/raw.txt]
    params: [split]
    outs: [models/keras]
  judge:
    cmd: python score.py judge
    deps: [models/keras]
    outs: [reports/evaluation]
    metrics: [reports/metrics.json]
""")
    with (pipeline / ".gitignore").open("a") as ignored:
        ignored.write("/models\n/reports\n/mlflow.db\n/mlartifacts\n")
    commit(pipeline)
    return pipeline


def crossvalidate(**parameters):
    import crossvalidate as module

    return module.crossvalidate(**parameters, return_state=True)


def test_a_killed_one_continues_and_its_folds_are_children_of_one_run(project, tmp_path):
    before = Path("params.yaml").read_bytes()
    (tmp_path / "hang").touch()
    kill_in_the_second_fold(tmp_path / "trained.log")
    (tmp_path / "hang").unlink()
    state = crossvalidate(folds=3, at_once=2)
    assert state.is_completed(), state.message
    trained = (tmp_path / "trained.log").read_text().split()
    assert sorted(trained) == ["1", "2", "2", "3"], "fold 1 is not trained again"
    summary = json.loads(Path("reports/crossvalidation/summary.json").read_text())
    assert summary["keras"]["accuracy_by_fold"] == pytest.approx([0.85, 0.9, 0.95])
    assert summary["keras"]["accuracy_mean"] == pytest.approx(0.9)
    assert summary["keras"]["accuracy_sd"] == pytest.approx(0.05)
    confusion = pd.read_csv("reports/crossvalidation/confusion.csv", index_col=0)
    assert confusion.loc["laugh"].to_dict() == {"cry": 3, "laugh": 0}
    assert Path("params.yaml").read_bytes() == before, "the workspace is not touched"
    assert not Path("models").exists()
    assert not list(Path(".pocketear/copies").iterdir())

    with connect() as client:
        runs = client.search_runs([experiment_id(client)])
    parents = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run not in parents]
    assert [run.info.run_name for run in parents] == ["3 folds"]
    assert parents[0].data.metrics["litert_int8/accuracy_mean"] == pytest.approx(0.9)
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parents[0].info.run_id}
    assert sorted((run.info.run_name, run.data.params["split.test_fold"]) for run in children) == [
        ("fold_1", "1"), ("fold_2", "2"), ("fold_3", "3"),
    ]  # fmt: skip


def kill_in_the_second_fold(trained):
    """Start a cross-validation as a script, and kill it while fold 2 trains."""
    from prefect.settings import PREFECT_API_URL

    command = [sys.executable, str(ROOT / "flows/crossvalidate.py"), "--folds", "3"]
    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()}
    flow = subprocess.Popen(command, env=environment, start_new_session=True)
    until = time.monotonic() + 600
    try:
        while not trained.exists() or "2" not in trained.read_text():
            assert time.monotonic() < until, "fold 2 never began"
            time.sleep(0.05)
    finally:
        os.killpg(flow.pid, signal.SIGKILL)
        flow.wait()
