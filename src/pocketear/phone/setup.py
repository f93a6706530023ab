"""setup: sources in native/ and two things from outside -> the tools that count, in a cache folder.

From outside come the system's packages of APT_PACKAGES and the arm64 build of the LiteRT that is
installed here, by name, exact version and the hash in uv.lock. The cache folder's name is the hash
of everything that the tools are made from; it appears whole or not at all, so that two builds at
once, or a kill, do no harm.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from pocketear.base import process
from pocketear.base.errors import PhoneError
from pocketear.base.home import home
from pocketear.phone.classes import TABLE, Core, phone_table

APT_PACKAGES = Path(__file__).with_name("apt.txt").read_text(encoding="utf-8").split()
CACHE = Path(".pocketear/phone")  # below home()
EMULATOR, CROSS_COMPILER, COMPILER = "qemu-aarch64", "aarch64-linux-gnu-gcc", "gcc"
_NATIVE = Path(__file__).parent / "native"
_LITERT = "ai-edge-litert"
_PLATFORM_OF = {"pip": "manylinux_2_27_aarch64", "uv": "aarch64-manylinux_2_28"}
_LIBRARIES = ("ld-linux-aarch64.so.1", "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0",
              "librt.so.1", "libstdc++.so.6", "libgcc_s.so.1")  # fmt: skip
_HARNESSES: dict[str, list[str]] = {"harness": [], "harness_traced": ["-DTRACED"]}
_STEP_TIMEOUT_S = 600
_LONGEST = 400  # characters of what a step that failed said
_OLDEST = (7, 1)  # of QEMU: the first that knows a Cortex-A76
_COPIES_WORDS = (9, 0)  # of QEMU: the first whose plugins get a copy of each instruction


@dataclass(frozen=True)
class Tools:
    """What is needed to count. Every path is absolute."""

    emulator: Path
    folder: Path
    versions: dict[str, str]

    @property
    def plugin(self) -> Path:
        """The counting plugin, for the emulator of this machine."""
        return self.folder / "counter.so"

    def harness(self, *, traced: bool) -> Path:
        """The arm64 program that runs a model, plain or with a ticking clock."""
        return self.folder / ("harness_traced" if traced else "harness")

    def root(self, core: str) -> Path:
        """What the emulated program finds under /: libraries and the core it runs on."""
        return self.folder / "roots" / core


def prepare(cache: Path | None = None) -> Tools:
    """The tools, built if they are not in `cache` yet. cache: by default the project's

    raises: PhoneError naming what is absent and how to get it
    """
    versions = {"litert": importlib.metadata.version(_LITERT)} | {
        name: _version(name) for name in (EMULATOR, CROSS_COMPILER, COMPILER)
    }
    if _number(versions[EMULATOR]) < _OLDEST:
        wanted = ".".join(map(str, _OLDEST))
        raise PhoneError(f"{versions[EMULATOR]}: too old, {wanted} or newer is needed")
    emulator = Path(str(shutil.which(EMULATOR)))
    folder = (cache or home() / CACHE).resolve() / _fingerprint(versions)
    if not folder.is_dir():
        _build_beside(folder, versions)
    return Tools(emulator, folder, versions)


def absent() -> str:
    """Why nothing can be counted here, in one line; "" if all programs are there."""
    missing = [name for name in (EMULATOR, CROSS_COMPILER, COMPILER) if not shutil.which(name)]
    if not missing:
        return ""
    wanted = " ".join(APT_PACKAGES)
    return f"{', '.join(missing)} not found; `make setup`, or apt-get install {wanted}"


def _version(program: str) -> str:
    reason = absent()
    if reason:
        raise PhoneError(reason)
    return _run([program, "--version"]).splitlines()[0]


def _fingerprint(versions: dict[str, str]) -> str:
    parts = [*sorted(_NATIVE.iterdir()), Path(__file__), TABLE]
    text = repr(sorted(versions.items())).encode()
    return hashlib.sha256(text + b"".join(part.read_bytes() for part in parts)).hexdigest()[:16]


def _build_beside(folder: Path, versions: dict[str, str]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".building.", dir=folder.parent))
    try:
        fresh = scratch / folder.name
        fresh.mkdir()
        _build(fresh, versions)
        if not folder.is_dir():
            fresh.rename(folder)
    except OSError as error:
        if not folder.is_dir():  # else another build of the same was first
            raise PhoneError(f"{folder}: cannot be made ({error.strerror})") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _build(folder: Path, versions: dict[str, str]) -> None:
    libraries = folder / "lib"
    libraries.mkdir()
    for name in _LIBRARIES:
        shutil.copy(_cross_library(name), libraries / name)
    fetched = _fetch_litert(folder / "wheel", versions["litert"])
    shutil.copy(fetched, libraries / fetched.name)
    shutil.rmtree(folder / "wheel")
    warnings = ["-O2", "-Wall", "-Wextra", "-Werror"]
    for name, extra in _HARNESSES.items():
        _run([
            CROSS_COMPILER, *warnings, *extra, "-o", str(folder / name), str(_NATIVE / "harness.c"),
            f"-L{libraries}", "-lLiteRt", "-Wl,--allow-shlib-undefined,--export-dynamic",
        ])  # fmt: skip
    api = 3 if _number(versions[EMULATOR]) >= _COPIES_WORDS else 1
    _run([
        COMPILER, *warnings, "-shared", "-fPIC", f"-DPLUGIN_VERSION={api}",
        "-o", str(folder / "counter.so"), str(_NATIVE / "counter.c"),
    ])  # fmt: skip
    for name, core in phone_table().cores.items():
        _write_root(folder / "roots" / name, core)


def _cross_library(name: str) -> Path:
    found = Path(_run([CROSS_COMPILER, f"-print-file-name={name}"]).strip())
    if not found.is_file():
        wanted = " ".join(APT_PACKAGES)
        raise PhoneError(f"the arm64 {name} is not installed; apt-get install {wanted}")
    return found


def _number(version: str) -> tuple[int, int]:
    found = re.search(r"(\d+)\.(\d+)", version)
    return (int(found.group(1)), int(found.group(2))) if found else (0, 0)


def _fetch_litert(folder: Path, version: str) -> Path:
    """Have the package installer of this machine unpack the arm64 wheel, and give its library."""
    folder.mkdir()
    wanted = folder / "wanted.txt"
    hashes = " ".join(f"--hash=sha256:{digest}" for digest in _locked_hashes(version))
    wanted.write_text(f"{_LITERT}=={version} {hashes}\n")
    options = ["--no-deps", "--only-binary", ":all:", "--target", str(folder), "-r", str(wanted)]
    if hashes:
        options.append("--require-hashes")
    _run([*_installer(), *options])
    return folder / "ai_edge_litert" / "libLiteRt.so"


def _installer() -> list[str]:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = home() / ".pocketear/uv/bin/uv"
    uv = os.environ.get("UV") or shutil.which("uv") or (str(own) if own.is_file() else None)
    if uv:
        platform = _PLATFORM_OF["uv"]
        return [
            uv, "pip", "install", "--quiet", "--python", sys.executable,
            "--python-platform", platform, "--python-version", python,
        ]  # fmt: skip
    if not importlib.util.find_spec("pip"):
        raise PhoneError(
            "neither uv nor pip is here to fetch the arm64 LiteRT; `make setup` has uv"
        )
    platform = _PLATFORM_OF["pip"]
    return [
        sys.executable, "-m", "pip", "install", "--platform", platform, "--python-version", python,
    ]  # fmt: skip


def _locked_hashes(version: str) -> list[str]:
    """The hashes of LiteRT's wheels in ./uv.lock; none where there is no lock file."""
    lock = Path("uv.lock")
    if not lock.is_file():
        return []
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["package"]
    return [
        wheel["hash"].removeprefix("sha256:")
        for package in packages
        if package["name"] == _LITERT and package["version"] == version
        for wheel in package["wheels"]
    ]


