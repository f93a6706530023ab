"""delivery: the tracking server, and how it is given the events of a run.

Where it is: MLFLOW_TRACKING_URI, else `mlflow.db` and `mlartifacts/` in the project's folder.
"""

import json
import os
import re
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketear.base.errors import TrackingError
from pocketear.experiments.journal import Event
from pocketear.report.figures import scalars

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "pocketear"
_SETTINGS = {  # read by mlflow when it is imported; a value that the user has set stays
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
_NETWORK = ("requests.", "urllib3.")  # modules whose every error is one of a network
_LINE = 200  # characters of an error that are shown
_BATCH = 100  # parameters that MLflow takes in one request


class ServerAwayError(TrackingError):
    """The tracking server does not answer, now."""


def address() -> str:
    """Where runs are kept.

    raises: TrackingError if MLFLOW_TRACKING_URI is not an address that MLflow can use
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path.cwd() / 'mlflow.db'}"
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme not in _SCHEMES:
        known = ", ".join(_SCHEMES[:4])
        raise TrackingError(
            f"MLFLOW_TRACKING_URI: {uri!r} is not an address of MLflow; want {known} …"
        )
    return uri


@contextmanager
def reaching() -> Iterator["MlflowClient"]:
    """A client of the tracking server, whose failures become one clear line.

    raises: ServerAwayError if it may answer later, TrackingError if it refused; an error of a file
        of ours stays what it is
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    from alembic.util.exc import CommandError
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    uri = address()
    shown = re.sub(r"//[^/@]*@", "//…@", uri)  # a name and a password are nobody's business
    try:
        yield MlflowClient(uri, registry_uri=uri)
    except ModuleNotFoundError as error:  # SQLAlchemy's driver of that database
        raise TrackingError(
            f"MLFLOW_TRACKING_URI: {shown} needs the Python module {error.name}; "
            "docs/more-than-one-machine.md says more"
        ) from error
    except (MlflowException, SQLAlchemyError, CommandError, OSError) as error:
        if _is_away(error):
            reason = _first_line(_root(error))
            raise ServerAwayError(f"MLflow at {shown} does not answer: {reason}") from error
        if isinstance(error, OSError):
            raise
        reason = _first_line(error)
        raise TrackingError(f"MLflow at {shown} refused: {reason}") from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:_LINE]


def _root(error: BaseException) -> BaseException:
    """What it all began with: a refused connection says more than what was made of it."""
    while before := error.__cause__ or error.__context__:
        error = before
    return error


def _is_away(error: BaseException | None) -> bool:
    """Whether a network, or a database that cannot be reached or written now, is behind an error.

    Not so a file that is missing, or an address or a database that will never do.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy import exc

    network = (ConnectionError, TimeoutError, socket.gaierror)
    database = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
    while error:
        if isinstance(error, MlflowException):
            if error.error_code in ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED"):
                return True
        elif isinstance(error, network + database) or type(error).__module__.startswith(_NETWORK):
            return True
        error = error.__cause__ or error.__context__
    return False


def experiment_id(client: "MlflowClient") -> str:
    """The experiment that all runs are in, made at first use."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment:
        return str(experiment.experiment_id)
    scheme, _, database = address().partition(":///")
    # a server keeps artefacts where it was told to; a database of our own has them beside it
    place = Path(database).parent / "mlartifacts" if scheme == "sqlite" else None
    location = place.absolute().as_uri() if place else None
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def deliver(client: "MlflowClient", run_id: str, event: Event, folder: Path) -> None:
    """Give MLflow one event. To give it twice changes nothing."""
    from mlflow.entities import Metric

    if event["kind"] == "start":
        _deliver_start(client, run_id, event)
    elif event["kind"] == "metrics":
        step, when = event["step"], event["time"]
        metrics = [Metric(name, value, when, step) for name, value in event["metrics"].items()]
        client.log_batch(run_id, metrics=metrics)
    elif event["kind"] == "tags":
        _set_tags(client, run_id, event["tags"])
    elif event["kind"] == "artifacts":
        path = folder / event["path"]
        log = client.log_artifacts if path.is_dir() else client.log_artifact
        log(run_id, str(path), event["into"] or None)
    elif event["kind"] == "end":
        client.set_terminated(run_id, event["status"], event["time"])


def _deliver_start(client: "MlflowClient", run_id: str, event: Event) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Param

    _set_tags(client, run_id, event["tags"])
    params = [Param(name, value) for name, value in event["params"].items()]
    for first in range(0, len(params), _BATCH):
        client.log_batch(run_id, params=params[first : first + _BATCH])
    data = event.get("dataset")
    if not data:
        return
    source = json.dumps({"uri": data["path"]})
    dataset = Dataset(data["name"], data["digest"], "local", source)
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("dvc_hash", data["digest"])])])


def _set_tags(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def log_figures(client: "MlflowClient", run_id: str, figures: Any) -> None:
    """Log every number of a report, with the time as it is now."""
    from mlflow.entities import Metric

    now = now_ms()
    metrics = [Metric(name, value, now, 0) for name, value in scalars(figures).items()]
    client.log_batch(run_id, metrics=metrics)


def now_ms() -> int:
    """The time as MLflow counts it, in ms."""
    return time.time_ns() // 1_000_000


def say(line: str) -> None:
    """Tell the user one line that is not a result."""
    print(f"note: {line}", file=sys.stderr, flush=True)
