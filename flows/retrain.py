"""retrain: a flow with one task for each stage of dvc.yaml, whatever the stages are.

`prefect deployment run 'retrain/on-demand' --param overrides='["train.epochs=5"]' --watch`, or,
without a server, `python flows/retrain.py --set train.epochs=5`.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

from prefect import State, flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, wait
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from results import compare_with_champion, promote_challenger, show_report, show_verdict
from server import failed, server_or_own
from stage_runs import PipelineError, Stage, StageError, StageRuns, read_stages
from workspace import exclusive, set_params, use_data_of

WORKERS = os.cpu_count() or 2
_RETRY_DELAY_SECONDS = 5


def prepare(root: Path, overrides: list[str], data_revision: str, force: list[str]) -> list[Stage]:
    """Change params.yaml and data/ as requested, and read the stages.

    raises: PipelineError if a parameter, revision or stage does not exist
    """
    use_data_of(root, data_revision)
    set_params(root, overrides)
    stages = read_stages(root)
    unknown = sorted(set(force) - {stage.name for stage in stages})
    if unknown:
        known = ", ".join(stage.name for stage in stages)
        raise PipelineError(f"force: no stage {', '.join(unknown)}; dvc.yaml has {known}")
    return stages


@task(cache_policy=NO_CACHE)  # DVC decides what is up to date, Prefect does not
def run_stage(stage: Stage, runs: StageRuns, force: bool) -> State[None]:
    """Run one stage; `Cached` where DVC finds nothing to do."""
    if not force and runs.up_to_date(stage.name):
        return Completed(name="Cached", message="up to date")
    try:
        ran = runs.run(stage, get_run_logger().info, force=force)
    except StageError as error:
        # a state, not an exception: the reason is one line, and a traceback would add nothing
        return Failed(message=str(error))
    return Completed() if ran else Completed(name="Cached", message="from DVC's cache")


@flow(
    name="retrain",
    task_runner=ThreadPoolTaskRunner(max_workers=WORKERS),  # type: ignore[arg-type]  # invariant
)
def retrain(
    overrides: list[str] | None = None,
    force: list[str] | None = None,
    data_revision: str = "",
    promote: bool = False,
) -> State[None]:
    """Bring every stage of dvc.yaml up to date.

    overrides: parameters to write into params.yaml first, as `train.epochs=5`
    force: stages to run even if they are up to date
    data_revision: the Git revision whose data/ is used; empty: as it is in the workspace
    promote: make the new version the champion, if it is no worse on the same clips
    """
    root = Path.cwd()
    try:
        with exclusive(root, "retrain"):
            stages = prepare(root, overrides or [], data_revision, force or [])
            states = _run_all(stages, StageRuns(root), set(force or []))
            return _conclude(root, states, promote=promote)
    except PipelineError as error:  # a state: its message is the one line to read
        return failed(str(error))


def _conclude(root: Path, states: dict[str, State[None]], *, promote: bool) -> State[None]:
    """Show the results; promote if requested."""
    verdict = show_verdict(root)
    show_report(root)
    reasons = [str(state.message) for state in states.values() if state.name == "Failed"]
    if reasons:
        return failed("; ".join(reasons))
    ran = [name for name, state in states.items() if state.name != "Cached"]
    if ran or promote:
        compare_with_champion(root)
    if promote:
        promoted = promote_challenger(root, return_state=True)
        if promoted.is_failed():
            return failed(str(promoted.message))
    if verdict and not verdict.accepted:
        return failed(f"refused: {'; '.join(verdict.reasons)}", name="Refused")
    return Completed(message=f"ran {', '.join(ran)}" if ran else "all stages were up to date")


def _run_all(stages: list[Stage], runs: StageRuns, force: set[str]) -> dict[str, State[None]]:
    """Submit every stage with the stages it depends on as its prerequisites; wait for all."""
    futures: dict[str, PrefectFuture[State[None]]] = {}
    try:
        for stage in stages:
            named = run_stage.with_options(
                name=stage.name, retries=stage.retries, retry_delay_seconds=_RETRY_DELAY_SECONDS
            )
            upstream = [futures[name] for name in stage.after]
            futures[stage.name] = named.submit(
                stage, runs, stage.name in force, wait_for=upstream, return_state=False
            )
        wait(list(futures.values()))
    except BaseException:
        runs.stop()  # cancelled: the signal reaches this thread only, not those that run stages
        raise
    return {name: future.state for name, future in futures.items()}


def main() -> None:
    """Run the flow from a shell, with a server of its own that ends with it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", dest="overrides")
    parser.add_argument("--force", action="append", metavar="STAGE")
    parser.add_argument("--data-revision", default="", metavar="REVISION")
    parser.add_argument("--promote", action="store_true")
    with server_or_own():
        state = retrain(**vars(parser.parse_args()), return_state=True)
    if not state.is_completed():
        print(f"error: {state.message}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
