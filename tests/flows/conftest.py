"""A small real DVC project for the flows, and a real Prefect server for their tests."""

import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import psutil
import pytest

from places import ROOT
from ports import free_ports

sys.path.insert(0, str(ROOT / "flows"))

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DVC_NO_ANALYTICS", "1")

STEP = '''
"""Write what was read; behave as the file NAME.mode says."""
import sys, time
from pathlib import Path
name, out, *inputs = sys.argv[1:]
project = Path(str(Path.cwd()).split("/.pocketear/copies/")[0])
asked = project / f"{name}.mode"
mode = asked.read_text().strip() if asked.exists() else ""
print(f"{name} begins", flush=True)
with open(project / "order.log", "a") as log:
    log.write(f"begin {name} {time.monotonic()}\\n")
if mode == "hang":
    time.sleep(120)
if mode == "fail":
    sys.exit("error: " + name + ": refused, accuracy 0.5 is below 0.8")
if mode == "fail once":
    asked.unlink()
    sys.exit("error: the network was unreachable")
if mode == "slow":
    time.sleep(3)
if mode == "wait for another":
    end = time.monotonic() + 120
    while (project / "order.log").read_text().count(f"begin {name} ") < 2:
        time.sleep(0.05)
        if time.monotonic() > end:
            sys.exit("error: no other run began meanwhile")
text = name + "(" + ",".join(Path(i).read_text() for i in inputs) + ")"
Path(out).parent.mkdir(parents=True, exist_ok=True)
Path(out).write_text(text)
with open(project / "order.log", "a") as log:
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
JUDGED = """
  judge:
    cmd: cp -r judged/reports .
    deps: [judged, out/join.txt]
    outs: [reports]
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


@pytest.fixture(scope="session")
def built_pipeline(fresh_pipeline, tmp_path_factory):
    """The same with every stage up to date."""
    root = tmp_path_factory.mktemp("built") / "pipeline"
    shutil.copytree(fresh_pipeline, root)
    run(root, sys.executable, "-m", "dvc", "repro", "-q")
    (root / "order.log").unlink()
    commit(root)
    return root


@pytest.fixture
def pipeline(fresh_pipeline, tmp_path, monkeypatch):
    """A copy of the project that has never run, as the working folder."""
    return copy_into(fresh_pipeline, tmp_path, monkeypatch)


@pytest.fixture
def built(built_pipeline, tmp_path, monkeypatch):
    """A copy of the project with every stage up to date, as the working folder."""
    return copy_into(built_pipeline, tmp_path, monkeypatch)


def add_judge(root):
    """Give the project a last stage whose outputs are the reports below judged/."""
    with (root / "dvc.yaml").open("a") as stages:
        stages.write(JUDGED)
    (root / "judged/reports").mkdir(parents=True)
    with (root / ".gitignore").open("a") as ignored:
        ignored.write("/reports\n/mlflow.db\n/mlartifacts\n")


def copy_into(project, folder, monkeypatch):
    root = folder / "pipeline"
    shutil.copytree(project, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture(scope="session")
def prefect_server():
    """Prefect's own test server on a database of its own."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=600):
        yield


@pytest.fixture(scope="module")
def served(fresh_pipeline, tmp_path_factory):
    """One `make serve` for all tests of a file."""
    root = tmp_path_factory.mktemp("served") / "pipeline"
    shutil.copytree(fresh_pipeline, root)
    with serving(root) as served:
        yield served


@dataclass(frozen=True)
class Served:
    """A running `make serve`. ports: prefect, mlflow, reports; lines: what it printed"""

    root: Path
    process: subprocess.Popen
    ports: list[int]
    lines: list[str]

    def login(self):
        """The secret that `prefect …` in the folder uses, "" if there is none."""
        profiles = self.root / ".pocketear/prefect/profiles.toml"
        if not profiles.exists():
            return ""
        return tomllib.loads(profiles.read_text())["profiles"]["serve"]["PREFECT_API_AUTH_STRING"]

    def family(self):
        """Its process, and all that it started."""
        starter = psutil.Process(self.process.pid)
        return [starter, *starter.children(recursive=True)]


@contextmanager
def serving(root):
    """`make serve` in a folder once it is ready; ended in every case."""
    for name in ("prefect.yaml", "prefect.toml"):
        shutil.copy(ROOT / name, root)
    if not (root / "flows").exists():
        (root / "flows").symlink_to(ROOT / "flows")
    ports = free_ports(3)
    process = start_serve(root, ports)
    try:
        lines: list[str] = []
        while not lines or "Ctrl-C" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        yield Served(root, process, ports, lines)
    finally:
        stop(process)


def start_serve(root, ports):
    names = ("prefect", "mlflow", "reports")
    chosen = [f"--{name}-port={port}" for name, port in zip(names, ports, strict=True)]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "flows/serve.py"), *chosen],
        cwd=root,
        env=without_login(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def stop(process):
    """End a `make serve`; killed, its services end with it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def without_login():
    """The environment of a user's shell, which knows nothing of a Prefect server."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_API_")}
    return own | {"COLUMNS": "500"}


def ask(port, method, path, body=None, **headers):
    """The answer to a request on loopback: status, headers, content."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def until(check, seconds=90):
    """What `check` returns once it is true; fails if it is not in time."""
    end = time.monotonic() + seconds
    while not (found := check()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def run(root, *command):
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def commit(root):
    run(root, "git", "add", "-A")
    run(root, "git", "commit", "-q", "-m", "change", "--allow-empty")
    return run(root, "git", "rev-parse", "HEAD").strip()
