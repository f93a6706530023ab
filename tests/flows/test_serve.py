"""`make serve`: everything answers, and one signal ends it."""

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
import yaml

from places import ROOT

from .conftest import RESULT, ask, free_ports, serving, start_serve, stop, without_login


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
@pytest.mark.parametrize("victim", ["prefect worker start", "flows/serve.py"])
def test_nothing_outlives_a_part_that_is_killed(pipeline, victim):
    marked = {**os.environ, "POCKETEAR_SERVED": str(pipeline)}  # as a flow of the worker has it
    with serving(pipeline) as served:
        family = served.family()
        flow = subprocess.Popen(["sleep", "600"], env=marked, start_new_session=True)
        try:
            for process in family:
                command = process.cmdline()
                if victim in " ".join(command) and "supervise.py" not in command[1]:
                    process.kill()
            printed = output_of(served.process)
            if victim == "flows/serve.py":
                again = start_serve(pipeline, free_ports(3))  # first ends what was left
                try:
                    flow.wait(120)
                finally:
                    stop(again)
            else:
                assert served.process.returncode == 1
                reason = "worker ended, so the rest is ended too; see .pocketear/worker.log"
                assert f"error: {reason}" in printed
                assert served.login() == ""
            assert flow.wait(30) == -signal.SIGTERM
            assert psutil.wait_procs(family[1:], timeout=60)[1] == []
        finally:
            flow.kill()
            flow.wait()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_all_answers_and_one_signal_ends_it(pipeline, number):
    with serving(pipeline) as served:
        family = served.family()[1:]
        for port in served.ports:
            assert any(f"http://127.0.0.1:{port}" in line for line in served.lines)
            assert ask(port, "GET", "/")[0] in (200, 307)
        listed = output_of(prefect(pipeline, "deployment", "ls"))
        for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
            assert f"/{deployment['name']}" in listed
        began = time.monotonic()
        served.process.send_signal(number)
        assert served.process.wait(120) == 0
        assert psutil.wait_procs(family, timeout=30)[1] == []
        assert time.monotonic() - began < 120
        assert served.login() == "", "the secret ends with the server"


@pytest.mark.slow
def test_two_deployments_at_once_wait_for_each_other_and_a_failure_is_explained(pipeline):
    run = ("deployment", "run", "--watch")
    with serving(pipeline):
        (pipeline / "wash.mode").write_text("slow")
        names = ("retrain/on-demand", "retrain/on-data-change")
        both = [prefect(pipeline, *run, name) for name in names]
        printed = [output_of(one) for one in both]
        assert [one.returncode for one in both] == [0, 0], "".join(printed)
        assert (pipeline / "out/join.txt").read_text() == RESULT
        began = (pipeline / "order.log").read_text().count("begin")
        assert began == 4, "the second found everything up to date"

        (pipeline / "join.mode").write_text("fail")
        refused = prefect(pipeline, *run, "retrain/on-demand", "--param", 'force=["join"]')
        assert "join: refused, accuracy 0.5 is below 0.8" in output_of(refused)
        assert refused.returncode == 1

        unknown = prefect(pipeline, *run, "retrain/on-demnad")
        assert "Deployment 'retrain/on-demnad' not found!" in output_of(unknown)
        assert unknown.returncode == 1
