"""`make serve`: everything answers, and one signal ends it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection

import psutil
import pytest
import yaml

from .conftest import RESULT, ROOT


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def serve(ports):
    names = ("prefect", "mlflow", "reports")
    chosen = [f"--{name}-port={port}" for name, port in zip(names, ports, strict=True)]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "flows/serve.py"), *chosen],
        env={**os.environ, "PREFECT_API_URL": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_taken_port_is_one_clear_line(pipeline):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        told, _ = serve([*free_ports(1), port, *free_ports(1)]).communicate(timeout=60)
    assert told == f"error: port {port} is taken; choose another with --mlflow-port\n"


def serving(pipeline, ports):
    """`make serve` once it is ready, and what it has told."""
    shutil.copy(ROOT / "prefect.yaml", pipeline)
    (pipeline / "flows").symlink_to(ROOT / "flows")
    served = serve(ports)
    lines = []
    while not lines or "Ctrl-C" not in lines[-1]:
        lines.append(served.stdout.readline())
        assert lines[-1], "".join(lines)
    return served, lines


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["prefect worker start", "flows/serve.py"])
def test_nothing_outlives_a_part_that_is_killed(pipeline, victim):
    served, _ = serving(pipeline, free_ports(3))
    starter = psutil.Process(served.pid)
    family = [starter, *starter.children(recursive=True)]
    marked = {**os.environ, "POCKETEAR_SERVED": str(pipeline)}  # as a flow of the worker has it
    flow = subprocess.Popen(["sleep", "600"], env=marked, start_new_session=True)
    try:
        for process in family:
            if victim in " ".join(process.cmdline()) and "leash.py" not in process.cmdline()[1]:
                process.kill()
        told, _ = served.communicate(timeout=120)
        if victim == "flows/serve.py":
            again = serve(free_ports(3))  # begins by ending what was left
            flow.wait(120)
            again.terminate()
            again.communicate(timeout=120)
        else:
            assert served.returncode == 1
            assert (
                "error: worker ended, so the rest is ended too; see .pocketear/worker.log" in told
            )
        assert flow.wait(30) == -signal.SIGTERM
        assert psutil.wait_procs(family[1:], timeout=60)[1] == []
    finally:
        flow.kill()


@pytest.mark.slow
def test_all_answers_and_one_signal_ends_it(pipeline):
    ports = free_ports(3)
    served, lines = serving(pipeline, ports)
    family = psutil.Process(served.pid).children(recursive=True)
    for port in ports:
        assert any(f"http://127.0.0.1:{port}" in line for line in lines)
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/")
        assert connection.getresponse().status in (200, 307)
    environment = os.environ | {"PREFECT_API_URL": f"http://127.0.0.1:{ports[0]}/api"}
    listed = subprocess.run(
        [sys.executable, "-m", "prefect", "deployment", "ls"],
        env=environment | {"COLUMNS": "200"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        assert f"/{deployment['name']}" in listed.stdout
    began = time.monotonic()
    served.send_signal(signal.SIGINT)
    assert served.wait(120) == 0
    assert psutil.wait_procs(family, timeout=30)[1] == []
    assert time.monotonic() - began < 120


def deployed(port, *arguments):
    """`prefect deployment run … --watch`, started."""
    return subprocess.Popen(
        [sys.executable, "-m", "prefect", "deployment", "run", *arguments, "--watch"],
        env={**os.environ, "PREFECT_API_URL": f"http://127.0.0.1:{port}/api", "COLUMNS": "500"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.slow
def test_two_deployments_at_once_wait_for_each_other_and_a_refusal_is_told(pipeline):
    ports = free_ports(3)
    served, _ = serving(pipeline, ports)
    try:
        (pipeline / "wash.mode").write_text("slow")
        both = [deployed(ports[0], f"retrain/{name}") for name in ("on-demand", "on-data-change")]
        told = [one.communicate(timeout=180)[0] for one in both]
        assert [one.returncode for one in both] == [0, 0], "".join(told)
        assert (pipeline / "out/join.txt").read_text() == RESULT
        began = (pipeline / "order.log").read_text().count("begin")
        assert began == 4, "the second found all of it made"

        (pipeline / "join.mode").write_text("fail")
        refused = deployed(ports[0], "retrain/on-demand", "--param", 'force=["join"]')
        told = refused.communicate(timeout=180)[0]
        assert refused.returncode == 1
        assert "join: refused, accuracy 0.5 is below 0.8" in told

        unknown = deployed(ports[0], "retrain/on-demnad")
        assert "Deployment 'retrain/on-demnad' not found!" in unknown.communicate(timeout=60)[0]
        assert unknown.returncode == 1
    finally:
        served.terminate()
        served.communicate(timeout=120)
