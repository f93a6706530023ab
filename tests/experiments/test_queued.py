"""What an experiment that DVC runs in a copy of the project leaves in the project."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pocketear.experiments.client import connect, experiment_id

pytest_plugins = ["tracked_project"]
pytestmark = pytest.mark.slow
STEP = """
from pathlib import Path
from pocketear.experiments import runs
from pocketear.params import load_params
with runs.training_run(load_params(), Path("data/split/clips.parquet")) as run:
    run.on_epoch(1, {"loss": 2.0})
Path("out.txt").write_text("done")
"""
PIPELINE = """
stages:
  train: {cmd: python step.py, deps: [step.py], params: [train.epochs], outs: [out.txt]}
"""


def call(*command):
    own = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(command, env=own, capture_output=True, text=True, check=True).stdout


def test_the_run_of_a_temporary_experiment_is_in_the_projects_database(tracked):
    Path("step.py").write_text(STEP)
    Path("dvc.yaml").write_text(PIPELINE)
    Path("dvc.lock").unlink()
    Path(".gitignore").write_text("/mlflow.db\n/mlartifacts\n/.pocketear\n/out.txt\n")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost")
    call("git", "init", "-q")
    call("dvc", "init", "-q")
    call("git", "add", "-A")
    call(*git, "commit", "-qm", "all")
    call("git", "config", "user.name", "t")
    call("git", "config", "user.email", "t@localhost")
    call("dvc", "exp", "run", "--temp", "--name", "longer", "-S", "train.epochs=7")
    with connect() as client:
        (found,) = client.search_runs([experiment_id(client)])
    assert found.info.status == "FINISHED"
    assert found.data.params["train.epochs"] == "7"
    assert found.data.tags["pocketear.dvc_experiment"] == "longer"
