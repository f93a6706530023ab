"""crossvalidate: the pipeline once for each fold, in copies of the project, under one MLflow run.

Finished folds, and finished stages of the others, are kept: after a kill the same call continues
where it stopped.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict

import pandas as pd
from prefect import State, allow_failure, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, wait
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from copies import FOLDER, make_copy, variant_key
from pocketear.base.errors import PocketearError
from pocketear.base.tables import markdown_table, write_csv
from pocketear.contracts.metrics import MetricsReport
from pocketear.contracts.names import ModelFiles, shipped_runners
from pocketear.contracts.report_file import read
from pocketear.experiments.runs import (
    PARENT_VARIABLE,
    end_parent,
    log_child,
    start_parent,
)
from pocketear.params import load_params
from server import failed, server_or_own
from stage_runs import PipelineError, Stage, StageError, StageRuns, stage_that_makes
from workspace import exclusive

METRICS = Path("reports/metrics.json")
PREDICTIONS = Path("reports/evaluation/predictions.parquet")
RESULTS = Path("reports/crossvalidation")


class FoldAccuracy(TypedDict):
    """The accuracy of one runner over the folds."""

    accuracy_mean: float
    accuracy_sd: float
    accuracy_by_fold: list[float]


@task(cache_policy=NO_CACHE)
def run_fold(copy: Path, runs: StageRuns, parent: str | None) -> State[None]:
    """Run one copy up to its metrics, and log them to MLflow."""
    try:
        last = stage_that_makes(copy, METRICS)
        runs.run(Stage(last, (), 0, None), get_run_logger().info, upstream=True)
        if parent:
            _log_fold(copy, parent)
    except (StageError, PipelineError, PocketearError) as error:
        return Failed(message=f"{copy.name}: {error}")
    return Completed()


@flow(
    name="crossvalidate",
    task_runner=ThreadPoolTaskRunner(max_workers=os.cpu_count() or 2),  # type: ignore[arg-type]
)
def crossvalidate(
    folds: int = 5,
    by: Literal["fold", "group"] = "fold",
    overrides: list[str] | None = None,
    at_once: int = 1,
) -> State[None]:
    """Test on each fold in turn, trained on the others.

    folds: how many; by: the dataset's own folds, or that many of whole groups
    overrides: parameters for all folds, as `train.epochs=5`; at_once: folds that run together
    """
    root = Path.cwd()
    try:
        with exclusive(root, "crossvalidation"):
            return _crossvalidate(root, folds, by, overrides or [], at_once)
    except (PipelineError, PocketearError) as error:
        return failed(str(error))


def _crossvalidate(
    root: Path, folds: int, by: str, overrides: list[str], at_once: int
) -> State[None]:
    folder = root / FOLDER / variant_key(root, folds, by, overrides)
    copies = [
        make_copy(root, folder / f"fold_{k}", [*overrides, *_choice(folds, by, k)])
        for k in range(1, folds + 1)
    ]
    parent = _parent_run(folder, folds)
    states = _run_all(copies, parent, at_once)
    reasons = [str(state.message) for state in states if state.name == "Failed"]
    if reasons:
        return failed("; ".join(reasons))
    _conclude(root, copies, parent)
    shutil.rmtree(folder)
    return Completed(message=f"{RESULTS}/summary.md")


def _choice(folds: int, by: str, k: int) -> list[str]:
    if by == "fold":
        return ["split.by=fold", f"split.test_fold={k}"]
    return ["split.by=group", f"split.test_share={1 / folds}", f"split.test_fold={k}"]


def _run_all(copies: list[Path], parent: str | None, at_once: int) -> list[State[None]]:
    environment = {PARENT_VARIABLE: parent} if parent else {}
    runs = [StageRuns(copy, environment) for copy in copies]
    futures: list[PrefectFuture[State[None]]] = []
    try:
        for i, copy in enumerate(copies):
            named = run_fold.with_options(name=copy.name)
            earlier = futures[i - at_once : i - at_once + 1] if i >= at_once else []
            ready = [allow_failure(future) for future in earlier]
            futures.append(named.submit(copy, runs[i], parent, wait_for=ready, return_state=False))
        wait(futures)
    except BaseException:
        for run in runs:
            run.stop()
        raise
    return [future.state for future in futures]


def _parent_run(folder: Path, folds: int) -> str | None:
    """The parent of the folds' runs; kept in a file, for a cross-validation that is continued."""
    known = folder / "parent_run"
    if known.exists():
        return known.read_text(encoding="utf-8")
    try:
        parent = start_parent(f"{folds} folds", load_params())
    except PocketearError as error:
        get_run_logger().warning("%s; the folds are not shown in MLflow", error)
        return None
    known.write_text(parent, encoding="utf-8")
    return parent


