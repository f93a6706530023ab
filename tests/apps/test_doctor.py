"""What `pocketear doctor` says of a project that works, and of each thing that blocks one."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from places import ROOT
from pocketear.apps import doctor
from pocketear.apps.doctor import NOTE, OK, WRONG, Finding

POCKETEAR = str(Path(sys.executable).with_name("pocketear"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the default set could be run."""
    for name in ("params.yaml", "dvc.yaml", "data/recipes"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".dvc").mkdir()
    for variable in ("MLFLOW_TRACKING_URI", "PREFECT_API_URL", "DASK_SCHEDULER_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(check: Callable[[], Iterator[Finding]], state: str) -> str:
    """All that a check finds in a state, as text."""
    return "\n".join(f"{one.about}: {one.found}" for one in check() if one.state == state)


@pytest.mark.slow
def test_one_page_for_a_project_that_works(project: Path) -> None:
    bare = {**os.environ, "PATH": str(project / "bin")}
    (project / "bin").mkdir()
    for name in doctor._TOOLS:
        (project / "bin" / name).touch(mode=0o755)
    done = subprocess.run([POCKETEAR, "doctor"], env=bare, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("nothing blocks work\n")
    assert len(done.stdout.splitlines()) < 30
    (project / "bin/javac").unlink()
    done = subprocess.run([POCKETEAR, "doctor"], env=bare, capture_output=True, text=True)
    assert done.returncode == 1
    assert "package_android cannot run without it: install a JDK" in done.stdout
    assert "1 of " in done.stdout.splitlines()[-1]


def test_it_changes_nothing(project: Path) -> None:
    before = sorted(project.rglob("*"))
    doctor.run()
    assert sorted(project.rglob("*")) == before


def test_a_folder_that_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "go to the project's folder" in said(doctor.project, WRONG)
    assert not doctor.run()


def test_a_zip_download_has_no_repository(project: Path) -> None:
    assert said(doctor.project, WRONG) == ""
    (project / ".git").rmdir()
    assert "as in a zip download: DVC needs one; run `git init`" in said(doctor.project, WRONG)


def test_parameters_and_data(project: Path) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("epochs:", "epoch:"))
    assert "train.epoch is not a known parameter" in said(doctor.project, WRONG)
    Path("params.yaml").write_text(text)
    shutil.rmtree("data")
    assert "`dvc pull` fetches what DVC tracks" in said(doctor.project, WRONG)


def test_a_remote_that_has_vanished(project: Path) -> None:
    assert "none: data and outputs are on this machine only" in said(doctor.remotes, NOTE)
    (project / ".dvc/config").write_text(
        "[core]\n    remote = disk\n['remote \"disk\"']\n    url = ../stick\n"
        "['remote \"bucket\"']\n    url = https://me:geheim@host.example/data\n"
    )
    assert "stick is not there; mount it, or correct it" in said(doctor.remotes, WRONG)
    assert "geheim" not in said(doctor.remotes, OK)
    (project / "stick").mkdir()
    assert said(doctor.remotes, WRONG) == ""


def test_a_server_that_does_not_answer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert said(doctor.servers, OK) == f"MLflow: {address} answers"
    assert f"{address} does not answer" in said(doctor.servers, WRONG)


def test_a_database_that_is_none(project: Path) -> None:
    assert "is made at the first training" in said(doctor.servers, OK)
    Path("mlflow.db").write_text("no database" * 99)
    assert "mlflow.db: file is not a database; move it aside" in said(doctor.servers, WRONG)
    Path("mlflow.db").unlink()
    with sqlite3.connect("mlflow.db") as database:
        database.execute("CREATE TABLE experiments (lifecycle_stage)")
        database.execute("CREATE TABLE runs (a)")
        database.executemany("INSERT INTO experiments VALUES (?)", [("active",), ("deleted",)])
    assert "0 runs, 2 experiments, 1 deleted" in said(doctor.servers, OK)


def test_a_port_that_is_taken(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        monkeypatch.setattr(doctor, "_PORTS", {port: "pocketear demo"})
        assert f"{port} is taken (pocketear demo)" in said(doctor.ports, NOTE)
    assert f"{port} are free" in said(doctor.ports, OK)


def test_who_works_here(project: Path) -> None:
    assert said(doctor.locks, OK) == "locks: nothing runs here"
    (project / ".pocketear").mkdir()
    (project / ".dvc/tmp").mkdir()
    (project / ".dvc/tmp/rwlock").write_text('{"/a": {"write": {"pid": 4194400, "cmd": "dvc"}}}')
    with FileLock(".pocketear/retrain.lock"):
        assert "retrain is running" in said(doctor.locks, NOTE)
        assert "rwlock names 4194400, which ended" in said(doctor.locks, NOTE)


def test_no_room(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LEAST_FREE", 1 << 30)
    assert "GiB free, want" in said(doctor.caches, WRONG)


def test_libraries_against_the_lock(project: Path) -> None:
    assert said(doctor.versions, WRONG) == ""
    Path("uv.lock").write_text('[[package]]\nname = "soundfile"\nversion = "0.0.1"\n')
    assert "locked 0.0.1; `make setup` makes them the same" in said(doctor.versions, NOTE)
