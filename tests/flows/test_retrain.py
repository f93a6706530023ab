"""The retrain flow on a small real DVC project, with a real Prefect server."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from prefect.settings import PREFECT_API_URL

from judged_project import write_judged
from places import ROOT
from pocketear.contracts.registered import Registered
from pocketear.contracts.report_file import write
from pocketear.experiments import registry
from pocketear.experiments.candidate import Candidate
from pocketear.params import load_params

from .conftest import RESULT, add_judge, commit, run

pytest_plugins = ["tracked_project"]
pytestmark = pytest.mark.usefixtures("prefect_server")


def retrain(**parameters):
    import retrain as module

    return module.retrain(**parameters, return_state=True)


def states_of(state):
    """Task name -> the names of the states that it ended in, over all its runs."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    with get_client(sync_client=True) as client:
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
        runs = client.read_task_runs(flow_run_filter=wanted)
    return {task.name.rsplit("-", 1)[0]: task for task in runs}


def name_of(state):
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        return client.read_flow_run(state.state_details.flow_run_id).name


def dead_process():
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def artifacts_of(state):
    """The artifacts of a run by their keys."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    wanted = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[state.state_details.flow_run_id])
    )
    with get_client(sync_client=True) as client:
        return {found.key: found for found in client.read_artifacts(artifact_filter=wanted)}


def logged(state, message, seconds=30):
    """Whether a message with this text comes into the run's log, which is sent in batches."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[state.state_details.flow_run_id]))
    end = time.monotonic() + seconds
    with get_client(sync_client=True) as client:
        while time.monotonic() < end:
            if any(message in log.message for log in client.read_logs(wanted, limit=200)):
                return True
            time.sleep(0.05)
    return False


def ran():
    log = Path("order.log")
    return [line.split()[1] for line in log.read_text().splitlines() if line.startswith("begin")]


def times():
    lines = (line.split() for line in Path("order.log").read_text().splitlines())
    return {(event, name): float(when) for event, name, when in lines}


def test_every_stage_runs_once_after_its_dependencies_and_then_is_cached(pipeline):
    Path("left.mode").write_text("slow")
    Path("right.mode").write_text("slow")
    state = retrain()
    assert state.is_completed(), state.message
    assert Path("out/join.txt").read_text() == RESULT
    assert ran()[0] == "wash"
    assert ran()[-1] == "join"
    when = times()
    assert when["begin", "right"] < when["end", "left"], "independent stages run at once"
    assert when["begin", "left"] < when["end", "right"]
    assert logged(state, "left begins"), "the stage's own lines are in the run's log"
    assert run(pipeline, sys.executable, "-m", "dvc", "status").strip() == (
        "Data and pipelines are up to date."
    )

    again = retrain()
    tasks = states_of(again)
    assert {tasks[name].state_name for name in ("wash", "left", "right", "join")} == {"Cached"}
    assert again.message == "all stages were up to date"
    assert len(ran()) == 4

    forced = retrain(force=["left"])
    assert ran()[4:] == ["left"], "what it makes is the same, so nothing after it runs"
    assert forced.message == "ran left"


def test_a_failed_stage_says_why_stops_what_depends_on_it_and_is_tried_again_if_declared(
    pipeline, monkeypatch
):
    import retrain as module

    monkeypatch.setattr(module, "_RETRY_DELAY_SECONDS", 0)
    Path("wash.mode").write_text("fail once")  # dvc.yaml declares retries for it alone
    Path("left.mode").write_text("fail")
    state = retrain()
    assert state.is_failed()
    assert state.message == "left: left: refused, accuracy 0.5 is below 0.8"
    assert artifacts_of(state)["reason"].data == state.message
    assert name_of(state) != state.message
    assert logged(state, state.message), "what --watch shows"
    assert not logged(state, "NoneType: None", seconds=0)
    tasks = states_of(state)
    assert (tasks["wash"].run_count, tasks["left"].run_count) == (2, 1)
    assert tasks["right"].state_name == "Completed"
    assert tasks["join"].state_name == "NotReady"
    Path("left.mode").unlink()
    holder = {"pid": dead_process(), "cmd": "dvc repro"}
    Path(".dvc/tmp/rwlock").write_text(
        json.dumps({"write": {str(pipeline / "out/left.txt"): holder}})
    )
    again = retrain()
    assert again.is_completed(), "a lock of a killed dvc does not matter"
    assert "reason" not in artifacts_of(again)
    assert Path("out/join.txt").read_text() == RESULT


