"""hostile_serve: a `make serve` on loopback, and the calls to it that hostile.py tries.

One server is started for all of them, on a project whose only stage is `ingest`.
"""

import json
import os
import subprocess
import tempfile
import time
import tomllib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from hostile_broken import BROKEN
from hostile_cases import PYTHON, case, dvc_project, good_clips, run
from ports import free_ports
from project import ROOT

KIND = "serve"
_STRANGER = "http://evil.example"
_PLAIN = {"Origin": _STRANGER, "Content-Type": "text/plain"}  # which needs no preflight
_SHELL_PATH = "so;touch PWNED;unds"
_RUN_SECONDS = 300.0
_ENDED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
_running: list["Served"] = []


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: HTTPMessage
    content: bytes


@dataclass(frozen=True)
class Served:
    """A running `make serve`. prefect, mlflow: ports on loopback"""

    root: Path
    prefect: int
    mlflow: int

    def ours(self, method: str, path: str, body: object = None) -> Any:
        """What Prefect's API answers to the user's own login: JSON, or the refusal."""
        profiles = (self.root / ".pocketear/prefect/profiles.toml").read_text(encoding="utf-8")
        login = tomllib.loads(profiles)["profiles"]["serve"]["PREFECT_API_AUTH_STRING"]
        header = {"Authorization": f"Basic {b64encode(login.encode()).decode()}"}
        answer = call(self.prefect, method, f"/api{path}", body, header)
        return answer if answer.status >= 400 else json.loads(answer.content)

    def deployment(self) -> str:
        """The path of the deployment `on-demand` in Prefect's API."""
        return f"/deployments/{self.ours('GET', '/deployments/name/retrain/on-demand')['id']}"


