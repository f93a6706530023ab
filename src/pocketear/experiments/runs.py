"""runs: trainings as runs in MLflow, whether its server answers or not.

If it does not, the training goes on and the rest of its run is kept on disk (journal.py), to be
sent by the next command that reaches the server. No artefact depends on anything logged here.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pocketear.base.addresses import redacted
from pocketear.base.archive import sha256
from pocketear.base.errors import DataError, PocketearError, TrackingError
from pocketear.base.files import without_links
from pocketear.base.home import home
from pocketear.base.yaml_text import read_yaml
from pocketear.experiments.client import (
    ServerUnavailableError,
    address,
    connect,
    experiment_id,
    note,
    scalars,
)
from pocketear.experiments.journal import DatasetUse, Event, Journal, left_behind
from pocketear.params import Params

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, InputTag

PENDING = Path(".pocketear/pending-runs")  # below home()
PARENT_VARIABLE = "POCKETEAR_PARENT_RUN"  # environment: the run that new runs are children of
MODEL_TAG = "pocketear.model_sha256"  # of model.keras: how a model finds the run that trained it
BACKBONE_TAG = "pocketear.backbone_sha256"  # of the file that a pretrained network started from
_INDEX = "index.parquet"  # of a feature store
_SIDES = {"train": "train", "val": "validation", "test": "test"}  # of a store -> MLflow's words
_KINDS = {"i": "long", "u": "long", "f": "double", "b": "boolean"}  # NumPy's -> MLflow's
_BATCH = 100  # parameters or tags that MLflow takes in one request; it takes more metrics
_JOURNAL_TAG = "pocketear.journal"
_PARENT_TAG, _NAME_TAG = "mlflow.parentRunId", "mlflow.runName"


class TrainingRun:
    """One training's run: its events go to MLflow, or to a journal once MLflow does not answer."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._run_id = ""
        self._live = True

    def on_epoch(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """Log the metrics of one epoch, each as `training/NAME`: `accuracy` is the test side's."""
        values = {f"training/{name}": float(value) for name, value in metrics.items()}
        self.log(Event(metrics=values, step=epoch))

    def log_artifacts(self, path: Path, into: str = "") -> None:
        """Log a file, or the content of a folder, below `into` among the run's artefacts."""
        self.log(Event(artifact=path, into=into))

    def log_model(self, model: Path) -> None:
        """Mark the run as the one that trained the file `model`, so that `register` finds it."""
        self.log(Event(tags={MODEL_TAG: sha256(model.read_bytes())}))

    def log_backbone(self, digest: str) -> None:
        """Tag the run with the SHA-256 of the file that its network started from."""
        self.log(Event(tags={BACKBONE_TAG: digest}))

    def log(self, event: Event) -> None:
        """Send an event; keep it if MLflow does not take it, or has not taken one before."""
        if self._live:
            try:
                with connect() as client:
                    self._run_id = self._run_id or _run_of(client, self._journal, event.time)
                    deliver(client, self._run_id, event)
            except (TrackingError, OSError) as error:
                self._live = False
                note(f"{error}; training goes on, the run is kept in {PENDING} and sent later")
        if self._live:
            self._journal.folder.touch()  # its time is when the run was last alive
        else:
            self._journal.append(event)

    def end(self, status: str) -> None:
        """End the run. status: FINISHED, FAILED or KILLED"""
        self.log(Event(status=status))
        if self._live:
            self._journal.discard()
        else:
            self._journal.lock.release()


@contextmanager
def training_run(params: Params, dataset: Path) -> Iterator[TrainingRun]:
    """One run in MLflow around a training.

    dataset: the file or feature store that is trained on: its sides are logged, with DVC's hash
    raises: TrackingError if MLFLOW_TRACKING_URI is not an address
    """
    address()  # a wrong address fails before the training, not after it
    send_pending()
    run = TrainingRun(Journal.create(home() / PENDING))
    run.log(_start(params, dataset))
    status = "FAILED"
    try:
        yield run
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        run.end(status)


def send_pending() -> int:
    """Send the runs that were kept while the server did not answer. returns: how many arrived"""
    sent = 0
    for journal in left_behind(home() / PENDING):
        try:
            with connect() as client:
                _send(client, journal)
        except ServerUnavailableError as error:
            note(f"{error}; the runs in {PENDING} are sent later")
            break
        except (PocketearError, OSError) as error:
            note(f"{error}; delete {journal.folder} if the run is not worth keeping")
            continue
        journal.discard()
        sent += 1
    if sent:
        note(f"{sent} run(s) kept in {PENDING} sent to MLflow at {redacted(address())}")
    return sent


def find_or_make_run(client: "MlflowClient", tags: Mapping[str, str], params: Params) -> str:
    """The id of the run with these tags; a new, finished run if this server knows none.

    That is so if a model came out of DVC's cache, trained on another machine.
    """
    found = _find_run(client, tags)
    if found:
        return found
    made = {**tags, "pocketear.trained": "elsewhere"}
    run_id = str(client.create_run(experiment_id(client), tags=made).info.run_id)
    deliver(client, run_id, _start(params).model_copy(update={"status": "FINISHED"}))
    return run_id


def start_parent(name: str, params: Params) -> str:
    """Start a run for trainings that belong together; each finds its id in PARENT_VARIABLE."""
    with connect() as client:
        run_id = str(client.create_run(experiment_id(client)).info.run_id)
        deliver(client, run_id, _start(params))
        client.set_tag(run_id, _NAME_TAG, name)
        return run_id


def log_child(parent: str, name: str, model: Path, params: Params, figures: object) -> None:
    """Give the run below `parent` that trained `model` its name and its figures.

    figures: a report, or numbers by name
    """
    tags = {MODEL_TAG: sha256(model.read_bytes()), _PARENT_TAG: parent}
    with connect() as client:
        run_id = find_or_make_run(client, tags, params)
        deliver(client, run_id, Event(tags={_NAME_TAG: name}, metrics=scalars(figures)))


def log_trial(parent: str, name: str, params: Params, figures: object) -> None:
    """A finished run below `parent` for a recipe that was tried, and made no model."""
    with connect() as client:
        run_id = str(client.create_run(experiment_id(client)).info.run_id)
        begun = _start(params)
        tags = {**begun.tags, _NAME_TAG: name, _PARENT_TAG: parent}
        event = begun.model_copy(
            update={"tags": tags, "metrics": scalars(figures), "status": "FINISHED"}
        )
        deliver(client, run_id, event)


def end_parent(parent: str, figures: object, folder: Path | None = None) -> None:
    """Log the figures over all children and a folder of results, and end the run."""
    with connect() as client:
        results = Event(metrics=scalars(figures), artifact=folder, status="FINISHED")
        deliver(client, parent, results)


def deliver(client: "MlflowClient", run_id: str, event: Event, folder: Path = Path()) -> None:
    """Log one event. folder: that the path of its artefact is relative to

    To log it again, after an answer that was lost, changes nothing.
    """
    from mlflow.entities import DatasetInput, Metric, Param, RunTag

    tags = [RunTag(*tag) for tag in event.tags.items()]
    params = [Param(*param) for param in event.params.items()]
    metrics = [Metric(*metric, event.time, event.step) for metric in event.metrics.items()]
    for first in range(0, max(len(tags), len(params), len(metrics)), _BATCH):
        part = slice(first, first + _BATCH)
        client.log_batch(run_id, metrics[part], params[part], tags[part])
    if event.datasets:
        inputs = [DatasetInput(_dataset(one), _input_tags(one)) for one in event.datasets]
        client.log_inputs(run_id, inputs)
    if event.artifact:
        with without_links(folder / event.artifact) as path:  # MLflow refuses links out of a folder
            log = client.log_artifacts if path.is_dir() else client.log_artifact
            log(run_id, str(path), event.into or None)
    if event.status:
        client.set_terminated(run_id, event.status, event.time)


def _dataset(used: DatasetUse) -> "Dataset":
    from mlflow.entities import Dataset

    columns = [{"name": name, "type": kind} for name, kind in used.columns.items()]
    return Dataset(
        used.name, used.digest, "local", json.dumps({"uri": used.source}),
        json.dumps({"mlflow_colspec": columns}) if columns else None,
        json.dumps(used.profile) if used.profile else None,
    )  # fmt: skip


def _input_tags(used: DatasetUse) -> "list[InputTag]":
    from mlflow.entities import InputTag

    return [InputTag("mlflow.data.context", used.use), InputTag("dvc_hash", used.digest)]


def datasets(params: Params, trained_on: Path) -> tuple[DatasetUse, ...]:
    """The sides of a feature store, each by label and group; of another file, itself."""
    digest, source = dvc_hash(trained_on), params.data.path.as_posix()
    if not (trained_on / _INDEX).is_file():
        return (DatasetUse(use="train", name=trained_on.name, digest=digest, source=source),)
    index = pd.read_parquet(trained_on / _INDEX)
    kinds = {name: _KINDS.get(column.dtype.kind, "string") for name, column in index.items()}
    columns = {str(name): kind for name, kind in kinds.items()}
    return tuple(
        DatasetUse(
            use=use, name=f"{Path(source).name}, {use}", digest=digest, source=source,
            columns=columns, profile=_profile(index[index["split"] == side]),
        )
        for side, use in _SIDES.items()
    )  # fmt: skip


def _profile(clips: pd.DataFrame) -> dict[str, int | dict[str, int]]:
    by_label = clips.groupby("label")
    return {
        "clips": len(clips),
        "groups": int(clips["group"].nunique()),
        "clips_by_label": {str(label): len(rows) for label, rows in by_label},
        "groups_by_label": {str(label): rows["group"].nunique() for label, rows in by_label},
    }


def dvc_hash(path: Path) -> str:
    """The hash by which DVC knows a file or folder, else the SHA-256 of a file, shortened alike."""
    pointer = path.with_name(f"{path.name}.dvc")
    known: dict[str, str | None] = {}
    for stage in _yaml(Path("dvc.lock")).get("stages", {}).values():
        known |= {out["path"]: out.get("md5") for out in stage.get("outs", [])}
    for out in _yaml(pointer).get("outs", []):
        known[(pointer.parent / out["path"]).as_posix()] = out.get("md5")
    own = sha256(path.read_bytes())[:32] if path.is_file() else "unknown"
    return known.get(path.as_posix()) or own


def _yaml(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        found = read_yaml(path.read_text(encoding="utf-8"), path)
    except ValueError as error:
        raise DataError(str(error)) from error
    return found if isinstance(found, dict) else {}


def _start(params: Params, dataset: Path | None = None) -> Event:
    """The first event of a run: what it came from."""
    # dvc.lock changes while DVC runs stages: of a clean clone no commit has what it holds now
    changed = _git("status", "--porcelain", "--", ".", ":!dvc.lock")
    tags = {
        _NAME_TAG: f"{params.package.name} {time.strftime('%Y-%m-%d %H:%M:%S')}",
        "mlflow.source.name": "dvc.yaml",
        "mlflow.source.type": "PROJECT",
        "mlflow.source.git.commit": _git("rev-parse", "HEAD"),
        "pocketear.uncommitted_changes": str(bool(changed)).lower(),
        "pocketear.dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
        _PARENT_TAG: os.environ.get(PARENT_VARIABLE, ""),
    }
    return Event(
        tags={name: value for name, value in tags.items() if value},
        params=_flat(params),
        datasets=datasets(params, dataset) if dataset else (),
    )


def _flat(params: Params) -> dict[str, str]:
    """The parameters as `section.name` -> text, as params.yaml has them."""
    flat = {}
    for section, values in params.model_dump(mode="json").items():
        named = values if isinstance(values, dict) else {"": values}
        for name, value in named.items():
            text = json.dumps(value) if isinstance(value, list) else str(value)
            flat[f"{section}.{name}".rstrip(".")] = text
    return flat


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git here: the run goes without its commit
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _send(client: "MlflowClient", journal: Journal) -> None:
    events = journal.events()
    if not events and not _find_run(client, {_JOURNAL_TAG: journal.folder.name}):
        return  # killed before it began
    last_alive = events[-1].time if events else int(1000 * journal.folder.stat().st_mtime)
    run_id = _run_of(client, journal, events[0].time if events else last_alive)
    for event in events:
        deliver(client, run_id, event, journal.folder)
    if client.get_run(run_id).info.status == "RUNNING":  # its process was killed
        client.set_terminated(run_id, "KILLED", last_alive)


def _run_of(client: "MlflowClient", journal: Journal, time_ms: int) -> str:
    """The id of a journal's run; made, as begun at `time_ms`, if it is not there yet."""
    tags = {_JOURNAL_TAG: journal.folder.name}
    found = _find_run(client, tags)
    return found or str(client.create_run(experiment_id(client), time_ms, tags).info.run_id)


def _find_run(client: "MlflowClient", tags: Mapping[str, str]) -> str:
    """The id of the newest run that has these tags; "" if there is none."""
    found = client.search_runs(
        [experiment_id(client)],
        " and ".join(f"tags.`{name}` = '{value}'" for name, value in tags.items()),
        order_by=["attributes.start_time DESC"],
        max_results=1,
    )
    return str(found[0].info.run_id) if found else ""
