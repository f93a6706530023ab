"""tracking: trainings as runs in MLflow, whether its server is there or not.

What is logged is first kept as files (journal.py); when the server does not answer, training goes
on and the files are sent by the next command that reaches it. Nothing logged here is read by a
later stage: no artefact depends on a run. Only delivery.py, registry.py, serving.py and this file
know mlflow.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketear.base.errors import TrackingError
from pocketear.experiments.client import (
    ServerAwayError,
    address,
    deliver,
    experiment_id,
    log_figures,
    now_ms,
    reaching,
    say,
)
from pocketear.experiments.journal import Event, Journal, left_behind
from pocketear.experiments.provenance import file_sha256, start_event
from pocketear.params import Params

if TYPE_CHECKING:
    from mlflow import MlflowClient

PENDING = Path(".pocketear/pending-runs")
MODEL_TAG = "pocketear.model_sha256"  # of model.keras: how a model finds the run that trained it
JOURNAL_TAG = "pocketear.journal"


class TrainingRun:
    """What a training tells the tracking server, epoch by epoch."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._run_id: str | None = None
        self._live = True

    def on_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of one epoch, each as `training.NAME`: `accuracy` is the test side's."""
        values = {f"training.{name}": float(value) for name, value in metrics.items()}
        self._record({"kind": "metrics", "step": epoch, "time": now_ms(), "metrics": values})

    def log_artifacts(self, path: Path, into: str = "") -> None:
        """Log a file, or what a folder holds, below `into` among the run's artefacts."""
        kept = self._journal.keep(path)
        self._record({"kind": "artifacts", "time": now_ms(), "path": kept, "into": into})

    def log_model(self, model: Path) -> None:
        """Mark the run as the one that trained the file `model`, so that `register` finds it."""
        self._record({"kind": "tags", "time": now_ms(), "tags": {MODEL_TAG: file_sha256(model)}})

    def _record(self, event: Event) -> None:
        self._journal.append(event)
        if not self._live:
            return
        try:
            with reaching() as client:
                self._run_id = self._run_id or _run_of(client, self._journal.name, event["time"])
                deliver(client, self._run_id, event, self._journal.folder)
        except (TrackingError, OSError) as error:
            self._live = False
            say(f"{error}; training goes on, the run is kept in {PENDING} and sent later")

    def _end(self, status: str) -> None:
        self._record({"kind": "end", "status": status, "time": now_ms()})
        if self._live:
            self._journal.discard()
        else:
            self._journal.close()


@contextmanager
def training_run(params: Params, dataset: Path) -> Iterator[TrainingRun]:
    """One run in MLflow around a training.

    dataset: the file or folder that is trained on, logged with the hash that DVC knows it by
    """
    address()  # a wrong address is told before the training, not after it
    send_pending()
    run = TrainingRun(Journal.create(PENDING))
    run._record(start_event(params, dataset))
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        run._end(status)


def send_pending() -> int:
    """Send the runs that were kept while the server was away; how many arrived."""
    sent = 0
    for journal in left_behind(PENDING):
        try:
            with reaching() as client:
                _send(client, journal)
        except ServerAwayError as error:
            say(f"{error}; the runs in {PENDING} are sent later")
            break
        except (TrackingError, OSError) as error:
            say(f"{error}; delete {journal.folder} if the run is not worth keeping")
            continue
        journal.discard()
        sent += 1
    if sent:
        say(f"{sent} run(s) kept in {PENDING} sent to MLflow at {address()}")
    return sent


def find_or_make_run(client: "MlflowClient", model_sha256: str, params: Params) -> str:
    """The id of the run that trained a model; a new run where its training is not known here.

    That is so when the model came out of DVC's cache, trained on another machine.
    """
    experiment = experiment_id(client)
    runs = client.search_runs(
        [experiment],
        f"tags.`{MODEL_TAG}` = '{model_sha256}'",
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    if runs:
        return str(runs[0].info.run_id)
    run = client.create_run(
        experiment, tags={MODEL_TAG: model_sha256, "pocketear.trained": "elsewhere"}
    )
    run_id = str(run.info.run_id)
    deliver(client, run_id, start_event(params, None), Path())
    client.set_terminated(run_id, "FINISHED")
    return run_id


def start_parent(name: str, params: Params) -> str:
    """A run for several trainings that belong together; they name it in POCKETEAR_PARENT_RUN."""
    with reaching() as client:
        run_id = str(client.create_run(experiment_id(client)).info.run_id)
        deliver(client, run_id, start_event(params, None), Path())
        client.set_tag(run_id, "mlflow.runName", name)
        return run_id


def log_child(parent: str, name: str, model: Path, params: Params, figures: Any) -> None:
    """Give the run below `parent` that trained `model` its name and its figures.

    Where the training came out of DVC's cache there is no such run: it is made.
    """
    with reaching() as client:
        sha256 = file_sha256(model)
        belongs = f"tags.`mlflow.parentRunId` = '{parent}' and tags.`{MODEL_TAG}` = '{sha256}'"
        runs = client.search_runs([experiment_id(client)], belongs, max_results=1)
        if runs:
            run_id = str(runs[0].info.run_id)
        else:
            tags = {MODEL_TAG: sha256, "mlflow.parentRunId": parent}
            run_id = str(client.create_run(experiment_id(client), tags=tags).info.run_id)
            deliver(client, run_id, start_event(params, None), Path())
        client.set_tag(run_id, "mlflow.runName", name)
        log_figures(client, run_id, figures)
        client.set_terminated(run_id, "FINISHED")


def end_parent(parent: str, figures: Any, folder: Path) -> None:
    """Log the figures over all children and a folder of results, and end the run."""
    with reaching() as client:
        log_figures(client, parent, figures)
        client.log_artifacts(parent, str(folder))
        client.set_terminated(parent, "FINISHED")


def _send(client: "MlflowClient", journal: Journal) -> None:
    events = journal.events()
    if not events:  # killed before it began
        return
    run_id = _run_of(client, journal.name, events[0]["time"])
    for event in events:
        deliver(client, run_id, event, journal.folder)
    if events[-1]["kind"] != "end":  # its process was killed
        client.set_terminated(run_id, "KILLED", events[-1]["time"])


def _run_of(client: "MlflowClient", journal: str, time_ms: int) -> str:
    experiment = experiment_id(client)
    runs = client.search_runs([experiment], f"tags.`{JOURNAL_TAG}` = '{journal}'", max_results=1)
    if runs:
        return str(runs[0].info.run_id)
    return str(client.create_run(experiment, time_ms, {JOURNAL_TAG: journal}).info.run_id)
