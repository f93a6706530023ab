"""What the Android and the iOS package have in common."""

import json
import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from packaged_project import STAGES, names, package, package_or_skip, write_project
from pocketear.base.errors import DataError
from pocketear.contracts.verdict import Verdict

pytestmark = pytest.mark.slow  # a Kotlin compiler runs


@pytest.fixture(scope="module", params=STAGES)
def system(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def built(system: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accepted")
    write_project(folder)
    return package_or_skip(system, folder)


def test_sums_are_what_sha256sum_accepts(built: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=built)
    assert done.returncode == 0
    listed = {line.split("  ")[1] for line in (built / "SHA256SUMS").read_text().splitlines()}
    assert listed == names(built) - {"SHA256SUMS"}


def test_two_builds_are_the_same_bytes(system: str, built: Path, tmp_path: Path) -> None:
    write_project(tmp_path)
    again = package(system, tmp_path)
    assert (again / "SHA256SUMS").read_bytes() == (built / "SHA256SUMS").read_bytes()


def test_the_model_card_says_what_was_accepted(built: Path) -> None:
    rows = [re.split(r" *\| *", line)[1:-1] for line in card_of(built) if line.startswith("|")]
    assert "## Verdict: accepted" in card_of(built)
    assert ["LiteRT int8: accuracy", "≥ 80.0 %", "93.8 %"] in rows
    assert next(row for row in rows if "YAMNet" in row[0])[1:] == ["≤ 0.5", "within it"]
    assert ["Thresholds", "crying_baby 0.6, laughing 0.7"] in rows
    assert ["dataset", "ab" * 32] in rows


def card_of(built: Path) -> list[str]:
    return (built / "MODEL_CARD.md").read_text(encoding="utf-8").splitlines()


def test_a_refused_verdict_leaves_its_reasons_and_nothing_to_install(
    system: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not fail: DVC saves no experiment with a stage that failed."""
    reasons = ("accuracy: low", "int8: <b>flips</b>")
    write_project(tmp_path, Verdict(accepted=False, reasons=reasons, absent=(), gates=()))
    former = tmp_path / "build" / system / "former.aar"
    former.parent.mkdir(parents=True)
    former.write_bytes(b"accepted")
    built = package(system, tmp_path)
    assert names(built) == {"REFUSED.md"}
    written = (built / "REFUSED.md").read_text()
    assert "- accuracy: low\n- int8: &lt;b&gt;flips" in written
    printed = capsys.readouterr().out
    assert (
        f"package_{system}: refused, so nothing is packaged; build/{system}/REFUSED.md" in printed
    )
    assert printed.endswith("accuracy: low; int8: <b>flips</b>\n")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"accepted": "true", "reasons": []}'])
def test_what_is_not_a_verdict_builds_nothing(text: str, system: str, tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "reports/verdict.json").write_text(text)
    with pytest.raises(DataError, match=r"verdict.json: damaged, or written by another version"):
        package(system, tmp_path)
    (tmp_path / "reports/verdict.json").unlink()
    with pytest.raises(DataError, match=r"verdict.json: not found"):
        package(system, tmp_path)
    assert not (tmp_path / "build").exists()


def test_the_list_of_parts_is_valid_cyclonedx_and_names_all_that_ships(
    system: str, built: Path
) -> None:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = (built / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parts = json.loads(text)
    assert "timestamp" not in text and "serialNumber" not in parts
    by_kind: dict[str, list[str]] = {}
    for part in parts["components"]:
        by_kind.setdefault(part["type"], []).append(part["name"])
    assert len(by_kind["machine-learning-model"]) == 1
    if system == "android":
        (aar,) = built.glob("cry-laugh-*.aar")
        with zipfile.ZipFile(aar) as archive:
            assert sorted(by_kind["file"]) == sorted(archive.namelist())
        needed = [
            name
            for pom in sorted(built.glob("maven/**/*.pom"))  # the model's, then the runtime's
            for name in re.findall(r"<dependency>.*?<artifactId>(.*?)<", pom.read_text(), re.DOTALL)
        ]
        assert by_kind["library"] == needed
    else:
        (archive_path,) = built.glob("*.zip")
        with zipfile.ZipFile(archive_path) as archive:
            assert sorted(by_kind["file"]) == sorted(archive.namelist())
        assert "library" not in by_kind
