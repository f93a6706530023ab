"""results: what a retrain shows in Prefect, and its last task, which makes a champion."""

import json
import os
from pathlib import Path

from prefect import State, get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.states import Completed, Failed

from pocketear.base.errors import PocketearError
from pocketear.experiments import promotion
from pocketear.experiments.candidate import gate_cells
from pocketear.params import load_params

VERDICT = Path("reports/verdict.json")
REPORT = Path("reports/report.html")
REPORTS_ADDRESS = "POCKETEAR_REPORTS_ADDRESS"  # where reports/ is served, if it is (flows/serve.py)


@task(name="show verdict")
def show_verdict(root: Path) -> None:
    """The verdict as a table, its reasons first."""
    if not (root / VERDICT).exists():
        return
    verdict = json.loads((root / VERDICT).read_text(encoding="utf-8"))
    word = "accepted" if verdict["accepted"] else "refused"
    get_run_logger().info("verdict: %s", "; ".join([word, *verdict["reasons"]]))
    rows = [
        dict(zip(("gate", "result", "value", "limit"), gate_cells(gate), strict=True))
        for gate in sorted(verdict["gates"], key=lambda gate: bool(gate["passed"]))
    ]
    create_table_artifact(rows, key="verdict", description="; ".join([word, *verdict["reasons"]]))


@task(name="show report")
def show_report(root: Path) -> None:
    """A link to the report page."""
    page = root / REPORT
    if page.exists():
        served = os.environ.get(REPORTS_ADDRESS)
        link = f"{served}/{page.name}" if served else page.as_uri()
        create_link_artifact(link, "report page", key="report")


@task(name="compare with champion")
def compare_with_champion(root: Path) -> None:
    """The new version against the champion, on the same clips."""
    if not (root / VERDICT).exists():
        return
    params = load_params(root / "params.yaml")
    try:
        found = promotion.compare(params, "champion", "challenger")
    except PocketearError as error:  # no champion yet, or no common clip: nothing to compare
        get_run_logger().info("not compared with the champion: %s", error)
        return
    text = promotion.render_comparison(found)
    create_markdown_artifact(text, key="champion-and-challenger")


@task(name="promote")
def promote_challenger(root: Path) -> State[None]:
    """Make the new version the champion; the state says why where promotion refuses."""
    try:
        version = promotion.promote(load_params(root / "params.yaml"))
    except PocketearError as error:
        return Failed(message=f"not promoted: {error}")
    return Completed(message=f"{version.name} version {version.version} is the champion")
