"""server: the Prefect server that scripts and flows started as scripts report to."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from prefect import State
from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.events.worker import EventsWorker
from prefect.exceptions import PrefectHTTPStatusError
from prefect.runtime import flow_run
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_URL,
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE,
    PREFECT_SERVER_API_AUTH_STRING,
    PREFECT_SERVER_CORS_ALLOWED_ORIGINS,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    temporary_settings,
)
from prefect.states import Failed

from pocketear.base.tables import markdown_text
from stage_runs import PipelineError
from workspace import is_running

_START_SECONDS = 300  # Prefect's own 20 are too few for a busy machine


@contextmanager
def server_or_own() -> Iterator[None]:
    """Use a running server, or else a private one that ends with the flow.

    A running server is the one that PREFECT_API_URL names, or that of `make serve` in this folder.
    """
    address = PREFECT_API_URL.value()
    meant = os.environ.get("PREFECT_API_URL") or is_running(Path.cwd(), "serve")
    if address and meant and _answers(f"{address}/health"):
        yield
        return
    secret = secrets.token_urlsafe(32)  # a web page can send requests to this server as well
    private = {
        PREFECT_API_URL: None,
        PREFECT_API_AUTH_STRING: secret,
        PREFECT_SERVER_API_AUTH_STRING: secret,
        PREFECT_SERVER_CORS_ALLOWED_ORIGINS: "",
        PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: True,
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: _START_SECONDS,
    }
    with temporary_settings(private):
        yield


def check_server() -> None:
    """Whether the server of Prefect's settings answers, and admits this process.

    raises: PipelineError if there is none, or it does not
    """
    address = PREFECT_API_URL.value()
    if not address:
        raise PipelineError("no Prefect server is running in this folder; `make serve` starts one")
    with get_client(sync_client=True) as client:
        if client.api_healthcheck():
            raise PipelineError(f"Prefect at {address} does not answer; `make serve` starts it")
        try:
            client.hello()
        except PrefectHTTPStatusError as error:
            if error.response.status_code != HTTPStatus.UNAUTHORIZED:
                raise
            raise PipelineError(
                f"Prefect at {address} refused the login; run this in the folder of its"
                " `make serve`, or set PREFECT_API_AUTH_STRING"
            ) from error


def failed(message: str, name: str = "Failed") -> State[None]:
    """The state of a flow that failed, called `name`, with the reason as an artifact too.

    And as an event, `pocketear.failed` or `pocketear.refused`, which automations can expect and
    `prefect deployment run --watch` shows.
    """
    create_markdown_artifact(markdown_text(message), key="reason")
    run = f"prefect.flow-run.{flow_run.get_id()}"
    emit_event(
        f"pocketear.{name.lower()}",
        {"prefect.resource.id": f"{run}.reason", "prefect.resource.name": message},
        related=[{"prefect.resource.id": run, "prefect.resource.role": "flow-run"}],
    )
    EventsWorker.drain_all(timeout=5)  # `--watch` shows only what comes before the run ends
    return Failed(message=message, name=name)


def drop_empty_tracebacks() -> None:
    """Keep `NoneType: None` out of the log of a task that failed by a state, not an exception."""
    logging.getLogger("prefect.task_runs").addFilter(_without_empty_traceback)


def _without_empty_traceback(record: logging.LogRecord) -> bool:
    if record.exc_info and record.exc_info[0] is None:
        record.exc_info = None
    return True


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5):  # noqa: S310  the address is the user's own setting
            return True
    except (URLError, OSError, ValueError):
        return False
