"""What several tests stand on: the real recordings, a project folder of one's own, real sounds."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ESC10 = ROOT.parent / "shared" / "data" / "esc10"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def esc10() -> Path:
    """The ESC-10 recordings beside the checkout; a test that needs them skips where they are not."""
    if not (ESC10 / "clips.csv").is_file():
        pytest.skip("the ESC-10 recordings are not at ../shared/data/esc10")
    return ESC10


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project folder with this project's params.yaml, as the working folder."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path
