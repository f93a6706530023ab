"""A small real DVC project for the flows, and a real Prefect server for their tests."""

import os
import shutil
import subprocess
import sys

import pytest

from places import ROOT

sys.path.insert(0, str(ROOT / "flows"))

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")

STEP = '''
"""Write what was read; behave as the file NAME.mode says."""
import sys, time
from pathlib import Path
name, out, *inputs = sys.argv[1:]
mode = Path(f"{name}.mode").read_text().strip() if Path(f"{name}.mode").exists() else ""
print(f"{name} begins", flush=True)
with open("order.log", "a") as log:
    log.write(f"begin {name} {time.monotonic()}\\n")
if mode == "hang":
    time.sleep(120)
if mode == "fail":
    sys.exit("error: " + name + ": refused, accuracy 0.5 is below 0.8")
if mode == "fail once":
    Path(f"{name}.mode").unlink()
    sys.exit("error: the network was away")
if mode == "slow":
    time.sleep(3)
text = name + "(" + ",".join(Path(i).read_text() for i in inputs) + ")"
Path(out).parent.mkdir(parents=True, exist_ok=True)
Path(out).write_text(text)
with open("order.log", "a") as log:
    log.write(f"end {name} {time.monotonic()}\\n")
'''

PIPELINE = """
stages:
  wash:
    cmd: python step.py wash out/wash.txt data/raw.txt
    deps: [data/raw.txt, step.py]
    outs: [out/wash.txt]
    meta: {retries: 1}
  left:
    cmd: python step.py left out/left.txt out/wash.txt
    deps: [out/wash.txt]
    params: [train.epochs]
    outs: [out/left.txt]
  right:
    cmd: python step.py right out/right.txt out/wash.txt
    deps: [out/wash.txt]
    outs: [out/right.txt]
  join:
    cmd: python step.py join out/join.txt out/left.txt out/right.txt
    deps: [out/left.txt, out/right.txt]
    outs: [out/join.txt]
"""
RESULT = "join(left(wash(raw)),right(wash(raw)))"


@pytest.fixture(scope="session")
def fresh_pipeline(tmp_path_factory):
    """A Git and DVC project of four stages: wash -> left | right -> join."""
    root = tmp_path_factory.mktemp("pipeline")
    (root / "data").mkdir()
    (root / "data/raw.txt").write_text("raw")
    (root / "step.py").write_text(STEP)
    (root / "dvc.yaml").write_text(PIPELINE)
    (root / ".gitignore").write_text("/out\n/order.log\n*.mode\n/.pocketear\n")
    shutil.copy(ROOT / "params.yaml", root)
    run(root, "git", "init", "-q")
    run(root, sys.executable, "-m", "dvc", "init", "-q")
    run(root, "git", "config", "user.email", "a@example.org")
    run(root, "git", "config", "user.name", "a")
    commit(root)
    return root


@pytest.fixture
def pipeline(fresh_pipeline, tmp_path, monkeypatch):
    """A copy of the project, as the working folder."""
    root = tmp_path / "pipeline"
    shutil.copytree(fresh_pipeline, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def prefect_server():
    """Prefect's own test server on a database of its own."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=600):
        yield


def run(root, *command):
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def commit(root):
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-q", "-m", "change", "--allow-empty")
    return run(root, "git", "rev-parse", "HEAD").strip()
