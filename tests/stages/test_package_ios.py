import plistlib
import re
import zipfile
from pathlib import Path

import pytest

from packaged_project import names, package, specification, write_project
from pocketear.base.errors import PackagingError, RunnerError


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accepted")
    write_project(folder)
    return package("ios", folder)


def test_the_package_holds_sources_model_tests_and_vectors(built: Path) -> None:
    found = names(built / "CryLaugh")
    assert {
        "Package.swift",
        "MODEL_CARD.md",
        "Sources/CryLaugh/SoundListener.swift",
        "Sources/CryLaugh/Model/cry_laugh.mlpackage/Manifest.json",
        "Sources/CryLaugh/Model/cry_laugh_window.mlpackage/Manifest.json",
        "Sources/CryLaugh/Model/cry_laugh.mlpackage/Data/com.apple.CoreML/model.mlmodel",
        "Tests/CryLaughTests/SoundListenerTests.swift",
        "Tests/CryLaughTests/Vectors/front_end.json",
        "Tests/CryLaughTests/Vectors/detector.json",
        "Tests/CryLaughTests/Vectors/windows.json",
    } <= found
    assert not [name for name in found if "README" in name]
    left_out = re.findall(r'exclude: \["(\w+)"\]', (built / "CryLaugh/Package.swift").read_text())
    assert left_out == ["Vectors"]  # SwiftPM warns of a file that is neither source nor left out


def test_the_model_in_it_is_the_one_that_was_judged(built: Path) -> None:
    judged = built.parents[1] / "models/coreml/cry_laugh_fp16.mlpackage"
    shipped = built / "CryLaugh/Sources/CryLaugh/Model/cry_laugh.mlpackage"
    assert names(judged) == names(shipped)
    for name in names(judged):
        assert (shipped / name).read_bytes() == (judged / name).read_bytes()


def test_the_zip_holds_the_same_package(built: Path) -> None:
    with zipfile.ZipFile(built / "CryLaugh-0.1.0.zip") as archive:
        for name in archive.namelist():
            assert archive.read(name) == (built / name).read_bytes()
        assert len(archive.namelist()) == len(names(built / "CryLaugh"))


def test_another_module_name_goes_everywhere(tmp_path: Path) -> None:
    write_project(tmp_path, module="CryDetector")
    built = package("ios", tmp_path) / "CryDetector"
    manifest = (built / "Package.swift").read_text()
    assert 'name: "CryDetector"' in manifest
    assert "PocketEar" not in manifest
    assert (built / "Sources/CryDetector/SoundListener.swift").is_file()
    test = (built / "Tests/CryDetectorTests/SoundListenerTests.swift").read_text()
    assert "@testable import CryDetector\n" in test
    assert "CryDetector.SoundEvent" in test
    assert "PocketEar" not in test


@pytest.mark.parametrize("module", ["SoundListener", "SoundEvent", "ListenerState"])
def test_a_module_named_as_a_type_in_it_is_refused(module: str, tmp_path: Path) -> None:
    write_project(tmp_path, module=module)
    with pytest.raises(PackagingError, match=f"ios_module: {module} is also a type .*choose"):
        package("ios", tmp_path)
    assert not (tmp_path / "build").exists()


def test_a_model_without_a_card_is_refused(tmp_path: Path) -> None:
    write_project(tmp_path)
    model = next(tmp_path.rglob("model.mlmodel"))
    model.write_bytes(bytes(1000))
    with pytest.raises(RunnerError, match=r"fp16.mlpackage: no model card in its metadata"):
        package("ios", tmp_path)
    model.write_bytes(specification("{}"))
    with pytest.raises(RunnerError, match=r"fp16.mlpackage: .*name is missing"):
        package("ios", tmp_path)
    model.unlink()
    with pytest.raises(RunnerError, match=r"model.mlmodel: cannot be read"):
        package("ios", tmp_path)


def test_a_missing_model_says_so(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "models/coreml").rename(tmp_path / "models/elsewhere")
    with pytest.raises(PackagingError, match=r"cry_laugh_fp16.mlpackage: not found"):
        package("ios", tmp_path)


# https://developer.apple.com/documentation/bundleresources/describing-use-of-required-reason-api
WANT_A_REASON = re.compile(
    r"\b(creationDate|modificationDate|fileModificationDate|contentModificationDateKey|creationDateKey"
    r"|f?getattrlist(bulk|at)?|[fl]?stat(at|fs|vfs)?\(|fstatv?fs|systemUptime|mach_absolute_time"
    r"|volume(Available|Total)Capacity\w*|systemFreeSize|systemSize|activeInputModes|UserDefaults)"
)


def test_the_privacy_manifest_says_what_the_sources_do(built: Path) -> None:
    module = built / "CryLaugh/Sources/CryLaugh"
    manifest = plistlib.loads((module / "PrivacyInfo.xcprivacy").read_bytes())
    assert manifest == {
        "NSPrivacyCollectedDataTypes": [],
        "NSPrivacyAccessedAPITypes": [],
        "NSPrivacyTracking": False,
        "NSPrivacyTrackingDomains": [],
    }
    assert '.copy("PrivacyInfo.xcprivacy")' in (built / "CryLaugh/Package.swift").read_text()
    sources = {path.name: path.read_text() for path in module.glob("*.swift")}
    assert len(sources) > 10
    for name, text in sources.items():
        assert not WANT_A_REASON.search(text), name
        assert not re.search(r"\b(URLSession|NWConnection|import Network)\b", text), name