def _log_fold(copy: Path, parent: str) -> None:
    report = read(copy / METRICS, MetricsReport)
    params = load_params(copy / "params.yaml")
    try:
        model = ModelFiles(copy / "models", params.package.name).keras
        log_child(parent, copy.name, model, params, report)
    except PocketearError as error:
        get_run_logger().warning("%s; the figures of %s are in its reports only", error, copy.name)


def _conclude(root: Path, copies: list[Path], parent: str | None) -> None:
    """Mean, spread and pooled confusion, as files, in Prefect and in MLflow."""
    summary = summarise([read(copy / METRICS, MetricsReport) for copy in copies])
    predictions = pd.concat(
        [pd.read_parquet(copy / PREDICTIONS).assign(fold=copy.name) for copy in copies]
    )
    shipped = shipped_runners(load_params(root / "params.yaml").export)[0]
    confusion = pooled_confusion(predictions[predictions["runner"] == shipped])
    text = render(summary, confusion, shipped)
    folder = root / RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    predictions.to_parquet(folder / "predictions.parquet", index=False)
    write_csv(confusion, folder / "confusion.csv", index=True)
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    (folder / "summary.md").write_text(text, encoding="utf-8")
    create_markdown_artifact(text, key="crossvalidation")
    if parent:
        try:
            end_parent(parent, summary, folder)
        except PocketearError as error:
            get_run_logger().warning("%s; the results are in %s only", error, RESULTS)


def summarise(reports: Sequence[MetricsReport]) -> dict[str, FoldAccuracy]:
    """Runner -> accuracy by fold, its mean and its standard deviation over folds."""
    summary: dict[str, FoldAccuracy] = {}
    for runner, _ in reports[0].items():
        folds = [report[runner].accuracy for report in reports]
        summary[runner] = {
            "accuracy_mean": statistics.fmean(folds),
            "accuracy_sd": statistics.stdev(folds) if len(folds) > 1 else 0.0,
            "accuracy_by_fold": folds,
        }
    return summary


def pooled_confusion(predictions: pd.DataFrame) -> pd.DataFrame:
    """Every clip is tested once: label by row, prediction by column, clips counted."""
    labels = sorted(set(predictions["label"]) | set(predictions["predicted"]))
    counted = pd.crosstab(predictions["label"], predictions["predicted"])
    return counted.reindex(index=labels, columns=labels, fill_value=0)


def render(summary: Mapping[str, FoldAccuracy], confusion: pd.DataFrame, shipped: str) -> str:
    """The results in Markdown."""
    rows = [
        [
            runner,
            f"{one['accuracy_mean']:.3f} ± {one['accuracy_sd']:.3f}",
            " ".join(f"{accuracy:.3f}" for accuracy in one["accuracy_by_fold"]),
        ]
        for runner, one in summary.items()
    ]
    counts = [[str(row[0]), *map(str, row[1:])] for row in confusion.itertuples()]
    return "\n".join(
        [
            markdown_table(["file", "accuracy, mean ± sd over folds", "by fold"], rows),
            f"\nConfusion of {shipped}, all folds pooled (rows: label, columns: predicted):\n",
            markdown_table(["", *map(str, confusion.columns)], counts),
            "",
        ]
    )


def main() -> None:
    """Run the flow from a shell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--by", choices=("fold", "group"), default="fold")
    parser.add_argument("--set", action="append", metavar="NAME=VALUE", dest="overrides")
    parser.add_argument("--at-once", type=int, default=1)
    with server_or_own():
        state = crossvalidate(**vars(parser.parse_args()), return_state=True)
    if not state.is_completed():
        sys.exit(f"error: {state.message}")
    print((Path.cwd() / RESULTS / "summary.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
