"""The tools appear whole or not at all, and what is absent is named."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from conftest import ROOT
from pocketear.errors import PhoneError
from pocketear.phone import setup


def test_a_machine_without_the_emulator_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gcc").symlink_to(str(shutil.which("sh")))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PhoneError, match="apt-get install qemu-user gcc") as refused:
        setup.prepare(tmp_path)
    assert str(refused.value).startswith("qemu-aarch64, aarch64-linux-gnu-gcc not found; ")
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("tools")
def test_an_emulator_that_is_too_old_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / setup.EMULATOR
    old.write_text("#!/bin/sh\necho qemu-aarch64 version 5.2.0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(PhoneError, match=r"version 5\.2\.0: too old, 7\.1 or newer"):
        setup.prepare(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("tools")
def test_two_builds_at_once_beside_a_killed_one_give_one_whole_folder(tmp_path: Path) -> None:
    (tmp_path / ".building.killed").mkdir()
    with ThreadPoolExecutor(max_workers=2) as pool:
        first, second = pool.map(setup.prepare, [tmp_path, tmp_path])
    assert first.folder == second.folder
    assert {path.name for path in tmp_path.iterdir()} == {".building.killed", first.folder.name}
    assert (first.root("a76") / "lib" / "libLiteRt.so").is_file()
    assert first.harness(traced=True).is_file()


@pytest.mark.usefixtures("tools")
def test_a_wheel_that_is_not_the_locked_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = (ROOT / "uv.lock").read_text()
    name = 'name = "ai-edge-litert"\n'
    before, after = lock.split(name, 1)
    package, rest = after.split("[[package]]", 1)
    forged = package.replace("sha256:", "sha256:" + 8 * "0").replace("0" * 8, "0" * 8)
    shortened = "\n".join(
        line.replace(line.split("sha256:")[1][:64], "0" * 64) if "sha256:" in line else line
        for line in forged.split("\n")
    )
    (tmp_path / "uv.lock").write_text(before + name + shortened + "[[package]]" + rest)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PhoneError, match="failed: ") as refused:
        setup.prepare(tmp_path / "cache")
    assert "\n" not in str(refused.value)
    assert not list((tmp_path / "cache").iterdir())