def call(
    port: int, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """One request on loopback. body: sent as JSON"""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        content = None if body is None else json.dumps(body)
        sent = {"Content-Type": "application/json", **(headers or {})}
        connection.request(method, path, content, sent)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


@contextmanager
def serving() -> Iterator[None]:
    """`make serve` for the cases in the block.

    raises: RuntimeError with what it printed if it does not start
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write_project(root)
        ports = free_ports(3)
        named = zip(("prefect", "mlflow", "reports"), ports, strict=True)
        options = [f"--{name}-port={port}" for name, port in named]
        process = subprocess.Popen(
            [PYTHON, str(root / "flows/serve.py"), *options],
            cwd=root, env=_without_login(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )  # fmt: skip
        try:
            _wait_until_ready(process)
            _running.append(Served(root, *ports[:2]))
            yield
        finally:
            _running.clear()
            process.terminate()
            process.communicate(timeout=120)


def _write_project(root: Path) -> None:
    """Two folders of sounds and the stage `ingest`; in a broken copy, careless flows."""
    flows = Path(os.environ["PYTHONPATH"]).parent / "flows" if BROKEN in os.environ else None
    (root / "flows").symlink_to(flows or ROOT / "flows")
    for name in ("params.yaml", "prefect.yaml", "prefect.toml"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    with chdir(root):
        good_clips(_SHELL_PATH)
        good_clips("sounds")
        dvc_project()


def _without_login() -> dict[str, str]:
    """The environment without what names another Prefect server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


def _wait_until_ready(process: "subprocess.Popen[str]") -> None:
    printed = []
    for line in process.stdout or ():
        printed.append(line)
        if "Ctrl-C" in line:
            return
    raise RuntimeError(f"make serve: {''.join(printed)}")


# --- what a run that is the user's own may set


@case(KIND, "data.path, by a deployment")
def _(folder: Path) -> str:
    served = _running[0]
    overrides = {"parameters": {"overrides": [f"data.path={_SHELL_PATH}"]}}
    path = f"{served.deployment()}/create_flow_run"
    started = served.ours("POST", path, overrides)
    end = time.monotonic() + _RUN_SECONDS
    while (now := served.ours("GET", f"/flow_runs/{started['id']}"))["state_type"] not in _ENDED:
        if time.monotonic() > end:
            return f"{now['state_type']} after {_RUN_SECONDS:g} s"
        time.sleep(0.5)
    if list(served.root.rglob("PWNED")):
        return "a command in a name was run"
    taken = (served.root / "data/clips/clips.parquet").exists()
    chosen = _SHELL_PATH in (served.root / "params.yaml").read_text(encoding="utf-8")
    done = now["state_type"] == "COMPLETED" and taken and chosen
    return "" if done else f"{now['state_type']}: {now['name']}"


@case("shell", "data.path, by flows/retrain.py --set")
def _(folder: Path) -> str:
    good_clips(_SHELL_PATH)
    good_clips("sounds")
    dvc_project()
    ended = run([PYTHON, str(ROOT / "flows/retrain.py"), "--set", f"data.path={_SHELL_PATH}"])
    if list(Path().rglob("PWNED")):
        return "a command in a name was run"
    taken = Path("data/clips/clips.parquet").exists()
    return ended.held() or ("" if ended.status == 0 and taken else ended.text[-200:])


def _variable_case(name: str, variables: dict[str, object]) -> None:
    """A case: variables of a job, which would choose what the worker runs."""

    @case(KIND, f"job variable {name}, with the login")
    def _(folder: Path) -> str:
        served = _running[0]
        path = f"{served.deployment()}/create_flow_run"
        answer = served.ours("POST", path, {"job_variables": variables})
        refused = isinstance(answer, Answer) and answer.status in (409, 422)
        return "" if refused else f"not refused: {str(answer)[:150]}"


_variable_case("command", {"command": "touch PWNED"})
_variable_case("env", {"env": {"PYTHONPATH": "/tmp/evil"}})  # noqa: S108  is never made
_variable_case("working_dir", {"working_dir": "/"})


# --- calls by a page or a program that has no login


def _stranger_case(name: str, headers: dict[str, str]) -> None:
    """A case: a run started without the login, by a request that a browser would send."""

    @case(KIND, f"run started {name}")
    def _(folder: Path) -> str:
        served = _running[0]
        attack = {"state": {"type": "SCHEDULED"}, "job_variables": {"command": "touch PWNED"}}
        path = f"/api{served.deployment()}/create_flow_run"
        answer = call(served.prefect, "POST", path, attack, headers)
        if answer.headers["Access-Control-Allow-Origin"]:
            return "the answer is open to other sites"
        return "" if answer.status == 401 else f"answered {answer.status}"


_stranger_case("by a page, without a preflight", _PLAIN)
_stranger_case("by a page, as JSON", {"Origin": _STRANGER})
_stranger_case("under another name (DNS rebinding)", {"Host": "evil.example:4200"})
_stranger_case("with a guessed password", {"Authorization": "Basic cG9ja2V0ZWFyOmd1ZXNz"})


@case(KIND, "preflight of a page")
def _(folder: Path) -> str:
    asked = {"Origin": _STRANGER, "Access-Control-Request-Method": "POST"}
    asked["Access-Control-Request-Headers"] = "content-type,authorization"
    answer = call(_running[0].prefect, "OPTIONS", "/api/flow_runs/filter", None, asked)
    return "open to other sites" if answer.headers["Access-Control-Allow-Origin"] else ""


def _read_case(name: str, method: str, path: str) -> None:
    """A case: something read without the login."""

    @case(KIND, f"{name} read without a login")
    def _(folder: Path) -> str:
        body: dict[str, str] | None = {} if method == "POST" else None
        answer = call(_running[0].prefect, method, path, body, {"Origin": _STRANGER})
        return "" if answer.status == 401 else f"answered {answer.status}"


_read_case("deployments", "POST", "/api/deployments/filter")
_read_case("logs", "POST", "/api/logs/filter")
_read_case("settings", "GET", "/api/admin/settings")


@case(KIND, "websocket of logs, opened by a page")
def _(folder: Path) -> str:
    address = f"ws://127.0.0.1:{_running[0].prefect}/api/logs/out"
    try:
        with connect(address, subprotocols=["prefect"], origin=Origin(_STRANGER)) as opened:  # type: ignore[list-item]
            opened.send(json.dumps({"type": "auth", "token": "pocketear:guess"}))
            answer = json.loads(opened.recv(timeout=20))
    except (InvalidStatus, ConnectionClosed):
        return ""
    return f"answered {answer['type']}" if answer["type"] == "auth_success" else ""


def _mlflow_case(name: str, method: str, path: str, headers: dict[str, str]) -> None:
    """A case: a call to MLflow's pages that must be forbidden."""

    @case(KIND, f"MLflow: {name}")
    def _(folder: Path) -> str:
        body = {"name": "x"} if method == "POST" else None
        answer = call(_running[0].mlflow, method, path, body, headers)
        return "" if answer.status == 403 else f"answered {answer.status}"


_CREATE = "/api/2.0/mlflow/experiments/create"
_mlflow_case("foreign Host", "GET", "/", {"Host": "evil.example:5000"})
_mlflow_case("written to by a page", "POST", _CREATE, {"Origin": _STRANGER})
