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
from prefect.runtime import flow_run
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from copies import temporary_copy, variant_key
from keep import apply_experiment, bring_back, keep_page, save_experiment
from results import (
    REPORT,
    VERDICT,
    compare_with_champion,
    promote_registered,
    reasons_of_refusal,
    show_report,
    show_verdict,
)
from server import drop_empty_tracebacks, failed, server_or_own
from stage_runs import PipelineError, Stage, StageError, StageRuns, read_stages, stage_that_makes
from workspace import run_dvc, use_data_of

WORKERS = os.cpu_count() or 2
_RETRY_DELAY_SECONDS = 5


def prepare(copy: Path, force: list[str]) -> list[Stage]:
    """Read the stages, and take what DVC has of their outputs.

    raises: PipelineError if one of `force` does not exist
    """
    stages = read_stages(copy)
    unknown = sorted(set(force) - {stage.name for stage in stages})
    if unknown:
        known = ", ".join(stage.name for stage in stages)
        raise PipelineError(f"force: no stage {', '.join(unknown)}; dvc.yaml has {known}")
    run_dvc(copy, "checkout", "--quiet", "--force", "--allow-missing")
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
    apply: bool = False,
) -> State[None]:
    """Bring every stage of dvc.yaml up to date, in a copy of the project.

    With other parameters or data the result is a DVC experiment, named like this run; else it is
    brought into the workspace.

    overrides: parameters of this run, as `train.epochs=5`
    force: stages to run even if they are up to date
    data_revision: the Git revision whose data/ is used; empty: as it is in the workspace
    promote: make the new version the champion, if it is no worse on the same clips
    apply: bring an experiment into the workspace too, parameters and all
    """
    root = Path.cwd()
    drop_empty_tracebacks()
    experiment = str(flow_run.get_name()) if overrides or data_revision else ""
    try:
        with temporary_copy(root, overrides or []) as copy:
            key = variant_key(root)
            use_data_of(root, copy, data_revision)
            stages = prepare(copy, force or [])
            states = _run_all(stages, StageRuns(copy), set(force or []))
            reasons = [str(state.message) for state in states.values() if state.name == "Failed"]
            if not reasons:
                _keep(root, copy, key, experiment)
            _show(root, copy, states, experiment)
            if reasons:
                return failed("; ".join(reasons))
            if apply and experiment:
                apply_experiment(root, experiment)
            return _conclude(copy, states, promote=promote)
    except PipelineError as error:  # a state: its message is the one line to read
        return failed(str(error))


def _keep(root: Path, copy: Path, key: str, experiment: str) -> None:
    """Keep what the copy has made. key: of the project when the copy was made"""
    log = get_run_logger()
    if experiment:
        try:
            save_experiment(copy, root, experiment)
            log.info("saved as the experiment %s: dvc exp show", experiment)
        except PipelineError as error:
            log.warning("not saved as a DVC experiment: %s", error)
    elif variant_key(root) == key:
        bring_back(copy, root)
    else:
        log.warning("files of the project changed meanwhile: `dvc repro` brings the results")


def _show(root: Path, copy: Path, states: dict[str, State[None]], experiment: str) -> None:
    """Verdict and page, if this run made them or found them up to date."""
    if _is_of_this_run(VERDICT, copy, states):
        show_verdict(copy)
    if _is_of_this_run(REPORT, copy, states):
        page = copy / REPORT
        show_report(keep_page(page, root, experiment) if experiment else root / REPORT)


def _is_of_this_run(path: Path, copy: Path, states: dict[str, State[None]]) -> bool:
    """Whether the stage that makes it has ended well; else what lies there is of an earlier run."""
    try:
        return states[stage_that_makes(copy, path)].is_completed()
    except PipelineError:
        return False


def _conclude(copy: Path, states: dict[str, State[None]], *, promote: bool) -> State[None]:
    """Compare the new version with the champion; promote it if requested."""
    ran = [name for name, state in states.items() if state.name != "Cached"]
    if ran or promote:
        compare_with_champion(copy)
    refusal = reasons_of_refusal(copy)
    if refusal:
        return failed(f"refused: {refusal}", name="Refused")
    message = f"ran {', '.join(ran)}" if ran else "all stages were up to date"
    if promote:
        promoted = promote_registered(copy, return_state=True)
        if promoted.is_failed():
            return failed(str(promoted.message))
        message = f"{message}; {promoted.message}"
    return Completed(message=message)


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
    parser.add_argument("--apply", action="store_true")
    with server_or_own():
        state = retrain(**vars(parser.parse_args()), return_state=True)
    if not state.is_completed():
        print(f"error: {state.message}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
