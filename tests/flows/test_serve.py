"""`make serve`: everything answers, and one signal ends it."""

import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest
import yaml

from places import ROOT
from ports import free_ports

from .conftest import RESULT, ask, serving, start_serve, stop, until, without_login


def prefect(root, *arguments):
    """A command of Prefect's as a user types it in the project's folder, started."""
    return subprocess.Popen(
        [sys.executable, "-m", "prefect", *arguments],
        cwd=root,
        env=without_login(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output_of(command, timeout=180):
    """What a started command prints, to its end; ended in every case."""
    try:
        return command.communicate(timeout=timeout)[0]
    finally:
        command.kill()
        command.wait()


def test_a_taken_port_is_one_clear_line(pipeline):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        printed = output_of(start_serve(pipeline, [*free_ports(1), port, *free_ports(1)]), 60)
    assert printed == f"error: port {port} is taken; choose another with --mlflow-port\n"


@pytest.mark.slow
def test_all_parts_answer_and_every_deployment_is_registered(served):
    for port in served.ports:
        assert any(f"http://127.0.0.1:{port}" in line for line in served.lines)
        assert ask(port, "GET", "/")[0] in (200, 307)
    listed = output_of(prefect(served.root, "deployment", "ls"))
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        assert f"/{deployment['name']}" in listed


@pytest.mark.slow
def test_two_deployments_at_once_wait_for_each_other_and_a_failure_is_explained(served):
    root, run = served.root, ("deployment", "run", "--watch")
    (root / "wash.mode").write_text("slow")
    names = ("retrain/on-demand", "retrain/on-data-change")
    both = [prefect(root, *run, name) for name in names]
    printed = [output_of(one) for one in both]
    assert [one.returncode for one in both] == [0, 0], "".join(printed)
    assert (root / "out/join.txt").read_text() == RESULT
    began = (root / "order.log").read_text().count("begin")
    assert began == 4, "the second found everything up to date"

    (root / "join.mode").write_text("fail")
    refused = prefect(root, *run, "retrain/on-demand", "--param", 'force=["join"]')
    unknown = prefect(root, *run, "retrain/on-demnad")
    assert "join: refused, accuracy 0.5 is below 0.8" in output_of(refused)
    assert "Deployment 'retrain/on-demnad' not found!" in output_of(unknown)
    assert (refused.returncode, unknown.returncode) == (1, 1)


@pytest.mark.slow
def test_nothing_outlives_the_worker(served):
    """The last of those that share a server: it ends with its worker."""
    family = served.family()
    with flow_of(served.root) as flow:
        kill(family, "prefect worker start")
        printed = output_of(served.process)
        assert served.process.returncode == 1
        reason = "worker ended, so the rest is ended too; see .pocketear/worker.log"
        assert f"error: {reason}" in printed
        assert served.login() == ""
        assert flow.wait(30) == -signal.SIGTERM
        assert psutil.wait_procs(family[1:], timeout=60)[1] == []


@pytest.mark.slow
def test_the_next_serve_ends_what_a_killed_one_left_and_a_closed_terminal_ends_it(pipeline):
    with serving(pipeline) as served:
        family, login = served.family(), served.login()
        with flow_of(pipeline) as flow:
            kill(family, "flows/serve.py")
            again = start_serve(pipeline, free_ports(3))
            try:
                assert flow.wait(120) == -signal.SIGTERM
                until(lambda: served.login() not in (login, ""))
                begun = psutil.Process(again.pid).children(recursive=True)
                again.send_signal(signal.SIGHUP)  # while its parts are starting
                assert again.wait(120) == 0
            finally:
                stop(again)
        assert psutil.wait_procs([*family[1:], *begun], timeout=60)[1] == []
        assert served.login() == "", "the secret ends with the server"


@contextmanager
def flow_of(root):
    """A process that is to `make serve` in a folder as a flow of its worker."""
    marked = {**os.environ, "POCKETEAR_SERVED": str(root)}
    flow = subprocess.Popen(["sleep", "600"], env=marked, start_new_session=True)
    try:
        yield flow
    finally:
        flow.kill()
        flow.wait()


def kill(family, victim):
    """Kill the processes with `victim` in their command, but not those that supervise them."""
    for process in family:
        command = process.cmdline()
        if victim in " ".join(command) and "supervise.py" not in command[1]:
            process.kill()
