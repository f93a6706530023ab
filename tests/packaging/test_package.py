"""What the Android and the iOS package have in common."""

import re
import subprocess
from pathlib import Path

import pytest

from packaged_project import ACCEPTED, GATE, STAGES, TIMED, names, package, write_project
from pocketear.base.errors import PackagingError


@pytest.fixture(scope="module", params=STAGES)
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def built(system: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accepted")
    write_project(folder)
    return package(system, folder)


def test_sums_are_what_sha256sum_accepts(built: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=built)
    assert done.returncode == 0
    listed = {line.split("  ")[1] for line in (built / "SHA256SUMS").read_text().splitlines()}
    assert listed == names(built) - {"SHA256SUMS"}


def test_two_builds_are_the_same_bytes_whatever_the_stopwatch_said(
    system: str, built: Path, tmp_path: Path
) -> None:
    write_project(tmp_path, {**ACCEPTED, "gates": [GATE, {**TIMED, "value": 0.4}]})
    again = package(system, tmp_path)
    assert (again / "SHA256SUMS").read_bytes() == (built / "SHA256SUMS").read_bytes()


def test_the_model_card_says_what_was_accepted(built: Path) -> None:
    text = (built / "MODEL_CARD.md").read_text()
    assert "| litert_int8.accuracy | at least 0.8 | 0.9375 |" in text
    assert "| host.ratio | at most 0.5 | passed |" in text
    assert "crying_baby 0.6, laughing 0.7" in text
    assert re.search(r"\| dataset \| (ab){32} \|", text)


def test_a_refused_verdict_builds_nothing_and_says_every_reason(
    system: str, tmp_path: Path
) -> None:
    write_project(tmp_path, {"accepted": False, "reasons": ["accuracy: low", "int8: flips"]})
    with pytest.raises(PackagingError, match=r"not accepted.*accuracy: low; int8: flips"):
        package(system, tmp_path)
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"accepted": "true", "reasons": []}'])
def test_what_is_not_a_verdict_builds_nothing(text: str, system: str, tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "reports/verdict.json").write_text(text)
    with pytest.raises(PackagingError, match=r"verdict.json: not a"):
        package(system, tmp_path)
    (tmp_path / "reports/verdict.json").unlink()
    with pytest.raises(PackagingError, match=r"verdict.json: not found"):
        package(system, tmp_path)