@pytest.fixture
def judged(built):
    """The project with a last stage that gives the reports below judged/."""
    add_judge(built)
    return built


def test_a_damaged_verdict_is_one_line(judged):
    Path("judged/reports/verdict.json").write_text('{"accepted": true}')
    state = retrain()
    assert state.is_failed()
    assert "verdict.json: damaged" in state.message
    assert logged(state, "no verdict shown: ")
    assert "verdict" not in artifacts_of(state)


def test_a_refusal_is_a_state_with_its_reasons_and_results(judged):
    write_judged(judged / "judged", accepted=False)
    state = retrain()
    assert (state.type.value, state.name) == ("FAILED", "Refused")
    assert state.message == "refused: accuracy 1.00 is below 0.8"
    assert "refused" in artifacts_of(state)["verdict"].description
    assert Path("reports/verdict.json").is_file(), "the reports are there to be read"


def test_what_an_earlier_run_found_is_not_shown_by_one_that_failed_before(judged):
    write_judged(judged / "judged")
    Path("judged/reports/report.html").write_text("<html>")
    assert {"verdict", "report"} <= set(artifacts_of(retrain()))
    Path("left.mode").write_text("fail")
    Path("data/raw.txt").write_text("newer")
    state = retrain()
    assert state.message == "left: left: refused, accuracy 0.5 is below 0.8"
    assert set(artifacts_of(state)) == {"reason"}
    assert json.loads(Path("reports/verdict.json").read_text())["accepted"], "it is still there"


def test_a_stage_that_hangs_ends_at_its_time_limit(built):
    Path("right.mode").write_text("hang")
    limited = yaml.safe_load(Path("dvc.yaml").read_text())
    limited["stages"]["right"]["meta"] = {"timeout_s": 6}
    Path("dvc.yaml").write_text(yaml.safe_dump(limited))
    state = retrain(force=["right"])
    assert state.message == "right: ended after 6 s, its time limit"
    assert not subprocess.run(["pgrep", "-f", "step.py right"], capture_output=True).stdout
    Path("right.mode").unlink()
    assert retrain().is_completed()
    assert Path("out/join.txt").read_text() == RESULT


def test_overrides_are_an_experiment_and_reach_the_workspace_only_if_asked(built):
    before = Path("params.yaml").read_bytes()
    Path("params.yaml").write_bytes(before + b"# a change of the user\n")
    kept = Path("params.yaml").read_bytes()
    overrides = ["train.epochs=5", "gate.max_fp32_error=2e-4"]
    state = retrain(overrides=overrides)
    assert state.message == "ran left"
    assert Path("params.yaml").read_bytes() == kept, "no override leaks into later runs"
    name = name_of(state)
    assert name in run(built, sys.executable, "-m", "dvc", "exp", "list")
    shown = run(built, "git", "show", f"{experiment(built, name)}:params.yaml")
    assert yaml.safe_load(shown)["train"]["epochs"] == 5
    assert shown.count("#") == kept.decode().count("#"), "comments stay"
    assert not list(Path(".pocketear/copies").glob("run-*"))

    commit(built)
    assert retrain(overrides=["train.epochs=6"], apply=True).is_completed()
    assert yaml.safe_load(Path("params.yaml").read_text())["train"]["epochs"] == 6


def experiment(root, name):
    """The commit of an experiment of DVC's."""
    refs = run(root, "git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps")
    (found,) = [line.split()[0] for line in refs.splitlines() if line.endswith(f"/{name}")]
    return found


def test_overrides_of_a_run_that_failed_or_was_killed_leave_nothing(built):
    before = Path("params.yaml").read_bytes()
    Path("left.mode").write_text("fail")
    assert retrain(overrides=["train.epochs=5"]).is_failed()
    assert Path("params.yaml").read_bytes() == before
    assert not list(Path(".pocketear/copies").glob("run-*"))

    Path("left.mode").write_text("hang")
    flow = start("--set", "train.epochs=5")
    try:
        wait_until(lambda: ran() == ["left", "left"])
    finally:
        os.killpg(flow.pid, signal.SIGKILL)
        flow.wait()
    Path("left.mode").unlink()
    assert Path("params.yaml").read_bytes() == before
    assert retrain().message == "all stages were up to date"
    assert not list(Path(".pocketear/copies").glob("run-*"))


