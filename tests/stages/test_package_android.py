import hashlib
import io
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from packaged_project import package, package_or_skip, write_project
from places import ROOT
from pocketear.base.errors import PackagingError, RunnerError
from pocketear.packaging import kotlin
from pocketear.runtimes.card import read_card
from pocketear.stages.package_android import RUNTIME
from tiny_model import LABELS

FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accepted")
    write_project(folder)
    return package_or_skip("android", folder)


@pytest.fixture(scope="module")
def aar(built: Path) -> Path:
    return built / "cry-laugh-0.1.0.aar"


@pytest.fixture(scope="module")
def runtime(built: Path) -> Path:
    return built / f"{RUNTIME.name}-{RUNTIME.version}.aar"


ANDROID = "{http://schemas.android.com/apk/res/android}"
BOTH = {
    "AndroidManifest.xml", "classes.jar", "R.txt",
    "META-INF/com/android/build/gradle/aar-metadata.properties",
}  # fmt: skip


def manifest_of(aar: Path) -> ElementTree.Element:
    with zipfile.ZipFile(aar) as archive:
        return ElementTree.fromstring(archive.read("AndroidManifest.xml"))  # noqa: S314


def test_the_aar_of_the_model_holds_files_only(aar: Path) -> None:
    with zipfile.ZipFile(aar) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        assert set(entries) == BOTH | {
            "assets/pocketear/cry_laugh.tflite", "assets/pocketear/cry_laugh_window.tflite",
        }  # fmt: skip
        models = [entry for name, entry in entries.items() if name.endswith(".tflite")]
        assert {model.compress_type for model in models} == {zipfile.ZIP_STORED}
        with zipfile.ZipFile(io.BytesIO(archive.read("classes.jar"))) as classes:
            assert not [name for name in classes.namelist() if name.endswith(".class")]
    manifest = manifest_of(aar)
    assert manifest.get("package") == "dev.pocketear.cry_laugh"
    assert [child.tag for child in manifest] == ["uses-sdk"]


def test_the_aar_of_the_runtime_holds_code_only(runtime: Path) -> None:
    with zipfile.ZipFile(runtime) as archive:
        assert set(archive.namelist()) == BOTH | {"proguard.txt"}
    manifest = manifest_of(runtime)
    assert manifest.get("package") == "dev.pocketear"
    sdk, permission = manifest.findall("uses-sdk"), manifest.findall("uses-permission")
    assert [one.get(f"{ANDROID}minSdkVersion") for one in sdk] == ["23"]
    assert [one.get(f"{ANDROID}name") for one in permission] == ["android.permission.RECORD_AUDIO"]
    features = {
        one.get(f"{ANDROID}name"): one.get(f"{ANDROID}required")
        for one in manifest.findall("uses-feature")
    }
    assert features == {"android.hardware.microphone": "false"}  # RECORD_AUDIO implies "true"


def test_the_model_in_it_is_the_one_that_was_judged(aar: Path, built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(aar) as archive:
        path = Path(archive.extract("assets/pocketear/cry_laugh.tflite", tmp_path))
    judged = built.parents[1] / "models/litert/cry_laugh_int8.tflite"
    assert path.read_bytes() == judged.read_bytes()
    assert read_card(path).labels == LABELS


def test_the_maven_layout_holds_both_aars_with_their_checksums(
    built: Path, aar: Path, runtime: Path
) -> None:
    folder = built / "maven/dev/pocketear"
    model, code = folder / "cry-laugh/0.1.0", folder / RUNTIME.name / RUNTIME.version
    assert (model / aar.name).read_bytes() == aar.read_bytes()
    assert (code / runtime.name).read_bytes() == runtime.read_bytes()
    files = [path for path in built.joinpath("maven").rglob("*") if path.is_file()]
    plain = [path for path in files if path.suffix in (".aar", ".pom", ".jar", ".xml")]
    assert len(plain) == 7
    assert len(files) == 28
    for path in plain:
        for kind in ("md5", "sha1", "sha256"):
            found = Path(f"{path}.{kind}").read_text()
            assert found == hashlib.new(kind, path.read_bytes()).hexdigest()
    pom = (model / "cry-laugh-0.1.0.pom").read_text()
    assert "<packaging>aar</packaging>" in pom
    assert re.findall("<artifactId>(.*?)<", pom) == ["cry-laugh", RUNTIME.name]
    assert "<type>aar</type>" in pom  # else Maven looks for a jar
    pom = (code / f"{runtime.stem}.pom").read_text()
    assert "com.google.ai.edge.litert" in pom
    assert "://" not in pom.replace("http://maven.apache.org/POM/4.0.0", "")
    with zipfile.ZipFile(code / f"{runtime.stem}-sources.jar") as sources:
        assert "dev/pocketear/SoundListener.kt" in sources.namelist()


def test_a_missing_model_says_so(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "models/litert/cry_laugh_int8.tflite").unlink()
    with pytest.raises(RunnerError, match=r"cry_laugh_int8.tflite: not found"):
        package("android", tmp_path)


@pytest.mark.parametrize(("installed", "lacks"), [((), "no JDK"), (("javac",), "no Maven")])
def test_without_a_compiler_there_is_no_package_and_one_line_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installed: tuple[str, ...], lacks: str
) -> None:
    write_project(tmp_path)
    (tmp_path / kotlin.CACHE).unlink()
    for name in installed:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackagingError, match=f"^{lacks}, so no Android package; .*install") as no:
        package("android", tmp_path)
    assert "\n" not in str(no.value)
    assert not (tmp_path / "build").exists()


