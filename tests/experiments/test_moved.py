"""A project that is renamed, copied, linked or half deleted keeps its runs and their files."""

import os
import shutil
from pathlib import Path

import pytest

from places import ROOT
from pocketear.experiments.client import EXPERIMENT, connect, experiment_id
from pocketear.experiments.runs import training_run
from pocketear.params import load_params

pytestmark = pytest.mark.slow
ARTIFACT = "note.txt"


def train(note: Path) -> None:
    """A run with one artefact."""
    with training_run(load_params(), Path("params.yaml")) as run:
        run.log_artifacts(note)


def logged() -> list[str]:
    """The artefact of each run, oldest first, as MLflow gives it."""
    with connect() as client:
        runs = client.search_runs([experiment_id(client)], order_by=["attributes.start_time"])
        return [
            Path(client.download_artifacts(run.info.run_id, ARTIFACT)).read_text() for run in runs
        ]


def written(text: str) -> Path:
    Path(ARTIFACT).write_text(text)
    return Path(ARTIFACT)


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one run."""
    folder = tmp_path_factory.mktemp("moved") / "before"
    folder.mkdir()
    shutil.copy(ROOT / "params.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        train(written("one"))
    return folder


@pytest.fixture
def copied(before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which is the folder of work."""
    folder = tmp_path / "after"
    shutil.copytree(before, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


def artefacts(folder: Path) -> int:
    return len(list((folder / "mlartifacts").rglob(ARTIFACT)))


def test_a_copy_has_its_own_files_and_writes_no_others(before: Path, copied: Path) -> None:
    train(written("two"))
    assert logged() == ["one", "two"]
    assert (artefacts(before), artefacts(copied)) == (1, 2)


def test_a_renamed_project_keeps_its_runs(copied: Path, tmp_path: Path) -> None:
    train(written("two"))
    renamed = copied.rename(tmp_path / "renamed, again")
    os.chdir(renamed)
    train(written("three"))
    assert logged() == ["one", "two", "three"]
    assert not copied.exists()


def test_files_that_were_left_behind_are_still_found(before: Path, copied: Path) -> None:
    shutil.rmtree("mlartifacts")
    assert logged() == ["one"]
    assert artefacts(before) == 1


def test_an_experiment_that_was_deleted_is_restored(
    copied: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect() as client:
        client.delete_experiment(experiment_id(client))
    train(written("two"))
    assert logged() == ["one", "two"]
    assert f"experiment {EXPERIMENT} had been deleted: it is restored" in capsys.readouterr().err


def test_what_a_cache_links_is_logged(copied: Path) -> None:
    cache = copied.parent / "cache"
    (cache / "folder").mkdir(parents=True)
    (cache / "file").write_text("two")
    Path(ARTIFACT).unlink()
    Path(ARTIFACT).symlink_to(cache / "file")
    train(Path(ARTIFACT))
    Path("reports").mkdir()
    Path("reports", ARTIFACT).symlink_to(cache / "file")
    train(Path("reports"))
    assert logged() == ["one", "two", "two"]


@pytest.mark.parametrize("name", ["crying or laughing?", "My%20Sounds", "a [1] #2 & 'b' 100% ü"])
def test_a_project_may_have_any_name(copied: Path, tmp_path: Path, name: str) -> None:
    folder = copied.rename(tmp_path / name)
    os.chdir(folder)
    train(written("two"))
    assert logged() == ["one", "two"]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert {path.name for path in folder.iterdir()} <= {
        *("mlflow.db", "mlartifacts", "params.yaml", ".pocketear", ARTIFACT)
    }