def test_two_runs_in_one_project_at_once(built):
    Path("left.mode").write_text("wait for another")
    flows = [start("--set", f"train.epochs={epochs}") for epochs in (5, 6)]
    assert [flow.wait(timeout=300) for flow in flows] == [0, 0]
    listed = run(built, sys.executable, "-m", "dvc", "exp", "list", "--name-only")
    assert len(listed.split()) == 2


def start(*arguments):
    """`python flows/retrain.py …` as a process of its own."""
    environment = os.environ | {"PREFECT_API_URL": PREFECT_API_URL.value()}
    script = [sys.executable, str(ROOT / "flows/retrain.py"), *arguments]
    return subprocess.Popen(script, env=environment, start_new_session=True)


def wait_until(check, seconds=300):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"overrides": ["train.epoch=5"]}, "no parameter train.epoch; is train.epochs meant?"),
        ({"overrides": ["train.epochs=many"]}, "train.epochs: input should be a valid integer"),
        ({"overrides": ["train.epochs=-1"]}, "train.epochs: input should be greater than 0"),
        ({"overrides": ["train.epochs"]}, "want section.name=value"),
        ({"force": ["lift"]}, "no stage lift; dvc.yaml has"),
        ({"data_revision": "no-such"}, "no-such"),
    ],
)
def test_a_wrong_request_is_one_clear_line_and_changes_nothing(pipeline, parameters, reason):
    before = Path("params.yaml").read_bytes()
    state = retrain(**parameters)
    assert state.is_failed()
    assert reason in state.message
    assert "\n" not in state.message.strip()
    assert Path("params.yaml").read_bytes() == before
    assert not Path("order.log").exists()


def test_the_data_of_another_revision(pipeline):
    stages = yaml.safe_load(Path("dvc.yaml").read_text())["stages"]
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"wash": stages["wash"]}}))
    first = commit(pipeline)
    Path("data/raw.txt").write_text("newer")
    commit(pipeline)
    assert retrain().is_completed()
    assert Path("out/wash.txt").read_text() == "wash(newer)"
    Path("data/raw.txt").write_text("newest")
    assert retrain(data_revision=first).is_completed()
    assert ran() == ["wash", "wash"]
    assert Path("data/raw.txt").read_text() == "newest", "the workspace keeps its data"
    Path("data/raw.txt").write_text("newer")
    assert retrain(data_revision=first, apply=True).is_completed()
    assert Path("out/wash.txt").read_text() == "wash(raw)"


def test_the_server_of_another_project_is_left_alone(pipeline, monkeypatch):
    from server import server_or_own
    from workspace import exclusive

    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    address = PREFECT_API_URL.value()
    with server_or_own():
        assert PREFECT_API_URL.value() is None
    with exclusive(pipeline, "serve"), server_or_own():
        assert PREFECT_API_URL.value() == address


@pytest.mark.slow
def test_the_last_task_promotes_and_refuses_what_is_worse(judged, empty_store, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(empty_store, "mlflow.db")
    add_version(judged / "judged", b"good", wrong=[])
    state = retrain(promote=True)
    assert state.is_completed(), state.message
    assert state.message == "ran judge; cry_laugh version 1 is the champion"
    assert registry.find("cry_laugh", "champion").version == "1"
    shown = artifacts_of(state)
    assert "accepted" in shown["verdict"].description
    assert "accuracy" in str(shown["verdict"].data)
    assert f"{judged.name}/reports/report.html" in shown["report"].data

    add_version(judged / "judged", b"worse", wrong=[0, 1, 2])
    shutil.copytree("judged", "worse")
    add_version(judged / "judged", b"of another run", wrong=[0])
    shutil.rmtree("judged")
    Path("worse").rename("judged")
    state = retrain(promote=True)
    assert state.is_failed()
    assert "version 2 is worse than the champion, version 1" in state.message, "not the newest, 3"
    compared = artifacts_of(state)["champion-and-challenger"].data
    assert re.search(r"\| accuracy +\| 1\.000 +\| 0\.900 +\| -0\.100 +\|", compared)
    assert registry.find("cry_laugh", "champion").version == "1"


def add_version(root, weights, wrong):
    truth = np.arange(30) % 3
    predicted = truth.copy()
    predicted[wrong] = (predicted[wrong] + 1) % 3
    write_judged(root, weights=weights, truth=truth, predicted=predicted)
    (root / "reports/report.html").write_text("<html>")
    candidate = Candidate(root / "models", root / "reports", load_params())
    registry.register(candidate)
    registered = Registered(name=candidate.name, identity=candidate.identity())
    write(registered, root / "reports/registered.json")
