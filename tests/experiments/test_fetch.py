"""Files of a version, from a registry that somebody else wrote to: a real MLflow store."""

import zipfile
from pathlib import Path

import pytest

from judged_project import write_judged
from pocketear.base import archive
from pocketear.base.errors import PackagingError
from pocketear.experiments import promotion, registry
from pocketear.experiments.candidate import Candidate
from pocketear.experiments.registry import Version
from pocketear.params import load_params

pytest_plugins = ["tracked_project"]
pytestmark = pytest.mark.slow


@pytest.fixture
def version(tracked: Path) -> Version:
    write_judged(tracked)
    return registry.register(Candidate(Path("models"), Path("reports"), load_params()))


@pytest.fixture
def stored(version: Version) -> Path:
    """Where the store keeps the model files of the version."""
    (card,) = Path("mlartifacts").rglob("versions/*/models/MODEL_CARD.md")
    return card.parent


def test_what_was_registered_comes_back(version: Version, stored: Path, tmp_path: Path) -> None:
    folder = promotion.fetch(version, tmp_path / "champion")
    assert (folder / "MODEL_CARD.md").read_bytes() == (stored / "MODEL_CARD.md").read_bytes()


@pytest.mark.parametrize("name", ["...zip", "a.zip"])
def test_no_file_is_written_outside_its_folder(
    name: str, version: Version, stored: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(stored / name, "w") as bad:
        bad.writestr("evil" if name == "...zip" else "../../evil", b"x")
    with pytest.raises(PackagingError, match="refused"):
        promotion.fetch(version, tmp_path / "deep/champion")
    assert not list(tmp_path.rglob("evil"))
    assert not (tmp_path / "deep/champion").exists()


def test_more_than_a_model_is_not_downloaded(
    version: Version, stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (stored / "large.bin").open("wb") as file:
        file.truncate(archive.MOST_BYTES + 1)  # a hole: it takes no space
    with pytest.raises(PackagingError, match="want at most"):
        promotion.fetch(version, tmp_path / "champion")
    assert not list(tmp_path.rglob("champion/large.bin"))
