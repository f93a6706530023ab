"""A phone that is not there is one line; the way to one is walked through the emulator."""

import os
from pathlib import Path

import pytest

from pocketear.base.errors import PhoneError
from pocketear.phone import adb, macos
from pocketear.phone.setup import Tools


def put_adb(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    program = folder / "adb"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_without_adb_it_says_so(monkeypatch: pytest.MonkeyPatch, reference: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PhoneError, match="adb is not installed"):
        adb.device_cost(reference, hop_seconds=0.5)


@pytest.mark.parametrize(
    ("listed", "why"),
    [("", "adb sees no phone"), ("0123\tunauthorized", "unauthorized; allow debugging")],
)
def test_a_phone_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listed: str, why: str
) -> None:
    put_adb(monkeypatch, tmp_path, f"printf 'List of devices attached\\n{listed}\\n'\n")
    assert why in adb.absent()


# An adb whose phone is the emulator: what is pushed, started and pulled is the real thing.
EMULATED = """
case "$1" in
  devices) printf 'List of devices attached\\nemulated\\tdevice\\n' ;;
  push) cp -r "$2" "{root}$3" ;;
  pull) cp "{root}$2" "$3" ;;
  shell)
    case "$2" in
      getprop*) echo emulated ;;
      *) echo "$2" |
        sed -e 's#/data/local#{root}/data/local#g' -e 's#\\./lib/ld#{run} ./lib/ld#' | sh ;;
    esac ;;
esac
"""


def test_the_harness_runs_on_a_phone_by_its_own_loader(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reference: Path, tools: Tools
) -> None:
    phone = tmp_path / "phone"
    (phone / "data/local/tmp").mkdir(parents=True)
    run = f"{tools.emulator} -cpu cortex-a76 -L {tools.root('a76')}"
    put_adb(monkeypatch, tmp_path, EMULATED.format(root=phone, run=run))
    found = adb.device_cost(reference, hop_seconds=0.01, tools=tools)
    assert found["device"] == "emulated"
    assert found["max_abs_to_host"] < 1e-6
    assert found["cold_ms"] > found["warm_ms_median"] > 0
    assert found["paced_ms_median"] > 0


def test_core_ml_is_timed_on_a_mac_only() -> None:
    assert macos.absent() == "" or "macOS only" in macos.absent()