APP_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>app</groupId><artifactId>app</artifactId><version>1</version>
  <repositories>{repositories}</repositories>
  <dependencies>{dependencies}</dependencies>
</project>
"""
REPOSITORY = """<repository>
  <id>{name}</id><url>file://{path}</url>
  <releases><checksumPolicy>fail</checksumPolicy></releases>
</repository>"""
# LiteRT is in Google's repository alone
DEPENDENCY = """<dependency>
  <groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>
  <type>aar</type>
  <exclusions>
    <exclusion><groupId>com.google.ai.edge.litert</groupId><artifactId>*</artifactId></exclusion>
    <exclusion><groupId>org.jetbrains.kotlin</groupId><artifactId>*</artifactId></exclusion>
    <exclusion><groupId>org.jetbrains.kotlinx</groupId><artifactId>*</artifactId></exclusion>
  </exclusions>
</dependency>"""


def resolve(
    repositories: dict[str, Path], models: dict[str, str], app: Path, version: str = "0.1.0"
) -> None:
    """What an app gets that depends on `models`, name -> group, by Maven, into the folder `app`."""
    places = [REPOSITORY.format(name=name, path=path) for name, path in repositories.items()]
    wanted = [
        DEPENDENCY.format(group=group, name=name, version=version) for name, group in models.items()
    ]
    text = APP_POM.format(repositories="".join(places), dependencies="".join(wanted))
    (app / "pom.xml").write_text(text)
    kept = ROOT / kotlin.CACHE / "m2"  # Maven's own plugins; never what is under test
    for group in ("dev", "com/example"):
        shutil.rmtree(kept / group, ignore_errors=True)
    command = ["mvn", "-q", "-B", f"-Dmaven.repo.local={kept}", f"-DoutputDirectory={app}"]
    done = subprocess.run(
        [*command, "dependency:copy-dependencies"], cwd=app, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("mvn"), reason="no Maven")
def test_maven_finds_two_models_of_two_teams_in_one_app(
    built: Path, aar: Path, runtime: Path, tmp_path: Path
) -> None:
    other, app = tmp_path / "other", tmp_path / "app"
    app.mkdir()
    other.mkdir()
    write_project(other)
    params = (other / "params.yaml").read_text()
    (other / "params.yaml").write_text(
        params.replace("android_group: dev.pocketear", "android_group: com.example").replace(
            "name: cry_laugh ", "name: dogs "
        )
    )
    for path in sorted(other.glob("models/*/cry_laugh*")):
        path.rename(path.with_name(path.name.replace("cry_laugh", "dogs")))
    theirs = package("android", other)
    repositories = {"ours": built / "maven", "theirs": theirs / "maven"}
    resolve(repositories, {"cry-laugh": "dev.pocketear", "dogs": "com.example"}, app)
    assert (app / aar.name).read_bytes() == aar.read_bytes()
    found = sorted(app.glob("*.aar"))
    assert [path.name for path in found] == [aar.name, "dogs-0.1.0.aar", runtime.name]
    assets = {name for path in found for name in assets_of(path)}
    assert {"assets/pocketear/cry_laugh.tflite", "assets/pocketear/dogs.tflite"} <= assets
    packages = {manifest_of(path).get("package") for path in found}
    assert len(packages) == 3  # Gradle wants a namespace for each


def publish_as_the_docs_do(project: Path, repository: Path) -> None:
    """Run the shell of docs/ship-to-a-phone.md's "A repository that keeps every version"."""
    docs = (ROOT / "docs/ship-to-a-phone.md").read_text()
    shell = docs.partition("### A repository that keeps every version")[2].split("```sh\n")[1]
    kept = ROOT / kotlin.CACHE / "m2"
    env = {"REPOSITORY": f"file://{repository}", "MAVEN_OPTS": f"-Dmaven.repo.local={kept}"}
    done = subprocess.run(
        ["sh", "-eu", "-c", shell.partition("```")[0]],
        cwd=project, env=os.environ | env, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("mvn"), reason="no Maven")
