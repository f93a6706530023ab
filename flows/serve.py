"""serve: Prefect's server and worker, MLflow's pages and the reports; one signal ends all.

`python flows/serve.py`, then in another shell `prefect deployment run 'retrain/on-demand' --watch`.
"""

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from stage_runs import LEASH, PipelineError
from workspace import alone

HOST = "127.0.0.1"
POOL = "local"
STATE = Path(".pocketear")
SERVED = "POCKETEAR_SERVED"  # in the environment of all that is started here: the folder
_READY_SECONDS = 180.0
_STOP_SECONDS = 15.0


class ServeError(Exception):
    """A service did not start; one line."""


@contextmanager
def service(
    name: str, command: list[str], environment: dict[str, str]
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in the background, its output in .pocketear/NAME.log; ended at the end."""
    with (STATE / f"{name}.log").open("w") as log:
        child = subprocess.Popen(
            # on a leash: it ends even if this process is killed
            [sys.executable, str(LEASH), sys.executable, "-m", *command],
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
    """Ask twice, since a Prefect worker has been seen to survive a single SIGTERM; then let go."""
    for _ in range(2):
        child.terminate()  # the leash passes it on
        with suppress(subprocess.TimeoutExpired):
            child.wait(_STOP_SECONDS)
            break
    if child.stdin:
        child.stdin.close()  # the leash kills what is left
    child.wait()


def end_left_behind(folder: str) -> None:
    """End the processes of this or an earlier `make serve` in `folder` that outlived a killed one.

    A flow survives its worker, and would hold the folder against the next one.
    """
    mine = [process for process in psutil.process_iter() if _served_in(folder, process)]
    for process in mine:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(mine, _STOP_SECONDS)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def _served_in(folder: str, process: psutil.Process) -> bool:
    try:
        return bool(process.environ().get(SERVED) == folder)
    except psutil.Error:  # ended meanwhile, or another user's
        return False


def watch(children: dict[str, "subprocess.Popen[bytes]"]) -> NoReturn:
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


def check_free(ports: dict[str, int]) -> None:
    """Refuse to start over something else.

    raises: ServeError naming the port that is taken
    """
    for name, port in ports.items():
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                raise ServeError(f"port {port} is taken; choose another with --{name}-port")


def prepare_pool(environment: dict[str, str]) -> None:
    """Make the work pool, with room for one run, and register the deployments of prefect.yaml."""
    for command in (
        ["work-pool", "create", POOL, "--type", "process", "--overwrite"],
        ["work-pool", "set-concurrency-limit", POOL, "1"],
        ["--no-prompt", "deploy", "--all"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "prefect", *command],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise ServeError(f"prefect {' '.join(command)}: {reason[-1] if reason else 'failed'}")


async def release_dead_runs() -> int:
    """Crash the runs that a server or worker left behind when it was killed: they hold the pool."""
    from prefect import State
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.states import Crashed

    busy = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
    wanted = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=busy)))
    async with get_client() as client:
        runs = await client.read_flow_runs(flow_run_filter=wanted)
        for run in runs:
            state: State[None] = Crashed(
                message="its worker was gone when the server started again"
            )
            await client.set_flow_run_state(run.id, state, force=True)
    return len(runs)


def serve(ports: dict[str, int]) -> None:
    """Start everything, tell where it is, and wait for a signal.

    raises: ServeError if something does not start, or ends by itself
    """
    folder = str(Path.cwd())
    end_left_behind(folder)
    check_free(ports)
    address = {name: f"http://{HOST}:{port}" for name, port in ports.items()}
    os.environ |= {
        "PREFECT_HOME": str((STATE / "prefect").absolute()),
        "PREFECT_API_URL": f"{address['prefect']}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PROJECT_DIR": folder,
        SERVED: folder,
        "POCKETEAR_REPORTS_ADDRESS": address["reports"],
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # of its services for language models
        "DO_NOT_TRACK": "true",
    }
    children = {}
    with ExitStack() as running:
        running.callback(end_left_behind, folder)
        for name, command in commands(ports).items():
            children[name] = running.enter_context(service(name, command, dict(os.environ)))
        wait_for("prefect", f"{address['prefect']}/api/health")
        released = asyncio.run(release_dead_runs())
        prepare_pool(dict(os.environ))
        worker = ["prefect", "worker", "start", "--pool", POOL, "--type", "process"]
        children["worker"] = running.enter_context(service("worker", worker, dict(os.environ)))
        for name in set(address) - {"prefect"}:
            wait_for(name, address[name])
        if released:
            print(f"{released} run(s) of a killed worker marked as crashed")
        print(f"Prefect  {address['prefect']}   prefect deployment run 'retrain/on-demand' --watch")
        print(f"MLflow   {address['mlflow']}")
        print(f"reports  {address['reports']}")
        print("Ctrl-C ends all", flush=True)
        watch(children)


def commands(ports: dict[str, int]) -> dict[str, list[str]]:
    """Service -> the module to run and its arguments; the worker comes later."""
    Path("reports").mkdir(exist_ok=True)
    store = f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    return {
        "prefect": ["prefect", "server", "start", "--host", HOST, "--port", str(ports["prefect"])],
        "mlflow": [
            *("mlflow", "ui", "--workers", "1", "--backend-store-uri", store),
            *("--host", HOST, "--port", str(ports["mlflow"])),
        ],
        "reports": [
            *("http.server", "--bind", HOST, "--directory", "reports", str(ports["reports"])),
        ],
    }


def _stop(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--prefect-port", type=int, default=4200)
    parser.add_argument("--mlflow-port", type=int, default=5000)
    parser.add_argument("--reports-port", type=int, default=4201)
    chosen = vars(parser.parse_args())
    for number in (signal.SIGINT, signal.SIGTERM):  # a script's background job ignores SIGINT
        signal.signal(number, _stop)
    try:
        with alone(Path.cwd(), "serve"):
            serve({name.removesuffix("_port"): port for name, port in chosen.items()})
    except (ServeError, PipelineError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        print("ended")


if __name__ == "__main__":
    main()
