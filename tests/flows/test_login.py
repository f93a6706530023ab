"""Nobody but the user starts runs or reads reports through `make serve`, web pages included."""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from places import ROOT

from .conftest import ask, until, without_login
from .test_serve import output_of, prefect

STRANGER = "http://evil.example"
REFUSED = "Additional properties are not allowed"


def api(served, method, path, body=None, **headers):
    """A call of the user's own, with the login."""
    if login := served.login():
        headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    content = None if body is None else json.dumps(body)
    headers["Content_Type"] = "application/json"
    status, _, answer = ask(served.ports[0], method, f"/api{path}", content, **headers)
    return status, json.loads(answer or "null")


def deployment_id(served):
    return api(served, "GET", f"/deployments/name/{quote('retrain/on-demand')}")[1]["id"]


def runs(served):
    """Except those that the schedule of `nightly` has made."""
    found = api(served, "POST", "/flow_runs/filter", {})[1]
    return [run for run in found if not run["auto_scheduled"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": STRANGER, "Content_Type": "text/plain"},  # needs no preflight
        {"Origin": STRANGER, "Content_Type": "application/json"},
        {"Host": "evil.example:4200", "Content_Type": "application/json"},  # DNS rebinding
        {"Content_Type": "application/json", "Authorization": "Basic cG9ja2V0ZWFyOmd1ZXNz"},
    ],
)
def test_a_web_page_starts_no_run(served, headers, tmp_path):
    before = runs(served)
    attack = {"state": {"type": "SCHEDULED"}, "job_variables": {"command": f"touch {tmp_path}/x"}}
    path = f"/api/deployments/{deployment_id(served)}/create_flow_run"
    status, sent, _ = ask(served.ports[0], "POST", path, json.dumps(attack), **headers)
    assert status == 401
    assert sent["Access-Control-Allow-Origin"] is None
    assert runs(served) == before


@pytest.mark.slow
def test_only_the_servers_own_pages_may_call_it_from_a_browser(served):
    def preflight(origin):
        asked = {"Access_Control_Request_Method": "POST", "Origin": origin}
        asked["Access_Control_Request_Headers"] = "content-type,authorization"
        _, sent, _ = ask(served.ports[0], "OPTIONS", "/api/flow_runs/filter", **asked)
        return sent["Access-Control-Allow-Origin"]

    assert preflight(STRANGER) is None
    assert preflight("null") is None
    assert preflight("http://127.0.0.1:1") is None
    for host in ("127.0.0.1", "localhost"):
        own = f"http://{host}:{served.ports[0]}"
        assert preflight(own) == own


@pytest.mark.slow
def test_without_the_login_the_api_says_that_it_is_healthy_and_nothing_else(served):
    routes = api(served, "GET", "/openapi.json")[1]["paths"]
    answering = set()
    for path, methods in routes.items():
        address = f"/api{path.replace('{', 'x').replace('}', 'x')}"
        if any(ask(served.ports[0], method.upper(), address)[0] != 401 for method in methods):
            answering.add(path)
    assert len(routes) > 100
    assert answering == {"/health", "/ready"}
    _, _, settings = ask(served.ports[0], "GET", "/ui-settings")
    assert json.loads(settings)["auth"] == "BASIC"


def websocket_paths():
    from prefect.server.api.server import API_ROUTERS
    from starlette.routing import WebSocketRoute

    routes = [route for router in API_ROUTERS for route in router.routes]
    found = {route.path for route in routes if isinstance(route, WebSocketRoute)}
    return {path.replace("{work_pool_name}", "local") for path in found}


def admitted(address, protocols, first):
    """Whether a websocket accepts its first message and goes on."""
    try:
        origin = Origin(STRANGER)
        with connect(address, subprotocols=protocols, origin=origin, open_timeout=30) as socket:
            if first:
                socket.send(json.dumps(first))
            answer = json.loads(socket.recv(timeout=5))
            return answer["type"] == "auth_success"
    except (InvalidStatus, ConnectionClosed):
        return False
    except TimeoutError:  # it is open, and says nothing until it is asked
        return True


