"""What a release holds, and what is not released."""

import subprocess
import sys
from pathlib import Path

import pytest

from packaged_project import ACCEPTED
from places import ROOT
from pocketear.base.archive import read_zip
from pocketear.contracts.report_file import write


def release(tag: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "tools/release.py"), tag],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def built(project: Path) -> Path:
    """A project with packages, as files of those names."""
    for name in (
        "build/android/maven/dev/pocketear/cry-laugh/0.1.0/cry-laugh-0.1.0.aar",
        "build/android/MODEL_CARD.md",
        "build/android/sbom.cdx.json",
        "build/ios/CryLaugh-0.1.0.zip",
        "build/ios/sbom.cdx.json",
        "reports/report.html",
    ):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(name)
    write(ACCEPTED, project / "reports/verdict.json")
    return project


def test_a_release_has_both_packages_and_their_checksums(built: Path) -> None:
    done = release("v0.1.0")
    assert done.returncode == 0, done.stderr
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd="release", capture_output=True, text=True, check=True,
    )  # fmt: skip
    files = {line.partition(":")[0] for line in checked.stdout.splitlines()}
    assert files == {path.name for path in Path("release").iterdir()} - {"SHA256SUMS"}
    assert {"CryLaugh-0.1.0.zip", "verdict.json", "android.cdx.json", "ios.cdx.json"} < files
    (maven,) = read_zip(Path("release/cry_laugh-0.1.0-maven.zip"))
    assert maven == "dev/pocketear/cry-laugh/0.1.0/cry-laugh-0.1.0.aar"


def test_a_tag_of_another_version_a_refusal_and_missing_packages_are_one_line(built: Path) -> None:
    other = release("v0.2.0")
    write(ACCEPTED.model_copy(update={"accepted": False, "reasons": ("too slow",)}),
          Path("reports/verdict.json"))  # fmt: skip
    refused = release("v0.1.0")
    write(ACCEPTED, Path("reports/verdict.json"))
    Path("build/ios/CryLaugh-0.1.0.zip").unlink()
    missing = release("v0.1.0")
    assert not Path("release").exists()
    for done, said in (
        (other, "error: the tag is v0.2.0, and package.version in params.yaml is 0.1.0"),
        (refused, "error: refused, so not released: too slow"),
        (missing, "error: no packages in build/android and build/ios; `make run` builds both"),
    ):
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert done.stderr.startswith(said)