def _write_root(root: Path, core: Core) -> None:
    """The files by which LiteRT's cpuinfo distinguishes cores."""
    (root / "sys/devices/system/cpu/cpu0/cpufreq").mkdir(parents=True)
    (root / "sys/devices/system/cpu/cpu0/topology").mkdir()
    (root / "proc").mkdir()
    (root / "lib").symlink_to("../../lib")
    texts = {
        "possible": "0", "present": "0", "online": "0", "kernel_max": "0",
        "cpu0/cpufreq/cpuinfo_max_freq": "2000000", "cpu0/cpufreq/cpuinfo_min_freq": "2000000",
        "cpu0/topology/physical_package_id": "0", "cpu0/topology/core_id": "0",
        "cpu0/topology/core_siblings_list": "0", "cpu0/topology/thread_siblings_list": "0",
    }  # fmt: skip
    for name, text in texts.items():
        (root / "sys/devices/system/cpu" / name).write_text(f"{text}\n")
    cpuinfo = (
        f"processor\t: 0\nCPU implementer\t: 0x{core.implementer:02x}\nCPU architecture: 8\n"
        f"CPU variant\t: 0x0\nCPU part\t: 0x{core.part:03x}\nCPU revision\t: 0\n\n"
    )
    (root / "proc/cpuinfo").write_text(cpuinfo)
    (root / "phone-class-cpuinfo").write_text(cpuinfo)


def _run(arguments: list[str]) -> str:
    try:
        done = subprocess.run(
            arguments, capture_output=True, text=True, timeout=_STEP_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        name = Path(arguments[0]).name
        raise PhoneError(f"{name} did not end within {_STEP_TIMEOUT_S} s") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split()) or "no message"
        raise PhoneError(f"{Path(arguments[0]).name} failed: {said[:_LONGEST]}")
    return done.stdout


def main() -> None:
    """Make the tools of the arm64 measurement, or say what is absent."""
    tools = prepare()
    print(f"phone tools: {tools.folder}")


if __name__ == "__main__":
    process.run(main)
