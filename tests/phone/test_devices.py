"""A phone that is not there is one line; the way to one is walked through the emulator."""

import os
import platform
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest

from pocketear.base.errors import PhoneError
from pocketear.phone import devices
from pocketear.phone.setup import Tools


def put_adb(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    program = folder / "adb"
    program.write_text("#!/bin/sh\n" + script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)


def test_without_adb_it_says_so(monkeypatch: pytest.MonkeyPatch, reference: Path) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(PhoneError, match="adb is not installed"):
        devices.phone_cost(reference, hop_seconds=0.5)


@pytest.mark.parametrize(
    ("listed", "why"),
    [("", "adb sees no phone"), ("0123\tunauthorized", "unauthorized; allow debugging")],
)
def test_a_phone_that_cannot_be_used_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, listed: str, why: str
) -> None:
    put_adb(monkeypatch, tmp_path, f"printf 'List of devices attached\\n{listed}\\n'\n")
    with pytest.raises(PhoneError, match=why) as refused:
        devices.refuse_without_phone()
    assert "\n" not in str(refused.value)


def test_a_phone_among_others_that_cannot_be_used_is_enough(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    listed = "0123\\tunauthorized\\n4567\\tdevice"
    put_adb(monkeypatch, tmp_path, f"printf 'List of devices attached\\n{listed}\\n'\n")
    devices.refuse_without_phone()


def test_what_adb_says_of_a_failure_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put_adb(monkeypatch, tmp_path, "echo first >&2; echo 'cannot connect to daemon' >&2; exit 1\n")
    with pytest.raises(PhoneError, match=r"^adb devices: cannot connect to daemon$"):
        devices.refuse_without_phone()


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
    found = devices.phone_cost(reference, hop_seconds=0.01, tools=tools)
    assert (found["device"], found["hop_seconds"]) == ("emulated", 0.01)
    assert float(found["max_abs_to_host"]) < 1e-6
    assert all(float(found[name]) > 0 for name in ("cold_ms", "warm_ms_median", "paced_ms_median"))


@pytest.mark.skipif(platform.system() == "Darwin", reason="not on macOS")
def test_core_ml_is_timed_on_a_mac_only(tmp_path: Path) -> None:
    with pytest.raises(PhoneError, match=f"runs on macOS only, this is {platform.system()}"):
        devices.core_ml_cost(tmp_path, repeats=3)


class MadeUp:
    """Core ML's model, without a Mac: it takes a waveform, and notes what it is given."""

    given: ClassVar[list[np.ndarray]] = []

    def __init__(self, path: str, compute_units: Any) -> None:
        if "broken" in path:
            raise RuntimeError("cannot compile")

    def get_spec(self) -> Any:
        shape = SimpleNamespace(multiArrayType=SimpleNamespace(shape=[1_600]))
        return SimpleNamespace(
            description=SimpleNamespace(input=[SimpleNamespace(name="sound", type=shape)])
        )

    def predict(self, inputs: dict[str, np.ndarray]) -> None:
        self.given.append(inputs["sound"])


@pytest.mark.slow
def test_core_ml_is_timed_on_each_kind_of_compute_unit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import coremltools

    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(coremltools.models, "MLModel", MadeUp)
    monkeypatch.setattr(devices, "_operations", lambda model: {"MLCPUComputeDevice": 7})
    found = devices.core_ml_cost(tmp_path / "x.mlpackage", repeats=4)
    units = ("cpu_only", "cpu_and_ne", "all")
    times = {f"{unit}.{figure}" for unit in units for figure in ("cold_ms", "warm_ms_median")}
    assert set(found) == times | {"operations.MLCPUComputeDevice"}
    assert [window.shape for window in MadeUp.given] == [(1_600,)] * 3 * (1 + 4)
    with pytest.raises(PhoneError, match=r"broken.mlpackage: Core ML refuses it: cannot compile"):
        devices.core_ml_cost(tmp_path / "broken.mlpackage", repeats=4)
