"""pool: the work pool of `make serve`, its deployments, and runs that a killed worker left.

`python flows/pool.py` sets them up on another server, which PREFECT_API_URL names. Imported only
once the environment holds the login: Prefect reads its settings when imported.
"""

import argparse
import os
import subprocess
import sys
from typing import Any

from prefect import State
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.states import Crashed

from server import check_server
from services import POOL, PROJECT
from stage_runs import PipelineError

_UNFINISHED = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]


def prepare() -> int:
    """Make the pool, register the deployments of prefect.yaml, and crash abandoned runs.

    Returns how many runs those were.

    raises: PipelineError if the deployments cannot be registered
    """
    with get_client(sync_client=True) as client:
        crashed = _crash_abandoned(client)
        pool = WorkPoolCreate(
            name=POOL, type="process", base_job_template=job_template(), concurrency_limit=1
        )
        client.create_work_pool(pool, overwrite=True)
    _deploy()
    return crashed


def job_template() -> dict[str, Any]:
    """How a worker starts a run. There are no variables, so no run can change it.

    A run has the worker's own Python, and prefect.yaml names the folder by the worker's own
    PROJECT_DIR, so that workers on several machines need not agree about paths. There is no `env`:
    into one that is there, Prefect merges a run's `env` whether it is a variable or not.
    """
    return {
        "job_configuration": {"stream_output": True},
        "variables": {"type": "object", "properties": {}, "additionalProperties": False},
    }


def _crash_abandoned(client: SyncPrefectClient) -> int:
    """Runs whose server or worker was killed count as unfinished, and occupy the pool."""
    unfinished = FlowRunFilterState(type=FlowRunFilterStateType(any_=_UNFINISHED))
    runs = client.read_flow_runs(flow_run_filter=FlowRunFilter(state=unfinished))
    for run in runs:
        state: State[None] = Crashed(message="its worker was gone when the server started again")
        client.set_flow_run_state(run.id, state, force=True)
    return len(runs)


def _deploy() -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    own = {name: value for name, value in os.environ.items() if name != PROJECT}
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise PipelineError(f"prefect deploy --all: {reason[-1] if reason else 'failed'}")


def main() -> None:
    """Set up the pool and the deployments for workers on any machine."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args()
    try:
        if not os.environ.get("PREFECT_API_URL"):
            raise PipelineError("PREFECT_API_URL names no server; `make serve` needs no such call")
        check_server()
        crashed = prepare()
    except PipelineError as error:
        sys.exit(f"error: {error}")
    print(f"the pool {POOL} runs this project's flows and nothing else")
    if crashed:
        print(f"{crashed} unfinished run(s) marked as crashed")


if __name__ == "__main__":
    main()
