"""results: what a retrain shows in Prefect, and its last task, which promotes the new version."""

import os
from pathlib import Path

from prefect import State, get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.states import Completed, Failed

from pocketear.base.errors import DataError, DemonstrationError, PocketearError
from pocketear.base.tables import markdown_text
from pocketear.contracts.registered import Registered
from pocketear.contracts.report_file import read, read_if_made
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.evaluation.wording import gate_text
from pocketear.experiments import promotion, registry
from pocketear.params import load_params

VERDICT = Path("reports/verdict.json")
REPORT = Path("reports/report.html")
REGISTERED = Path("reports/registered.json")
REPORTS_ADDRESS = "POCKETEAR_REPORTS_ADDRESS"  # where reports/ is served, if it is (flows/serve.py)


@task(name="show verdict")
def show_verdict(root: Path) -> None:
    """The verdict as a table, failed gates first."""
    try:
        verdict = read(root / VERDICT, Verdict)
    except DataError as error:
        get_run_logger().warning("no verdict shown: %s", error)
        return
    summary = "; ".join([verdict.word, *verdict.reasons])
    get_run_logger().info("verdict: %s", summary)
    rows = [_row(gate) for gate in sorted(verdict.gates, key=lambda gate: gate.passed)]
    create_table_artifact(rows, key="verdict", description=markdown_text(summary))


def reasons_of_refusal(root: Path) -> str:
    """Why the verdict refused; "" if it did not, or there is none."""
    try:
        verdict = read_if_made(root / VERDICT, Verdict)
    except DataError as error:
        return str(error)
    return "; ".join(verdict.reasons) if verdict else ""


def _row(gate: Gate) -> dict[str, str]:
    text = gate_text(gate)
    result = "passed" if gate.passed else "failed"
    return {"gate": text.name, "result": result, "value": text.value, "limit": text.limit}


@task(name="show report")
def show_report(page: Path) -> None:
    """A link to a report page among the project's reports."""
    served, (folder, *_) = os.environ.get(REPORTS_ADDRESS), REPORT.parents
    place = page.as_posix().rpartition(f"/{folder}/")[2]
    link = f"{served}/{place}" if served else page.as_uri()
    create_link_artifact(link, "report page", key="report")


@task(name="compare with champion")
def compare_with_champion(root: Path) -> None:
    """The new version against the champion, on the same clips."""
    if not (root / VERDICT).exists():
        return
    params = load_params(root / "params.yaml")
    try:
        found = promotion.compare(params, "champion", _registered(root))
    except PocketearError as error:  # no champion yet, or no common clip: nothing to compare
        get_run_logger().info("not compared with the champion: %s", error)
        return
    text = promotion.render_comparison(found)
    create_markdown_artifact(text, key="champion-and-challenger")


@task(name="promote")
def promote_registered(root: Path) -> State[None]:
    """Make the version of this run the champion; the state says why if it is refused."""
    try:
        version = promotion.promote(load_params(root / "params.yaml"), _registered(root))
    except DemonstrationError as error:  # nothing is wrong: there is nothing to ship yet
        return Completed(message=f"not promoted: {error}")
    except PocketearError as error:
        return Failed(message=f"not promoted: {error}")
    return Completed(message=f"{version.name} version {version.version} is the champion")


def _registered(root: Path) -> str:
    """The number of the version that `register` made of what is in `root`.

    Not the challenger, which another run may have become meanwhile.
    raises: DataError, TrackingError if there is none
    """
    found = read(root / REGISTERED, Registered)
    return registry.find_identity(found.name, found.identity).version