@pytest.mark.slow
def test_websockets_refuse_who_has_no_login(served):
    paths = websocket_paths()
    assert {"/events/in", "/events/out", "/logs/out"} <= paths
    for path in paths:
        address = f"ws://127.0.0.1:{served.ports[0]}/api{path}"
        assert not admitted(address, None, None), path
        assert not admitted(address, ["prefect"], {"type": "filter", "filter": {}}), path
        for token in (None, "", "pocketear:guess"):
            assert not admitted(address, ["prefect"], {"type": "auth", "token": token}), path
        known = {"type": "auth", "token": served.login()}
        assert admitted(address, ["prefect"], known), f"{path}: our own"


@pytest.mark.slow
def test_a_script_in_the_folder_reports_to_its_server(served):
    before = runs(served)
    script = [sys.executable, str(ROOT / "flows/retrain.py")]
    done = subprocess.run(
        script, cwd=served.root, env=without_login(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(runs(served)) == len(before) + 1


@pytest.mark.slow
def test_a_run_cannot_choose_its_command_or_environment(served, tmp_path):
    made = tmp_path / "made"
    program = tmp_path / "sitecustomize.py"
    program.write_text(f"from pathlib import Path; Path({str(made)!r}).touch()")
    variables = {
        "command": f"touch {made}",
        "env": {"PYTHONPATH": str(tmp_path)},
        "env.PYTHONPATH": str(tmp_path),
        "working_dir": str(tmp_path),
    }
    path = f"/deployments/{deployment_id(served)}/create_flow_run"
    for name, value in variables.items():
        status, answer = api(served, "POST", path, {"job_variables": {name: value}})
        assert (status // 100, REFUSED in str(answer)) == (4, True), name
    chosen = ("--job-variable", f"command={json.dumps(variables['command'])}")
    command = prefect(served.root, "deployment", "run", "retrain/on-demand", *chosen)
    printed = output_of(command)
    assert command.returncode == 1
    assert REFUSED in printed
    assert "Traceback" not in printed

    # by a call that the server does not check, the worker does not use them
    deployment = api(served, "GET", f"/deployments/{deployment_id(served)}")[1]
    status, run = api(
        served, "POST", "/flow_runs/",
        {"flow_id": deployment["flow_id"], "deployment_id": deployment["id"],
         "work_pool_name": "local", "job_variables": variables, "state": {"type": "SCHEDULED"}},
    )  # fmt: skip
    assert status in (201, 422)
    if status == 201:
        path = f"/flow_runs/{run['id']}"
        ended = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
        until(lambda: api(served, "GET", path)[1]["state_type"] in ended, 180)
    assert not made.exists()


@pytest.mark.slow
def test_a_pool_that_is_set_up_by_hand_is_as_closed(served):
    """As docs/more-than-one-machine.md says for a server that was not started by `make serve`."""
    from pool import job_template

    variables = {"properties": {"command": {"type": "string"}}}
    open_to_all = {"job_configuration": {"command": "{{ command }}"}, "variables": variables}
    changed = api(served, "PATCH", "/work_pools/local", {"base_job_template": open_to_all})
    assert changed == (204, None)
    given = {
        "PREFECT_API_URL": f"http://127.0.0.1:{served.ports[0]}/api",
        "PREFECT_API_AUTH_STRING": served.login(),
    }
    done = subprocess.run(
        [sys.executable, str(ROOT / "flows/pool.py")],
        cwd=served.root, env=without_login() | given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "the pool local runs this project's flows and nothing else\n"
    assert done.returncode == 0, done.stderr
    template = api(served, "GET", "/work_pools/local")[1]["base_job_template"]
    assert template == job_template()


@pytest.mark.slow
def test_notify_finds_the_server_of_its_folder(served, tmp_path):
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

    from notify import notify
    from stage_runs import PipelineError

    script = [sys.executable, str(ROOT / "flows/notify.py")]
    done = subprocess.run(
        script, cwd=served.root, env=without_login(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("announced ")

    def started():
        wanted = {"deployments": {"name": {"any_": ["on-data-change"]}}}
        return api(served, "POST", "/flow_runs/filter", wanted)[1]

    until(started)

    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(served.root / ".git", elsewhere / ".git")
    address = f"http://127.0.0.1:{served.ports[0]}/api"
    stranger = {PREFECT_API_URL: address, PREFECT_API_AUTH_STRING: None}
    with (
        temporary_settings(stranger),
        pytest.raises(PipelineError, match=f"^Prefect at {address} refused the login; .*$"),
    ):
        notify(elsewhere)


@pytest.mark.slow
def test_the_secret_is_in_one_private_file_only(served):
    login = served.login()
    assert len(login.partition(":")[2]) >= 32
    secret = login.partition(":")[2].encode()
    encoded = b64encode(login.encode())
    files = [path for path in served.root.rglob("*") if path.is_file() and not path.is_symlink()]
    holding = [path for path in files if secret in (text := path.read_bytes()) or encoded in text]
    assert [path.relative_to(served.root) for path in holding] == [
        Path(".pocketear/prefect/profiles.toml")
    ]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert {"prefect.log", "worker.log", "mlflow.log", "reports.log"} <= {p.name for p in files}
    for process in served.family():
        assert secret.decode() not in " ".join(process.cmdline())
    assert secret.decode() not in "".join(served.lines)
    assert "grep AUTH .pocketear/prefect/profiles.toml" in "".join(served.lines)


@pytest.mark.slow
def test_mlflow_and_reports_answer_under_their_own_name_only(served):
    for port in served.ports[1:]:
        for host in ("127.0.0.1", "localhost"):
            assert ask(port, "GET", "/", Host=f"{host}:{port}")[0] == 200
        for host in (f"evil.example:{port}", "192.168.0.1", "127.0.0.1:1"):
            assert ask(port, "GET", "/", Host=host)[0] == 403
    status, _, _ = ask(
        served.ports[1], "POST", "/api/2.0/mlflow/experiments/create", '{"name": "x"}',
        Origin=STRANGER, Content_Type="text/plain",
    )  # fmt: skip
    assert status == 403


@pytest.mark.slow
def test_the_nightly_run_is_scheduled(served):
    def scheduled():
        found = api(served, "POST", "/flow_runs/filter", {})[1]
        return [run for run in found if run["auto_scheduled"]]

    until(scheduled, 60)


@pytest.mark.slow
def test_ctrl_c_ends_all_and_the_login(served):
    """The last of those that share a server."""
    family = served.family()[1:]
    assert served.login()
    served.process.send_signal(signal.SIGINT)
    assert served.process.wait(120) == 0
    assert psutil.wait_procs(family, timeout=30)[1] == []
    assert served.login() == "", "the secret ends with the server"


def test_reports_are_served_to_no_other_site(tmp_path):
    from reports_server import make_server

    (tmp_path / "report.html").write_text("recordings")
    with make_server(tmp_path, 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            port = server.server_port
            for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
                status, sent, content = ask(port, "GET", "/report.html", Host=host)
                assert (status, content) == (200, b"recordings")
                assert sent["Cross-Origin-Resource-Policy"] == "same-origin"
            for host in (f"evil.example:{port}", "localhost", "127.0.0.1", "", f"[::1]:{port}"):
                for method in ("GET", "HEAD"):
                    status, _, content = ask(port, method, "/report.html", Host=host)
                    assert status == 403
                    assert b"recordings" not in content
        finally:
            server.shutdown()


def test_the_login_is_private_whatever_was_there_and_goes_with_the_block(tmp_path):
    from login import PROFILES, new_login, stored

    stale = tmp_path / PROFILES
    stale.parent.mkdir(parents=True)
    stale.write_text("of a killed server")
    stale.chmod(0o644)
    login = new_login(4300)
    assert login.auth_string != new_login(4300).auth_string
    assert login.auth_string not in repr(login)
    mask = os.umask(0)
    try:
        with pytest.raises(KeyboardInterrupt), stored(login, tmp_path):
            assert stat.S_IMODE(stale.stat().st_mode) == 0o600
            assert login.auth_string in stale.read_text()
            raise KeyboardInterrupt
    finally:
        os.umask(mask)
    assert not stale.exists()


@pytest.mark.slow
def test_the_private_server_of_a_script_answers_that_script_only(pipeline):
    script = (
        "import sys, urllib.error, urllib.request\n"
        f"sys.path.insert(0, {str(ROOT / 'flows')!r})\n"
        "from server import server_or_own\n"
        "from prefect.client.orchestration import get_client\n"
        "with server_or_own(), get_client(sync_client=True) as client:\n"
        "    client.read_flows()\n"
        "    try:\n"
        "        urllib.request.urlopen(f'{client.api_url}version')\n"
        "    except urllib.error.HTTPError as error:\n"
        "        print(error.code)\n"
    )
    shutil.copy(ROOT / "prefect.toml", pipeline)
    home = {"PREFECT_HOME": str(pipeline / ".pocketear/prefect")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=without_login() | home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "401\n", done.stderr
