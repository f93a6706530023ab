"""`dvc repro` in a fresh copy of this repository, as a user runs it, on a smaller synthetic set."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from places import ROOT
from pocketear.params import load_params
from sounds import tone, write, write_by_phone

pytestmark = pytest.mark.slow
# What a small set and two epochs can reach; every other limit stays as it ships.
SMALL: dict[str, Any] = {
    "train.epochs": 2,
    "parity.clips": 4,
    "gate.min_accuracy": 0.0,
    "gate.min_recall": 0.0,
    "gate.max_calibration_error": 1.0,
    "gate.max_miss_rate": 1.0,
    "gate.max_false_alarms_per_hour": 1e9,
    "gate.max_drop": 1.0,
    "gate.max_label_drop": 1.0,
    "gate.max_flips": 1.0,
    "gate.robust": {},
    "split.crossvalidate": "never",
    "promote.demonstrations": True,
}


def put(folder: Path, values: dict[str, Any]) -> None:
    """Change params.yaml by dotted name."""
    path = folder / "params.yaml"
    params = yaml.safe_load(path.read_text())
    for name, value in values.items():
        *sections, key = name.split(".")
        section = params
        for one in sections:
            section = section[one]
        assert key in section, name
        section[key] = value
    path.write_text(yaml.safe_dump(params, sort_keys=False))


def dvc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["dvc", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env=os.environ | {"DVC_NO_ANALYTICS": "1", "MLFLOW_TRACKING_URI": ""},
    )  # fmt: skip


def ran(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The stages that a `dvc repro` ran."""
    lines = [line for line in done.stdout.splitlines() if line.startswith("Running stage '")]
    return [line.split("'")[1] for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git tracks, with its own history, taken through the whole journey."""
    copy = tmp_path_factory.mktemp("clone") / "pocketear"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *command],
            cwd=copy, check=True,
        )  # fmt: skip
    recipe = copy / "data" / "recipes" / "cry_laugh.yaml"
    recipe.write_text(recipe.read_text().replace("clips: 160", "clips: 40"))
    put(copy, SMALL)
    done = dvc(copy, "repro")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return copy


def test_packages_for_both_platforms_are_built(folder: Path) -> None:
    assert json.loads((folder / "reports" / "verdict.json").read_text())["accepted"]
    assert list((folder / "build" / "android").rglob("*.aar"))
    assert list((folder / "build" / "ios").rglob("Package.swift"))
    assert list((folder / "build" / "ios").rglob("*.mlpackage"))
    assert (folder / "reports" / "report.html").stat().st_size > 10_000
    assert (folder / "reports" / "validation" / "docs" / "index.html").is_file()


def git(folder: Path, *arguments: str) -> None:
    user = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    subprocess.run(["git", *user, *arguments], cwd=folder, check=True, capture_output=True)


def test_a_clone_that_pulls_has_nothing_to_run_and_stays_clean(folder: Path) -> None:
    remote, clone = folder.parent / "remote", folder.parent / "second"
    assert dvc(folder, "remote", "add", "--force", "-d", "store", str(remote)).returncode == 0
    assert dvc(folder, "push").returncode == 0
    git(folder, "commit", "-qam", "a run")
    git(folder.parent, "clone", "-q", str(folder), str(clone))
    pulled = dvc(clone, "pull")
    assert pulled.returncode == 0, pulled.stderr
    again = dvc(clone, "repro")
    assert again.returncode == 0, again.stderr
    assert ran(again) == []
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""
    assert (clone / "build/android").is_dir() and (clone / "reports/report.html").is_file()


@pytest.mark.parametrize(
    "name", ["x & y; touch pwned; $(touch pwned)", "a'b\"c 泣き声 (2024) 100%"]
)
def test_a_data_path_of_any_text_is_read_and_runs_nothing(
    folder: Path, tmp_path: Path, name: str
) -> None:
    for path in ("dvc.yaml", "params.yaml", ".dvc/config"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        shutil.copy(folder / path, tmp_path / path)
    (tmp_path / "src").symlink_to(ROOT / "src")
    git(tmp_path, "init", "-q")
    for number, label in enumerate(("cry", "laugh")):
        write(tmp_path / name / label / "0.wav", tone(0.5, hz=400 + 100 * number))
    put(tmp_path, {"data.source": "folder", "data.path": name})
    done = dvc(tmp_path, "repro", "ingest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ingest: 2 clips, 2 labels" in done.stdout
    assert not list(tmp_path.rglob("pwned"))


def test_plots_can_be_shown_and_leave_git_clean(folder: Path) -> None:
    plots = dvc(folder, "plots", "show")
    assert plots.returncode == 0, plots.stderr
    assert (folder / "dvc_plots" / "index.html").is_file()
    status = ("git", "status", "--porcelain", "dvc_plots")
    assert subprocess.run(status, cwd=folder, capture_output=True, check=True).stdout == b""


def test_metrics_are_few_and_the_rest_is_detail(folder: Path) -> None:
    shown = json.loads(dvc(folder, "metrics", "show", "--json").stdout)[""]["data"]
    assert list(shown) == ["reports/headline.json"]
    assert len(shown["reports/headline.json"]["data"]) < 12
    detail = dvc(folder, "metrics", "show", "--json", "reports/metrics.json")
    assert "litert_fp32" in detail.stdout


def test_an_experiment_that_a_gate_refuses_is_saved_and_harms_nothing(folder: Path) -> None:
    """The limit reruns the gate and what follows; the accepted packages come back from DVC."""
    git(folder, "commit", "-qam", "before", "--allow-empty")
    lock = (folder / "dvc.lock").read_text()
    sums = (folder / "build/android/SHA256SUMS").read_text()
    done = dvc(folder, "exp", "run", "--name", "strict", "-S", "gate.min_accuracy=1.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "refused, so nothing is packaged" in done.stdout
    assert "want at least 1" in done.stdout
    assert ran(done)[0] == "gate"
    assert set(ran(done)) <= {"gate", "report", "register", "package_android", "package_ios"}
    for system in ("android", "ios"):
        assert [path.name for path in (folder / "build" / system).iterdir()] == ["REFUSED.md"]
    assert json.loads((folder / "reports" / "registered.json").read_text())["identity"]
    assert "strict" in dvc(folder, "exp", "list").stdout
    diff = json.loads(dvc(folder, "exp", "diff", "--json", "HEAD", "strict").stdout)
    assert diff["metrics"]["reports/headline.json"]["accepted"] | {"diff": 0} == {
        "old": True, "new": False, "diff": 0,
    }  # fmt: skip
    refused = subprocess.run(
        ["pocketear", "summary"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1

    git(folder, "restore", ".")
    assert dvc(folder, "checkout").returncode == 0
    assert (folder / "build/android/SHA256SUMS").read_text() == sums
    # forced, else DVC's cache gives what they wrote: no output holds a time
    again = dvc(folder, "repro", "--force", "--single-item", "gate", "report", "register")
    assert ran(again) == ["gate", "report", "register"], again.stderr
    assert dvc(folder, "repro").returncode == 0
    assert (folder / "build" / "android").is_dir()
    assert (folder / "dvc.lock").read_text() == lock


def test_a_change_reruns_what_depends_on_it(folder: Path) -> None:
    learning_rate = load_params(folder / "params.yaml").train.learning_rate
    put(folder, {"train.learning_rate": learning_rate / 2})
    stages = ran(dvc(folder, "repro", "--dry"))
    assert stages[0] == "train"
    assert not {"ingest", "validate", "split", "featurize"} & set(stages)
    put(folder, {"train.learning_rate": learning_rate})
    recording = folder / "data/negatives/tone.wav"
    write(recording, tone(2.0, hz=400))
    stages = ran(dvc(folder, "repro", "--dry"))
    assert stages[0] == "evaluate"
    recording.unlink()


STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def content(folder: Path, stage: str) -> dict[str, str]:
    """Every file that the stage wrote -> its hash."""
    files = [file for out in outputs(folder, stage) for file in (out, *out.rglob("*"))]
    return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files if f.is_file()}


def outputs(folder: Path, stage: str) -> list[Path]:
    """Where the stage writes."""
    listed = [*STAGES[stage].get("outs", []), *STAGES[stage].get("metrics", [])]
    return [folder / (next(iter(one)) if isinstance(one, dict) else one) for one in listed]


def scratch(folder: Path, stage: str) -> list[Path]:
    """What the stage is writing now."""
    return [
        path for out in outputs(folder, stage) for path in out.parent.glob(f".{out.name}.*.tmp")
    ]


# One of each kind of output: folders of few and of many files, with another file beside them, a
# page, packages. All are written by base.files.replacing, and the others take longer.
KILLED = ("validate", "featurize", "report", "package_ios")


@pytest.mark.parametrize("stage", KILLED)
def test_a_kill_while_a_stage_writes_leaves_what_was_there(folder: Path, stage: str) -> None:
    command = STAGES[stage]["cmd"].split()
    before = content(folder, stage)
    assert before
    with subprocess.Popen(
        [sys.executable, *command[1:]], cwd=folder, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"MLFLOW_TRACKING_URI": ""},
    ) as run:  # fmt: skip
        while not scratch(folder, stage) and run.poll() is None:
            time.sleep(0.0005)
        with suppress(ProcessLookupError):  # it has ended
            os.killpg(run.pid, signal.SIGKILL)
    assert content(folder, stage) == before


def test_after_kills_the_next_run_ends_as_if_nothing_had_been(folder: Path) -> None:
    """A run killed in the middle of a stage, after DVC removed its outputs."""
    before = (folder / "data" / "features" / "waveforms.i16").read_bytes()
    shutil.rmtree(folder / ".pocketear" / "cache")
    with subprocess.Popen(
        ["dvc", "repro", "-f", "-s", "featurize"], cwd=folder, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as run:  # fmt: skip
        cache = folder / ".pocketear" / "cache"
        while not any(cache.rglob("index.jsonl")) and run.poll() is None:
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGKILL)
    assert dvc(folder, "repro", "-f", "-s", "featurize").returncode == 0  # or DVC's cache gives it
    assert ran(dvc(folder, "repro")) == []
    assert (folder / "data" / "features" / "waveforms.i16").read_bytes() == before
    assert scratch(folder, "featurize") == []


def workflow_steps(name: str, job: str) -> list[str]:
    """The commands of a workflow's job, but for those of which this test is a part."""
    workflow = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text())
    commands = [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]
    return [command for command in commands if command not in ("make lint", "make test")]