def test_a_repository_that_is_published_to_keeps_every_version(
    built: Path, aar: Path, runtime: Path, tmp_path: Path
) -> None:
    later, repository = tmp_path / "later", tmp_path / "repository"
    later.mkdir()
    write_project(later)
    params = (later / "params.yaml").read_text()
    (later / "params.yaml").write_text(params.replace("  version: 0.1.0", "  version: 0.2.0"))
    package("android", later)
    for project in (built.parents[1], later):  # the runtime is published twice, the same
        publish_as_the_docs_do(project, repository)
    metadata = ElementTree.parse(repository / "dev/pocketear/cry-laugh/maven-metadata.xml")  # noqa: S314
    assert [found.text for found in metadata.iter("version")] == ["0.1.0", "0.2.0"]
    for version, file in {"0.1.0": "0.1.0", "[0.1,)": "0.2.0"}.items():
        app = tmp_path / f"app-{file}"
        app.mkdir()
        resolve({"team": repository}, {"cry-laugh": "dev.pocketear"}, app, version)
        assert {path.name for path in app.glob("*.aar")} == {f"cry-laugh-{file}.aar", runtime.name}
    assert (tmp_path / "app-0.1.0" / aar.name).read_bytes() == aar.read_bytes()


def assets_of(aar: Path) -> list[str]:
    with zipfile.ZipFile(aar) as archive:
        return [name for name in archive.namelist() if name.startswith("assets/")]


def kotlin_of_the_docs() -> str:
    """The classes and functions that docs/ship-to-a-phone.md shows."""
    text = (ROOT / "docs/ship-to-a-phone.md").read_text()
    shown = [part.partition("```")[0] for part in text.split("```kotlin\n")[1:]]
    whole = [part for part in shown if part.startswith(("class ", "suspend fun ", "fun "))]
    assert len(whole) == 3
    used = ("android.app.*", "android.content.Context", "android.os.Bundle", "android.util.Log",
            "dev.pocketear.*")  # fmt: skip
    return "\n".join([*(f"import {name}" for name in used), *whole])


@pytest.mark.slow
def test_the_kotlin_of_the_docs_compiles_against_the_aar(runtime: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(runtime) as archive:
        classes = Path(archive.extract("classes.jar", tmp_path))
    lib = kotlin.fetch_toolchain(ROOT / "mobile/android/toolchain", ROOT / kotlin.CACHE)
    (tmp_path / "App.kt").write_text(kotlin_of_the_docs())
    beside = (kotlin._ANDROID, kotlin._STDLIB, kotlin._COROUTINES)
    used = [classes, *(lib / name for name in beside)]
    kotlin._kotlinc(lib, [tmp_path / "App.kt"], tmp_path / "app", used, [])
    assert (tmp_path / "app/MainActivity.class").is_file()


@pytest.mark.skipif(not shutil.which("aapt2"), reason="no aapt2 (Debian: aapt)")
@pytest.mark.skipif(not FRAMEWORK.is_file(), reason="no Debian android-framework-res")
def test_androids_own_tools_take_them(aar: Path, runtime: Path, tmp_path: Path) -> None:
    for one in (aar, runtime):
        listed = subprocess.run(["aapt", "list", one], capture_output=True, text=True, check=True)
        assert "classes.jar" in listed.stdout.splitlines()
    with zipfile.ZipFile(aar) as archive:
        archive.extractall(tmp_path)
    with zipfile.ZipFile(runtime) as archive:  # its manifest, as if merged
        archive.extract("AndroidManifest.xml", tmp_path)
    apk = tmp_path / "app.apk"
    link: list[str | Path] = ["aapt2", "link", "-I", FRAMEWORK, "-A", tmp_path / "assets"]
    link += ["--manifest", tmp_path / "AndroidManifest.xml", "-0", ".tflite", "-o", apk]
    subprocess.run(link, check=True, capture_output=True)
    badging = subprocess.run(
        ["aapt", "dump", "badging", apk], capture_output=True, text=True, check=True
    ).stdout
    assert "package: name='dev.pocketear'" in badging
    assert "sdkVersion:'23'" in badging
    assert "uses-permission: name='android.permission.RECORD_AUDIO'" in badging
    assert "uses-feature-not-required: name='android.hardware.microphone'" in badging
    with zipfile.ZipFile(apk) as archive:
        entry = archive.getinfo("assets/pocketear/cry_laugh.tflite")
    assert entry.compress_type == zipfile.ZIP_STORED
