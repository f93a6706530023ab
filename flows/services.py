"""services: background processes that end together, and with the process that started them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from pocketear.base.loopback import LOOPBACK
from stage_runs import SUPERVISE

STATE = Path(".pocketear")
POOL = "local"  # as prefect.yaml names it
PROJECT = "PROJECT_DIR"  # in a worker's environment: its clone, as prefect.yaml names it
SERVED = "POCKETEAR_SERVED"  # in the environment of every process started here: the folder
_READY_SECONDS = 180.0
_STOP_SECONDS = 15.0


class ServeError(Exception):
    """A service did not start, or ended by itself; one line."""


@contextmanager
def service(
    name: str, command: list[str], environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Python command in the background, its output in .pocketear/NAME.log."""
    with (STATE / f"{name}.log").open("w") as log:
        child = subprocess.Popen(
            [sys.executable, str(SUPERVISE), sys.executable, *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process only, which ends them in order
        )
        try:
            yield child
        finally:
            _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Send SIGTERM twice, since a Prefect worker has been seen to survive one; then kill."""
    for _ in range(2):
        child.terminate()  # supervise.py passes it on
        with suppress(subprocess.TimeoutExpired):
            child.wait(_STOP_SECONDS)
            break
    if child.stdin:
        child.stdin.close()  # supervise.py kills what is left
    child.wait()


def end_left_behind(folder: str) -> None:
    """End what this or an earlier `make serve` in `folder` started and did not end.

    A flow survives its worker, and would keep the folder locked against the next one.
    """
    found = [process for process in psutil.process_iter() if _served_in(folder, process)]
    for process in found:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(found, _STOP_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _served_in(folder: str, process: psutil.Process) -> bool:
    try:
        return bool(process.environ().get(SERVED) == folder)
    except psutil.Error:  # ended meanwhile, or another user's
        return False


def watch(children: Mapping[str, "subprocess.Popen[bytes]"]) -> NoReturn:
    """Wait for a signal.

    raises: ServeError naming the service that ended before
    """
    while True:
        time.sleep(1.0)
        for name, child in children.items():
            if child.poll() is not None:
                raise ServeError(f"{name} ended, so the rest is ended too; see {STATE}/{name}.log")


def wait_for(name: str, address: str) -> None:
    """Wait until an address answers.

    raises: ServeError if it does not, in three minutes
    """
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        try:
            with urlopen(address, timeout=5):  # noqa: S310  our own loopback address
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise ServeError(f"{name} does not answer at {address}; {STATE}/{name}.log says why")


def check_free(ports: Mapping[str, int]) -> None:
    """Refuse to start over something else.

    raises: ServeError naming the port that is taken
    """
    for name, port in ports.items():
        with socket.socket() as probe:
            if probe.connect_ex((LOOPBACK, port)) == 0:
                raise ServeError(f"port {port} is taken; choose another with --{name}-port")


def stop_on_signals() -> None:
    """Make SIGINT, SIGTERM and a closed terminal raise KeyboardInterrupt in the main thread."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a script's background job ignores SIGINT
        signal.signal(number, _interrupt)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def environment_of(folder: str, reports: str) -> dict[str, str]:
    """Variables that every service has, without any login."""
    return {
        **os.environ,
        "PREFECT_HOME": str((STATE / "prefect").absolute()),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        PROJECT: folder,
        SERVED: folder,
        "POCKETEAR_REPORTS_ADDRESS": reports,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # of its services for language models
        "DO_NOT_TRACK": "true",
    }
