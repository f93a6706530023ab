import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pocketear import kotlin
from pocketear.errors import PackagingError, RunnerError
from pocketear.model_file import card_for, read_card, settings_json, write_card
from pocketear.params import load_params
from pocketear.stages import package_android
from tiny_model import LABELS, tiny_card, tiny_tflite

ROOT = Path(__file__).parents[2]
GATE = {"name": "litert_int8.accuracy", "sense": "at least", "limit": 0.8, "value": 0.9375,
        "unit": "", "passed": True, "reason": ""}  # fmt: skip
TIMED = {**GATE, "name": "host.ratio", "sense": "at most", "limit": 0.5, "value": 0.123456}
ACCEPTED = {"accepted": True, "reasons": [], "gates": [GATE, TIMED]}
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")


def write_project(folder: Path, verdict: dict) -> None:
    """A project's folder as `gate` leaves it, with the real sources and what they compiled to."""
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (folder / "reports").mkdir()
    (folder / "reports/verdict.json").write_text(json.dumps(verdict))
    (folder / "mobile").symlink_to(ROOT / "mobile")
    (ROOT / kotlin.CACHE).mkdir(parents=True, exist_ok=True)
    (folder / kotlin.CACHE).parent.mkdir(exist_ok=True)
    (folder / kotlin.CACHE).symlink_to(ROOT / kotlin.CACHE)
    params = load_params(folder / "params.yaml")
    listener = settings_json(tiny_card().listener)
    card = card_for(params, LABELS, listener, "int8", {"dataset": "ab" * 32})
    models = folder / "models/litert"
    models.mkdir(parents=True)
    path = models / f"{params.package.name}_{params.export.android}.tflite"
    path.write_bytes(write_card(tiny_tflite(), card))


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    out = Path("build/android")
    package_android.main(Path("reports/verdict.json"), Path("models"), out)
    return folder / out


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accepted")
    write_project(folder, ACCEPTED)
    with pytest.MonkeyPatch.context() as monkeypatch:
        return run(folder, monkeypatch)


@pytest.fixture(scope="module")
def aar(built: Path) -> Path:
    return next(built.glob("*.aar"))


def test_the_aar_holds_what_gradle_wants(aar: Path) -> None:
    with zipfile.ZipFile(aar) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        assert set(entries) == {
            "AndroidManifest.xml", "classes.jar", "R.txt", "proguard.txt",
            "assets/pocketear/cry_laugh.tflite",
            "META-INF/com/android/build/gradle/aar-metadata.properties",
        }  # fmt: skip
        model = entries["assets/pocketear/cry_laugh.tflite"]
        assert model.compress_type == zipfile.ZIP_STORED
        manifest = ElementTree.fromstring(archive.read("AndroidManifest.xml"))  # noqa: S314
    android = "{http://schemas.android.com/apk/res/android}"
    assert manifest.get("package") == "dev.pocketear.cry_laugh"
    assert manifest.find("uses-sdk").get(f"{android}minSdkVersion") == "23"
    assert manifest.find("uses-permission").get(f"{android}name").endswith("RECORD_AUDIO")


def test_the_model_in_it_is_the_one_that_was_judged(aar: Path, built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(aar) as archive:
        path = Path(archive.extract("assets/pocketear/cry_laugh.tflite", tmp_path))
    judged = built.parents[1] / "models/litert/cry_laugh_int8.tflite"
    assert path.read_bytes() == judged.read_bytes()
    assert read_card(path).labels == LABELS


def test_the_maven_layout_holds_the_aar_with_its_checksums(built: Path, aar: Path) -> None:
    folder = built / "maven/dev/pocketear/cry-laugh"
    version = folder / "0.1.0"
    assert (version / "cry-laugh-0.1.0.aar").read_bytes() == aar.read_bytes()
    files = [path for path in built.joinpath("maven").rglob("*") if path.is_file()]
    plain = [path for path in files if path.suffix in (".aar", ".pom", ".jar", ".xml")]
    assert len(plain) == 4
    assert len(files) == 16
    for path in plain:
        for kind in ("md5", "sha1", "sha256"):
            found = Path(f"{path}.{kind}").read_text()
            assert found == hashlib.new(kind, path.read_bytes()).hexdigest()
    pom = (version / "cry-laugh-0.1.0.pom").read_text()
    assert "<packaging>aar</packaging>" in pom
    assert "com.google.ai.edge.litert" in pom
    assert "://" not in pom.replace("http://maven.apache.org/POM/4.0.0", "")
    with zipfile.ZipFile(version / "cry-laugh-0.1.0-sources.jar") as sources:
        assert "dev/pocketear/SoundListener.kt" in sources.namelist()


def test_sums_are_what_sha256sum_accepts(built: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=built)
    assert done.returncode == 0
    listed = {line.split("  ")[1] for line in (built / "SHA256SUMS").read_text().splitlines()}
    files = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    assert listed == files - {"SHA256SUMS"}


def test_two_builds_are_the_same_bytes(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, ACCEPTED)
    again = run(tmp_path, monkeypatch)
    assert (again / "SHA256SUMS").read_bytes() == (built / "SHA256SUMS").read_bytes()


def test_the_stopwatch_leaves_no_trace(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slower = {**ACCEPTED, "gates": [GATE, {**TIMED, "value": 0.4}]}
    write_project(tmp_path, slower)
    again = run(tmp_path, monkeypatch)
    assert (again / "SHA256SUMS").read_bytes() == (built / "SHA256SUMS").read_bytes()


def test_the_model_card_says_what_was_accepted(built: Path) -> None:
    text = (built / "MODEL_CARD.md").read_text()
    assert "| litert_int8.accuracy | at least 0.8 | 0.9375 |" in text
    assert "| host.ratio | at most 0.5 | passed |" in text
    assert "crying_baby 0.6, laughing 0.7" in text
    assert re.search(r"\| dataset \| (ab){32} \|", text)


def test_a_refused_verdict_builds_nothing_and_says_every_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, {"accepted": False, "reasons": ["accuracy: low", "int8: flips"]})
    with pytest.raises(PackagingError, match=r"not accepted.*accuracy: low; int8: flips"):
        run(tmp_path, monkeypatch)
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"accepted": "true", "reasons": []}'])
def test_what_is_not_a_verdict_builds_nothing(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, ACCEPTED)
    (tmp_path / "reports/verdict.json").write_text(text)
    with pytest.raises(PackagingError, match=r"verdict.json: not a"):
        run(tmp_path, monkeypatch)


