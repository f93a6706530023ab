"""What several tests stand on: the real recordings, a project folder of one's own, real sounds."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from places import ESC10, ROOT

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# No deadline: a test says what is right, never how fast a busy machine is. Derandomised: a red
# run can be repeated.
settings.register_profile("pocketear", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("pocketear")


@pytest.fixture(scope="session")
def esc10() -> Path:
    """The ESC-10 recordings beside the checkout; a test skips where they are not."""
    if not (ESC10 / "clips.csv").is_file():
        pytest.skip("the ESC-10 recordings are not at ../shared/data/esc10")
    return ESC10


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with this project's params.yaml, as the working folder."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with features and every exported file of a model that was never trained."""
    from exported_project import make_exported

    return make_exported(tmp_path_factory.mktemp("exported"))
