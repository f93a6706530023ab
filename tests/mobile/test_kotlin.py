import shutil
import subprocess
from pathlib import Path

import pytest

from places import ROOT
from pocketear.base.errors import PackagingError
from pocketear.packaging import kotlin

ANDROID = ROOT / "mobile/android"
CACHE = ROOT / kotlin.CACHE


@pytest.fixture(scope="module")
def lib() -> Path:
    try:
        return kotlin.fetch_toolchain(ANDROID / "toolchain", CACHE)
    except PackagingError as error:
        if "no JDK" in str(error) or "no Maven" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.slow
def test_the_kotlin_tests_pass_here(lib: Path) -> None:
    printed = kotlin.run_tests(ANDROID, ROOT / "mobile/vectors", CACHE)
    assert "OK (" in printed


JAVA_APP = """
import android.content.Context;
import dev.pocketear.*;
import java.io.IOException;

class App {
    void listen(Context context) {
        SoundListener listener = new SoundListener(context);
        try {
            listener.start();
            listener.start(event -> System.out.println(event.getLabel()));
            if (listener.getState().getValue() == ListenerState.Silenced.INSTANCE) listener.close();
            listener.start(state -> {
                if (state instanceof ListenerState.Failed)
                    System.out.println(((ListenerState.Failed) state).getError());
            }, event -> System.out.println(event.getPeak()));
        } catch (IOException error) { // javac refuses this where nothing says that it is thrown
            System.out.println(error);
        }
        ModelSource source = ModelSource.asset("dogs");
        new SoundListener(context, source, true, new AudioRecordMicrophone()).close();
        new SoundListener(context, ModelSource.file(new java.io.File("dogs.tflite"))).close();
        ModelCard card = listener.getCard();
        Double hertz = listener.getInputBandwidth(); // null until it is known
        boolean narrow = listener.getState().getValue() instanceof ListenerState.Narrow;
        if (narrow && hertz < card.getBandwidth()) System.out.println(hertz);
        SoundModel model = (window, carried, scores) -> scores[0] = 1;
        try (SoundEventDetector detector = new SoundEventDetector(card, model, event -> { })) {
            detector.push(new float[10]);
        }
    }
}
"""


@pytest.mark.slow
def test_an_app_in_java_compiles(lib: Path, tmp_path: Path) -> None:
    (tmp_path / "classes.jar").write_bytes(kotlin.classes_jar(ANDROID, CACHE))
    (tmp_path / "App.java").write_text(JAVA_APP)
    beside = (kotlin._ANDROID, kotlin._STDLIB, kotlin._COROUTINES)
    used = [tmp_path / "classes.jar", *(lib / name for name in beside)]
    command = ["javac", "-Xlint:all,-processing,-classfile,-options", "-Werror"]
    done = subprocess.run(
        [*command, "-cp", kotlin._path(used), "-d", tmp_path, tmp_path / "App.java"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_two_compilations_in_two_places_are_the_same_bytes(lib: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "some/where else"
    shutil.copytree(ANDROID, elsewhere)
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / lib.name).symlink_to(lib)
    assert kotlin.classes_jar(elsewhere, cache) == kotlin.classes_jar(ANDROID, CACHE)


@pytest.mark.slow
def test_sources_that_do_not_compile_are_named(lib: Path, tmp_path: Path) -> None:
    android = tmp_path / "android"
    shutil.copytree(ANDROID / "toolchain", android / "toolchain")
    (android / "src/main/kotlin").mkdir(parents=True)
    (android / "src/main/kotlin/Wrong.kt").write_text("public fun wrong(): Int = true\n")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / lib.name).symlink_to(lib)
    with pytest.raises(PackagingError, match=r"do not compile: .*Wrong.kt:1:\d+: error"):
        kotlin.classes_jar(android, cache)


def test_a_toolchain_that_was_tampered_with_is_refused(tmp_path: Path) -> None:
    (tmp_path / "junit-4.13.2.jar").write_bytes(b"not JUnit")
    with pytest.raises(PackagingError, match=r"not what .*SHA256SUMS says"):
        kotlin._check(tmp_path, ANDROID / "toolchain/SHA256SUMS")


@pytest.mark.parametrize(("tool", "message"), [("javac", "no JDK, so"), ("mvn", "no Maven, so")])
def test_what_is_absent_is_said(
    tool: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {"javac", "mvn"} - {tool}:
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PackagingError, match=message):
        kotlin.fetch_toolchain(ANDROID / "toolchain", tmp_path / "cache")


def test_versions_are_the_same_wherever_they_stand() -> None:
    from pocketear.stages.package_android import DEPENDENCIES, MIN_SDK, RUNTIME

    gradle = (ANDROID / "build.gradle.kts").read_text()
    sums = (ANDROID / "toolchain/SHA256SUMS").read_text()
    pom = (ANDROID / "toolchain/pom.xml").read_text()
    assert f"minSdk = {MIN_SDK}" in gradle
    for need in DEPENDENCIES:
        if need.at.name != "kotlin-stdlib":  # Gradle's plugin adds its own
            assert f'"{need.at}"' in gradle
    properties = (ANDROID / "gradle.properties").read_text().splitlines()
    assert {f"group={RUNTIME.group}", f"version={RUNTIME.version}"} <= set(properties)
    assert f'rootProject.name = "{RUNTIME.name}"' in (ANDROID / "settings.gradle.kts").read_text()
    for name in (
        kotlin._API,
        kotlin._ANDROID,
        kotlin._STDLIB,
        kotlin._COROUTINES,
        kotlin._JSON,
        *kotlin._JUNIT,
    ):
        assert f"  {name}\n" in sums
    compiler = kotlin._STDLIB.removeprefix("kotlin-stdlib-").removesuffix(".jar")
    assert f"<version>{compiler}</version>" in pom
    assert f'version "{compiler}"' in gradle
