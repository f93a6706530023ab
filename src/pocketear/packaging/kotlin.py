"""kotlin: the Kotlin sources of mobile/android -> classes.jar, and their tests, without Gradle.

A JDK and Maven are enough. The compiler and the APIs to compile against are those of
mobile/android/toolchain, checked by their SHA-256; what is fetched or compiled once is kept in a
folder named after what it was made from.
"""

import hashlib
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from filelock import FileLock

from pocketear.base.archive import read_folder, write_zip
from pocketear.base.errors import PackagingError
from pocketear.base.files import replacing
from pocketear.base.home import home

CACHE = Path(".pocketear/mobile")  # below home()
_API, _ANDROID = "tensorflow-lite-api-2.16.1.aar", "android-all-6.0.1_r3-robolectric-r1.jar"
_STDLIB, _JUNIT = "kotlin-stdlib-2.1.21.jar", ("junit-4.13.2.jar", "hamcrest-core-1.3.jar")
_COROUTINES = "kotlinx-coroutines-core-jvm-1.8.0.jar"
_COMPILER = ("kotlin*.jar", "trove4j*.jar", "annotations*.jar")
_JSON = "json-20240303.jar"
# Kotlin 1.9 and later can use what is compiled for 2.0; Java 8 is what every Android can run.
_LANGUAGE = ("-language-version", "2.0", "-api-version", "2.0", "-jvm-target", "1.8",
             "-Xjdk-release=8", "-no-stdlib", "-no-reflect", "-Werror")  # fmt: skip
_MODULE = ("-module-name", "pocketear")
_SECONDS = 900
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def classes_jar(android: Path, cache: Path | None = None) -> bytes:
    """Compile src/main/kotlin of `android`: the same bytes for the same sources.

    cache: by default the project's
    raises: PackagingError saying what is missing here, or does not compile
    """
    cache = cache or home() / CACHE
    jar = cache / _fingerprint([android / "src/main/kotlin", android / "toolchain"]) / "classes.jar"
    if not jar.is_file():
        lib = fetch_toolchain(android / "toolchain", cache)
        with tempfile.TemporaryDirectory() as scratch:
            _compile_main(android, lib, Path(scratch))
            write_zip(jar, read_folder(Path(scratch)))
    return jar.read_bytes()


def run_tests(android: Path, vectors: Path, cache: Path | None = None) -> str:
    """Compile and run src/test/kotlin of `android` on this machine; return what JUnit says.

    raises: PackagingError if something is absent, does not compile, or fails
    """
    lib = fetch_toolchain(android / "toolchain", cache)
    sources = android / "src/test/kotlin"
    tests = sorted(path.relative_to(sources) for path in sources.rglob("*Test.kt"))
    names = [".".join(path.with_suffix("").parts) for path in tests]
    with tempfile.TemporaryDirectory() as scratch:
        main, test = Path(scratch, "main.jar"), Path(scratch, "test")
        main.write_bytes(classes_jar(android, cache))
        beside = (_STDLIB, _COROUTINES, _JSON, *_JUNIT, _ANDROID)
        used = [main, *(lib / name for name in beside)]
        _kotlinc(lib, [sources], test, used, [f"-Xfriend-paths={main}"])
        command = ["java", f"-Dpocketear.vectors={vectors.resolve()}", "-cp", _path([test, *used])]
        return _run([*command, "org.junit.runner.JUnitCore", *names], "the Kotlin tests fail")


def fetch_toolchain(toolchain: Path, cache: Path | None = None) -> Path:
    """The folder with everything that `toolchain`/SHA256SUMS names, fetched by Maven if need be.

    raises: PackagingError saying what is missing here, or is not what was asked for
    """
    cache = cache or home() / CACHE
    lib = cache / f"toolchain-{_fingerprint([toolchain])}"
    if not shutil.which("javac"):
        raise PackagingError(
            "no JDK, so no Android package; run `make setup`, or install openjdk-17-jdk-headless"
        )
    if lib.is_dir():
        return lib
    if not shutil.which("mvn"):
        raise PackagingError("no Maven, so no Android package; run `make setup`, or install maven")
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / ".lock"):  # one process at a time fills the cache
        if not lib.is_dir():  # another process may have fetched it while this one waited
            _fetch(toolchain, lib)
    return lib


def _fetch(toolchain: Path, lib: Path) -> None:
    with replacing(lib) as fresh:
        options = ["-q", "-B", "-Dstyle.color=never", f"-DoutputDirectory={fresh.resolve()}"]
        command = [
            "mvn",
            *options,
            "-f",
            str(toolchain / "pom.xml"),
            "dependency:copy-dependencies",
        ]
        _run(command, "Maven cannot fetch the compiler (is there a network?)")
        _check(fresh, toolchain / "SHA256SUMS")


def _check(folder: Path, sums: Path) -> None:
    for line in sums.read_text(encoding="utf-8").splitlines():
        digest, name = line.split()
        file = folder / name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            raise PackagingError(f"{name}: not what {sums} says; fetched from a wrong place?")


def _compile_main(android: Path, lib: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        api = Path(scratch, "litert-api.jar")
        with zipfile.ZipFile(lib / _API) as aar:
            api.write_bytes(aar.read("classes.jar"))
        used = [lib / _ANDROID, api, lib / _STDLIB, lib / _COROUTINES]
        _kotlinc(lib, [android / "src/main/kotlin"], out, used, ["-Xexplicit-api=strict"])


def _kotlinc(
    lib: Path, sources: Sequence[Path], out: Path, used: Iterable[Path], more: Sequence[str]
) -> None:
    compiler = [jar for name in _COMPILER for jar in sorted(lib.glob(name))]
    command = ["java", "-cp", _path(compiler), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"]
    options = [*_LANGUAGE, *_MODULE, *more, "-cp", _path(used), "-d", str(out)]
    _run([*command, *options, *map(str, sources)], "the Kotlin sources do not compile")


def _run(command: Sequence[str], what: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise PackagingError(f"{what}: still running after {_SECONDS} s") from error
    if done.returncode != 0:
        plain = _COLOUR.sub("", done.stdout + done.stderr)
        lines = [line.strip() for line in plain.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower() or line.startswith("1) ")]
        raise PackagingError(f"{what}: {(errors or lines or ['no reason given'])[0]}")
    return done.stdout


def _path(jars: Iterable[Path]) -> str:
    return ":".join(str(jar) for jar in jars)


def _fingerprint(folders: Iterable[Path]) -> str:
    digest = hashlib.sha256(" ".join(_LANGUAGE).encode())
    for folder in folders:
        for name, content in read_folder(folder).items():
            digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]
