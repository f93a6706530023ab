import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from pocketear.errors import PackagingError, RunnerError
from pocketear.model_file import CARD, card_for, card_json, settings_json
from pocketear.params import load_params
from pocketear.stages import package_ios
from tiny_model import LABELS, tiny_card

ROOT = Path(__file__).parents[2]
GATE = {"name": "coreml_fp16.accuracy", "sense": "at least", "limit": 0.8, "value": 0.9375,
        "unit": "", "passed": True, "reason": ""}  # fmt: skip
TIMED = {**GATE, "name": "host.ratio", "sense": "at most", "limit": 0.5, "value": 0.123456}
ACCEPTED = {"accepted": True, "reasons": [], "gates": [GATE, TIMED]}


def specification(card: str) -> bytes:
    """What of a Core ML specification matters here: metadata between other bytes."""
    value = card.encode()
    size = bytes([len(value) & 0x7F | 0x80, len(value) >> 7])
    entry = b"\n" + bytes([len(CARD)]) + CARD.encode() + b"\x12" + size + value
    return b"\x08\x07" + bytes(100) + entry + bytes(100)


def write_project(folder: Path, verdict: dict, module: str = "SoundListener") -> None:
    """A project's folder as `gate` leaves it, with the real Swift sources and vectors."""
    text = (ROOT / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("SoundListener", module))
    (folder / "reports").mkdir()
    (folder / "reports/verdict.json").write_text(json.dumps(verdict))
    (folder / "mobile").symlink_to(ROOT / "mobile")
    (folder / "tests").symlink_to(ROOT / "tests")
    params = load_params(folder / "params.yaml")
    card = card_for(params, LABELS, settings_json(tiny_card().listener), "fp16")
    data = folder / "models/coreml/cry_laugh_fp16.mlpackage/Data/com.apple.CoreML"
    (data / "weights").mkdir(parents=True)
    (data / "weights/weight.bin").write_bytes(b"weights")
    (data / "model.mlmodel").write_bytes(specification(card_json(card)))
    (data.parents[1] / "Manifest.json").write_text("{}")


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    package_ios.main(Path("reports/verdict.json"), Path("models"), Path("build/ios"))
    return folder / "build/ios"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accepted")
    write_project(folder, ACCEPTED)
    with pytest.MonkeyPatch.context() as monkeypatch:
        return run(folder, monkeypatch)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_package_holds_sources_model_tests_and_vectors(built: Path) -> None:
    found = names(built / "SoundListener")
    assert {
        "Package.swift",
        "MODEL_CARD.md",
        "Sources/SoundListener/SoundListener.swift",
        "Sources/SoundListener/Model/cry_laugh.mlpackage/Manifest.json",
        "Sources/SoundListener/Model/cry_laugh.mlpackage/Data/com.apple.CoreML/model.mlmodel",
        "Tests/SoundListenerTests/ListenerTests.swift",
        "Tests/SoundListenerTests/Vectors/listener.json",
        "Tests/SoundListenerTests/Vectors/windows.json",
    } <= found
    assert not [name for name in found if "README" in name]


def test_the_model_in_it_is_the_one_that_was_judged(built: Path) -> None:
    judged = built.parents[1] / "models/coreml/cry_laugh_fp16.mlpackage"
    shipped = built / "SoundListener/Sources/SoundListener/Model/cry_laugh.mlpackage"
    assert names(judged) == names(shipped)
    for name in names(judged):
        assert (shipped / name).read_bytes() == (judged / name).read_bytes()


def test_the_zip_holds_the_same_package(built: Path) -> None:
    with zipfile.ZipFile(built / "SoundListener-0.1.0.zip") as archive:
        for name in archive.namelist():
            assert archive.read(name) == (built / name).read_bytes()
        assert len(archive.namelist()) == len(names(built / "SoundListener"))


def test_another_module_name_goes_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, ACCEPTED, module="CryDetector")
    built = run(tmp_path, monkeypatch) / "CryDetector"
    manifest = (built / "Package.swift").read_text()
    assert 'name: "CryDetector"' in manifest
    assert "SoundListener" not in manifest
    assert (built / "Sources/CryDetector/SoundListener.swift").is_file()
    test = (built / "Tests/CryDetectorTests/ListenerTests.swift").read_text()
    assert "@testable import CryDetector\n" in test


def test_sums_are_what_sha256sum_accepts(built: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=built)
    assert done.returncode == 0
    listed = {line.split("  ")[1] for line in (built / "SHA256SUMS").read_text().splitlines()}
    assert listed == names(built) - {"SHA256SUMS"}


def test_two_builds_are_the_same_bytes_whatever_the_stopwatch_said(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, {**ACCEPTED, "gates": [GATE, {**TIMED, "value": 0.4}]})
    again = run(tmp_path, monkeypatch)
    assert (again / "SHA256SUMS").read_bytes() == (built / "SHA256SUMS").read_bytes()


def test_the_model_card_says_what_was_accepted(built: Path) -> None:
    text = (built / "MODEL_CARD.md").read_text()
    assert "| coreml_fp16.accuracy | at least 0.8 | 0.9375 |" in text
    assert "| host.ratio | at most 0.5 | passed |" in text


def test_a_refused_verdict_builds_nothing_and_says_every_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, {"accepted": False, "reasons": ["accuracy: low", "fp16: flips"]})
    with pytest.raises(PackagingError, match=r"not accepted.*accuracy: low; fp16: flips"):
        run(tmp_path, monkeypatch)
    assert not (tmp_path / "build").exists()


def test_a_model_without_a_card_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, ACCEPTED)
    model = next(tmp_path.rglob("model.mlmodel"))
    model.write_bytes(bytes(1000))
    with pytest.raises(RunnerError, match=r"fp16.mlpackage: no model card in its metadata"):
        run(tmp_path, monkeypatch)
    model.write_bytes(specification("{}"))
    with pytest.raises(RunnerError, match=r"fp16.mlpackage: .*name is missing"):
        run(tmp_path, monkeypatch)
    model.unlink()
    with pytest.raises(RunnerError, match=r"model.mlmodel: cannot be read"):
        run(tmp_path, monkeypatch)


def test_a_missing_model_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, ACCEPTED)
    (tmp_path / "models/coreml").rename(tmp_path / "models/elsewhere")
    with pytest.raises(PackagingError, match=r"cry_laugh_fp16.mlpackage: not found"):
        run(tmp_path, monkeypatch)
