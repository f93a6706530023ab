"""Fixtures: a project's folder with a real, empty MLflow store of its own."""

import shutil
from pathlib import Path

import pytest

from places import ROOT
from pocketear.experiments.client import connect


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """A store whose tables are made: making them takes most of a test's time."""
    place = tmp_path_factory.mktemp("store") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{place}")
        with connect() as client:
            client.search_experiments()
    return place


@pytest.fixture
def tracked(tmp_path, monkeypatch, empty_store):
    """A project's folder with parameters, a dataset that DVC knows, and an empty local store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    Path("data/split").mkdir(parents=True)
    Path("data/split/clips.parquet").write_bytes(b"clips")
    Path("dvc.lock").write_text(
        "stages: {split: {outs: [{path: data/split/clips.parquet, md5: 0123456789abcdef}]}}"
    )
    return tmp_path
