"""home: which folder a project's caches and MLflow's database lie in."""

from pathlib import Path

import pytest

from pocketear.base.home import home
from pocketear.experiments.client import address


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        ("project", "project"),
        ("project/.dvc/tmp/exps/tmpa1b2", "project"),  # `dvc exp run --temp`, or of the queue
        ("project/.dvc/tmp/exps/standalone/tmpa1b2/sub", "project"),
        ("project/.pocketear/copies/0a1b/fold_1", "project"),
        ("project/.pocketear/copies/0a1b/.dvc/tmp/exps/tmpa1b2", "project"),
        ("project/.dvc/tmp", "project/.dvc/tmp"),
    ],
)
def test_a_copy_belongs_to_its_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, expected: str
) -> None:
    (tmp_path / here).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / here)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert home().absolute() == tmp_path / expected
    assert address() == f"sqlite:///{tmp_path / expected}/mlflow.db"