README = (ROOT / "README.md").read_text()
ESC10 = ROOT.parent / "shared/data/esc10"


def shell(folder: Path, line: str) -> subprocess.Popen[str]:
    """Start a line of the README in a shell with this environment's tools."""
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.Popen(
        ["bash", "-c", line], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"PATH": tools, "DVC_NO_ANALYTICS": "1", "MLFLOW_TRACKING_URI": ""},
    )  # fmt: skip


def answers(address: str, process: subprocess.Popen[str], seconds: float = 120) -> bool:
    """Whether a page is served before the process or the time ends."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5) as page:  # noqa: S310  our own server
                return bool(page.status == 200)
        except OSError:
            time.sleep(0.05)
    return False


SAID = {"dvc metrics show": "accuracy", "pocketear predict some.wav other.m4a": "some.wav"}


def test_every_line_of_the_readmes_walk_runs(folder: Path) -> None:
    """And a second run has nothing to do."""
    walk = README.partition("with the environment active")[2].partition("##")[0]
    lines = re.findall(r"^    (\w.*?)(?:  +#.*)?$", walk, re.MULTILINE)
    assert {"dvc repro", *SAID} <= set(lines)
    assert {line.split()[0] for line in lines} == {"dvc", "mlflow", "pocketear", "python"}
    clip = next((folder / "data/clips/audio/cry").iterdir())
    shutil.copy(clip, folder / "some.wav")
    write_by_phone(folder / "other.m4a")
    for line in lines:
        process = shell(folder, line)
        if line.startswith("mlflow ui"):
            assert answers("http://127.0.0.1:5000", process)
            os.killpg(process.pid, 15)
            process.communicate()
        else:
            output = process.communicate()[0]
            assert process.returncode == 0, output
            assert SAID.get(line, "") in output, line
            assert not (line == "dvc repro" and "Running stage" in output)


def test_every_step_of_the_workflows_runs(folder: Path) -> None:
    """As on main, then the report of a pull request; the environment is this one, not a new one.

    What is set is the README's first command for real recordings, where they are at hand, but for
    one epoch in place of 300, on some of the clips.
    """
    settings = ["gate.max_file_bytes=900000", "seed=2718"]
    if ESC10.is_dir():
        write_some_of_esc10(folder.parent / "shared/data/esc10")
        settings += [*esc10_settings(folder), "train.epochs=1"]
    (folder / ".pocketear/synced").touch()
    uv = Path(os.environ.get("UV") or shutil.which("uv") or ROOT / ".pocketear/uv/bin/uv")
    environment = os.environ | {
        "PATH": f"{uv.parent}:{os.environ['PATH']}", "UV_PROJECT_ENVIRONMENT": sys.prefix,
        "MLFLOW_TRACKING_URI": "", "SET": " ".join(settings), "PROMOTE": "1",
    }  # fmt: skip
    retrain = workflow_steps("retrain", "retrain")
    assert retrain[-2:] == ["make pull-request-report", "make keep-reports"]
    for command in [*workflow_steps("ci", "run"), *retrain, "make pull-request-report"]:
        done = subprocess.run(
            command.split(), cwd=folder, capture_output=True, text=True, check=False,
            env=environment,
        )  # fmt: skip
        assert done.returncode == 0, command + done.stdout[-3000:] + done.stderr[-3000:]
    assert "max_file_bytes: 900000" in (folder / "params.yaml").read_text()
    assert "champion" in shell(folder, "pocketear models").communicate()[0]
    assert "On the main branch: " in (folder / "reports/pull_request.md").read_text()
    if ESC10.is_dir():
        metrics = json.loads((folder / "reports/metrics.json").read_text())
        assert len(metrics["litert_int8"]["recall"]) == 10


def esc10_settings(folder: Path) -> list[str]:
    """What the README's first command on ESC-10 sets, as a shell splits it."""
    settings, first = re.findall(r"^(ESC10=\(.*?\))\n(.*?)$", README, re.DOTALL | re.MULTILINE)[0]
    split = shell(folder, f"{settings}\nprintf '%s\\n' {first}").communicate()[0].splitlines()
    assert split[:2] == ["python", "flows/retrain.py"]
    assert set(split[2::2]) == {"--set"}
    return split[3::2]


def write_some_of_esc10(folder: Path) -> None:
    """Two of the eight clips that each label has in each fold."""
    table = pd.read_csv(ESC10 / "clips.csv").groupby(["label", "fold"]).head(2)
    for name in table["file"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ESC10 / name, folder / name)
    table.to_csv(folder / "clips.csv", index=False)
