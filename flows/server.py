"""server: the Prefect server that a flow started as a script reports to, and its failed state."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen
from uuid import UUID

from prefect import State
from prefect.client.orchestration import get_client
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

from workspace import is_running

_NAME_LENGTH = 150
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


def failed(message: str) -> State[None]:
    """The state of a flow that failed, with the reason in the run's name too.

    `prefect deployment run --watch` and the lists of runs show the name, and not the message.
    """
    with get_client(sync_client=True) as client:
        name = message if len(message) <= _NAME_LENGTH else f"{message[: _NAME_LENGTH - 1]}…"
        client.update_flow_run(UUID(flow_run.get_id()), name=name)
    return Failed(message=message)


def _answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5):  # noqa: S310  the address is the user's own setting
            return True
    except (URLError, OSError, ValueError):
        return False
