"""The tools appear whole or not at all, and what is absent is named."""

import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from places import ROOT
from pocketear.base.errors import PhoneError
from pocketear.phone import setup


def test_a_machine_without_the_emulator_gets_the_command_that_installs_it(
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


def test_a_machine_without_an_installer_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("UV", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(PhoneError, match="neither uv nor pip is here"):
        setup._installer()


def test_a_copy_of_the_project_finds_the_projects_own_uv(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As `make setup` installs it where there is none; DVC's queue runs in such a copy."""
    own, copy = tmp_path / ".pocketear/uv/bin/uv", tmp_path / ".dvc/tmp/exps/tmp1a2b"
    for folder in (own.parent, copy):
        folder.mkdir(parents=True)
    own.touch()
    monkeypatch.chdir(copy)
    monkeypatch.setenv("PATH", str(copy))
    monkeypatch.delenv("UV", raising=False)
    assert setup._installer()[0] == str(own)


def test_a_step_that_hangs_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup, "_STEP_TIMEOUT_S", 0.2)
    with pytest.raises(PhoneError, match=r"^sleep did not end within 0\.2 s$"):
        setup._run(["sleep", "9"])


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
    forged = re.sub("sha256:[0-9a-f]{64}", "sha256:" + 64 * "0", package)
    (tmp_path / "uv.lock").write_text(before + name + forged + "[[package]]" + rest)
    monkeypatch.setenv("UV", os.environ.get("UV") or str(ROOT / ".pocketear/uv/bin/uv"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PhoneError, match=r"^uv failed: .*mismatch") as refused:
        setup.prepare(tmp_path / "cache")
    assert "\n" not in str(refused.value)
    assert not list((tmp_path / "cache").iterdir())
