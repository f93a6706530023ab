"""client: a client of the MLflow server, and its errors as one clear line.

The server is at MLFLOW_TRACKING_URI; without it, runs are kept in `mlflow.db` and `mlartifacts/` in
the project's folder, also by an experiment that runs in a copy of it.
"""

import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pydantic import BaseModel

from pocketear.base.addresses import names_secret, redacted
from pocketear.base.errors import TrackingError
from pocketear.base.home import home
from pocketear.experiments.moved import ARTIFACTS, follow

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "pocketear"
DATABASE = "mlflow.db"  # in the project's folder, where no server is named
_SETTINGS = {  # a value that the user has set stays
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_UV_AUTO_DETECT": "false",  # else uv.lock goes into every model
    "GIT_PYTHON_REFRESH": "quiet",
}
_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
_NETWORK = ("requests.", "urllib3.")  # modules whose every error is a network's
_LINE = 200  # characters of an error that are shown


class ServerUnavailableError(TrackingError):
    """The MLflow server does not answer now, and may answer later."""


def address() -> str:
    """Where runs are kept, as an address of MLflow.

    raises: TrackingError if MLFLOW_TRACKING_URI is not one
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or _beside()
    scheme = uri.partition(":")[0].partition("+")[0]
    if scheme not in _SCHEMES:
        known = ", ".join(_SCHEMES[:4])
        raise TrackingError(
            f"MLFLOW_TRACKING_URI: {redacted(uri)} is not an address of MLflow; want {known} …"
        )
    if not _is_clear(uri):
        raise TrackingError(
            f"MLFLOW_TRACKING_URI: {redacted(uri)} has no host and port that can be read; "
            "percent-encode special characters of a password"
        )
    return uri


def _beside() -> str:
    """The address of the database in the project's folder, whatever that is called."""
    path = str(home().absolute() / DATABASE)
    # behind a question mark are the options of a database, and nothing can stand for one
    return f"sqlite:///{home() / DATABASE if '?' in path else path}"


def _is_clear(uri: str) -> bool:
    """Whether every library reads the same host from it, not a part of a password as one."""
    try:
        parts = urlsplit(uri)
        return parts.netloc.count("@") < 2 and (parts.port or 0) >= 0
    except ValueError:  # a port that is not a number, or an open bracket
        return False


@contextmanager
def connect() -> Iterator["MlflowClient"]:
    """A client of the server; its failures within the block become one clear line.

    raises: ServerUnavailableError if the server may answer later, TrackingError if it refused; an
        OSError of a local file stays what it is
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)  # before mlflow is imported
    # it repeats a database's errors, which may name a part of the address
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.ERROR)
    from alembic.util.exc import CommandError
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # the setting counts only as mlflow is imported, which others may have done before
    logging.getLogger("mlflow").setLevel(os.environ["MLFLOW_LOGGING_LEVEL"].upper())
    uri = address()
    shown = redacted(uri)
    try:
        if not os.environ.get("MLFLOW_TRACKING_URI") and (home() / DATABASE).is_file():
            follow(uri, (home() / ARTIFACTS).absolute(), EXPERIMENT)
        yield MlflowClient(uri, registry_uri=uri)
    except ModuleNotFoundError as error:  # SQLAlchemy's driver for that database
        raise TrackingError(
            f"MLFLOW_TRACKING_URI: {shown} needs the Python module {error.name}; "
            "docs/more-than-one-machine.md says more"
        ) from error
    except (MlflowException, SQLAlchemyError, CommandError, OSError) as error:
        causes = list(_causes(error))
        if any(map(_is_outage, causes)):  # the first cause says more than what was raised from it
            reason = _reason(causes[-1], uri)
            raise ServerUnavailableError(f"MLflow at {shown} does not answer: {reason}") from error
        if isinstance(error, OSError):
            raise
        raise TrackingError(f"MLflow at {shown} refused: {_reason(error, uri)}") from error


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__ or error.__context__


def _is_outage(error: BaseException) -> bool:
    """Whether it is a network's, or of a database that cannot be reached or written now.

    Not so a missing file, or an address or a database that will never do.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy import exc

    if isinstance(error, MlflowException):
        return error.error_code in ("TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")
    network = (ConnectionError, TimeoutError, socket.gaierror)
    database = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
    return isinstance(error, network + database) or type(error).__module__.startswith(_NETWORK)


def _reason(error: BaseException, uri: str) -> str:
    """An error's first line, unless a library repeats a password or a token in it."""
    line = str(error).partition("\n")[0][:_LINE]
    if names_secret(line, uri):
        return f"{type(error).__name__} (its text is left out: it repeats a part of the address)"
    return line


def experiment_id(client: "MlflowClient") -> str:
    """The experiment that holds all runs, created at first use."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment:
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
            note(f"MLflow's experiment {EXPERIMENT} had been deleted: it is restored, runs and all")
        return str(experiment.experiment_id)
    scheme, _, database = address().partition(":///")
    # a server has its own place for artefacts; those of a local database lie beside it
    place = Path(database).parent / ARTIFACTS if scheme == "sqlite" else None
    location = place.absolute().as_uri() if place else None
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def scalars(nested: object, prefix: str = "") -> dict[str, float]:
    """Every number below a report or a mapping as `outer/middle.inner` -> value.

    MLflow's pages group metrics by what is before the slash, and take no other characters.
    """
    if isinstance(nested, BaseModel):
        nested = nested.model_dump()
    found: dict[str, float] = {}
    if isinstance(nested, Mapping):
        for name, value in nested.items():
            clean = "".join(c if c.isalnum() or c in "_-. " else "_" for c in str(name))
            joint = "." if "/" in prefix else "/"
            found |= scalars(value, f"{prefix}{joint}{clean}" if prefix else clean)
    elif isinstance(nested, int | float) and not isinstance(nested, bool):
        found[prefix] = float(nested)
    return found


def note(line: str) -> None:
    """Print one line for the user that is not a result."""
    print(f"note: {line}", file=sys.stderr, flush=True)