def test_a_missing_verdict_or_model_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, ACCEPTED)
    (tmp_path / "models/litert/cry_laugh_int8.tflite").unlink()
    with pytest.raises(RunnerError, match=r"cry_laugh_int8.tflite: not found"):
        run(tmp_path, monkeypatch)
    (tmp_path / "reports/verdict.json").unlink()
    with pytest.raises(PackagingError, match=r"verdict.json: not found"):
        run(tmp_path, monkeypatch)


def test_without_a_jdk_the_package_is_made_of_what_there_is_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_project(tmp_path, ACCEPTED)
    (tmp_path / kotlin.CACHE).unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    built = run(tmp_path, monkeypatch)
    assert "classes.jar is empty: no JDK found; install" in capsys.readouterr().err
    with zipfile.ZipFile(next(built.glob("*.aar"))) as archive:
        assert archive.getinfo("assets/pocketear/cry_laugh.tflite").file_size > 1000
        (tmp_path / "classes.jar").write_bytes(archive.read("classes.jar"))
    assert zipfile.ZipFile(tmp_path / "classes.jar").namelist() == []


def with_classes(aar: Path, folder: Path) -> Path:
    with zipfile.ZipFile(aar) as archive:
        classes = Path(archive.extract("classes.jar", folder))
    if not zipfile.ZipFile(classes).namelist():
        pytest.skip("classes.jar is empty: no JDK or Maven here")
    return classes


APP = """
import android.app.Activity
import dev.pocketear.SoundListener

class App : Activity() {
    private val listener by lazy { SoundListener(this) }

    override fun onResume() {
        super.onResume()
        if (!listener.mayListen) return listener.askFor(this, requestCode = 1)
        listener.start { event -> title = "${event.label} at ${event.startSeconds} s" }
    }
}
"""


@pytest.mark.slow
def test_an_app_compiles_against_the_aar(aar: Path, tmp_path: Path) -> None:
    classes = with_classes(aar, tmp_path)
    lib = kotlin.fetch_toolchain(ROOT / "mobile/android/toolchain", ROOT / kotlin.CACHE)
    (tmp_path / "App.kt").write_text(APP)
    used = [classes, lib / kotlin._ANDROID, lib / kotlin._STDLIB]
    kotlin._kotlinc(lib, [tmp_path / "App.kt"], tmp_path / "app", used, [])
    assert (tmp_path / "app/App.class").is_file()


@pytest.mark.skipif(not shutil.which("aapt2"), reason="no aapt2 (Debian: aapt)")
@pytest.mark.skipif(not FRAMEWORK.is_file(), reason="no Debian android-framework-res")
def test_androids_own_tools_take_it(aar: Path, tmp_path: Path) -> None:
    listed = subprocess.run(["aapt", "list", aar], capture_output=True, text=True, check=True)
    assert "classes.jar" in listed.stdout.splitlines()
    with zipfile.ZipFile(aar) as archive:
        archive.extractall(tmp_path)
    apk = tmp_path / "app.apk"
    link = ["aapt2", "link", "-I", FRAMEWORK, "--manifest", tmp_path / "AndroidManifest.xml"]
    assets = ["-A", tmp_path / "assets", "-0", ".tflite", "-o", apk]
    subprocess.run([*link, *assets], check=True, capture_output=True)
    badging = subprocess.run(
        ["aapt", "dump", "badging", apk], capture_output=True, text=True, check=True
    ).stdout
    assert "package: name='dev.pocketear.cry_laugh'" in badging
    assert "sdkVersion:'23'" in badging
    assert "uses-permission: name='android.permission.RECORD_AUDIO'" in badging
    with zipfile.ZipFile(apk) as archive:
        entry = archive.getinfo("assets/pocketear/cry_laugh.tflite")
    assert entry.compress_type == zipfile.ZIP_STORED
