"""A worker in a clone elsewhere, started by what docs/more-than-one-machine.md says and no more."""

import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from places import ROOT
from ports import free_ports

from .conftest import RESULT, ask, run, until, without_login
from .test_serve import output_of

pytestmark = pytest.mark.slow
DOCUMENT = ROOT / "docs/more-than-one-machine.md"


@pytest.fixture
def server(tmp_path):
    """A Prefect server that somebody started by hand: its address and its login."""
    (port,) = free_ports(1)
    login = f"user:{secrets.token_urlsafe(16)}"
    own = {
        "PREFECT_HOME": str(tmp_path / "server"),
        "PREFECT_SERVER_API_AUTH_STRING": login,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    command = ["-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with started([sys.executable, *command], tmp_path, own):
        until(lambda: answers(port), 300)
        yield f"http://127.0.0.1:{port}/api", login


def answers(port):
    try:
        return ask(port, "GET", "/api/health")[0] == 200
    except OSError:
        return False


class started:
    """A process, with all that it started, for as long as a block lasts."""

    def __init__(self, command, folder, environment):
        own = without_login() | environment
        self.process = subprocess.Popen(
            command, cwd=folder, env=own, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def __enter__(self):
        return self.process

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def documented(address, login):
    """The two lines for a worker, with this server's address and login."""
    (lines,) = re.findall(r"```\n(export PREFECT_API_URL=.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert len(lines.splitlines()) == 2
    return lines.replace("https://prefect.example.org/api", address).replace("user:secret", login)


def test_the_two_lines_of_the_docs_start_a_worker_in_another_clone(
    pipeline, server, tmp_path, monkeypatch
):
    address, login = server
    shutil.copy(ROOT / "prefect.yaml", pipeline)
    (pipeline / "flows").symlink_to(ROOT / "flows")
    elsewhere = tmp_path / "elsewhere" / "clone"
    run(tmp_path, "git", "clone", "-q", str(pipeline), str(elsewhere))
    (elsewhere / "flows").symlink_to(ROOT / "flows")
    own = {
        "PREFECT_API_URL": address,
        "PREFECT_API_AUTH_STRING": login,
        "PREFECT_HOME": str(tmp_path / "client"),
    }
    registered = subprocess.run(
        [sys.executable, str(ROOT / "flows/pool.py")],
        cwd=pipeline, env=without_login() | own, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert registered.returncode == 0, registered.stderr
    worker = {
        "PREFECT_HOME": str(tmp_path / "worker"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    with started(["sh", "-ec", documented(address, login)], elsewhere, worker):
        run_it = ["-m", "prefect", "deployment", "run", "retrain/on-demand", "--watch"]
        command = subprocess.Popen(
            [sys.executable, *run_it], cwd=pipeline, env=without_login() | own, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        printed = output_of(command, 300)
    assert command.returncode == 0, printed
    assert (elsewhere / "out/join.txt").read_text() == RESULT
    assert not (pipeline / "out").exists()
