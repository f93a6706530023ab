"""adb: the same file on a real phone: cold, back to back, and paced as a listener would.

What runs there is what runs under emulation: the arm64 harness, its LiteRT and its C library,
started through that library's own loader, so nothing of the phone's system is needed.
"""

import shutil
import statistics
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from pocketear.base.errors import PhoneError
from pocketear.phone.count import probe_windows
from pocketear.phone.graph import read_graph
from pocketear.phone.harness import parse_values
from pocketear.phone.host import HostModel
from pocketear.phone.setup import Tools, prepare

_FOLDER = "/data/local/tmp/pocketear"
_WINDOWS, _TIMEOUT_S = 20, 600.0


def absent() -> str:
    """Why no phone can be measured, in one line; "" if one is connected."""
    if not shutil.which("adb"):
        return "adb is not installed; apt-get install adb, and connect a phone"
    lines = _adb("devices").splitlines()[1:]
    states = [line.split("\t")[1] for line in lines if "\t" in line]
    if "device" in states:
        return ""
    if states:
        return f"adb sees a phone, but {states[0]}; allow debugging on its screen"
    return "adb sees no phone; connect one and allow debugging"


def device_cost(model: Path, hop_seconds: float, tools: Tools | None = None) -> dict[str, Any]:
    """Milliseconds of one window on the connected phone, and how far its outputs are from here.

    hop_seconds: pause of the paced run; phones lower their clock between two windows
    raises: PhoneError if no phone is connected, or the harness fails on it
    """
    reason = absent()
    if reason:
        raise PhoneError(reason)
    windows = probe_windows(read_graph(model).window_length)
    windows = np.resize(windows, (_WINDOWS, windows.shape[1]))
    with tempfile.TemporaryDirectory(prefix="pocketear-") as folder:
        local = Path(folder)
        _push(tools or prepare(), model, windows, local)
        quick, paced = _run(0), _run(round(hop_seconds * 1e6))
        _adb("pull", f"{_FOLDER}/output", str(local / "output"))
        outputs = np.fromfile(local / "output", "<f4").reshape(len(windows), -1)
    expected = HostModel(str(model), model.read_bytes()).run(windows)
    return {
        "device": _adb("shell", "getprop ro.product.model").strip(),
        "load_ms": float(quick["load_us"][0]) / 1e3,
        "cold_ms": float(quick["cold_us"][0]) / 1e3,
        "warm_ms_median": statistics.median(map(float, quick["run_us"])) / 1e3,
        "paced_ms_median": statistics.median(map(float, paced["run_us"])) / 1e3,
        "hop_seconds": hop_seconds,
        "max_abs_to_host": float(np.abs(outputs - expected).max()),
    }


def _push(tools: Tools, model: Path, windows: np.ndarray, local: Path) -> None:
    (local / "input").write_bytes(windows.astype("<f4").tobytes())
    _adb("shell", f"rm -rf {_FOLDER} && mkdir -p {_FOLDER}")
    files = (tools.folder / "lib", tools.harness(traced=False), local / "input")
    for path in files:
        _adb("push", str(path), f"{_FOLDER}/{path.name}")
    _adb("push", str(model), f"{_FOLDER}/model.tflite")


def _run(pace_us: int) -> dict[str, list[str]]:
    program = f"./harness model.tflite input output 2 {pace_us} 0"
    loader = "chmod -R 755 . && ./lib/ld-linux-aarch64.so.1 --library-path lib"
    values = parse_values(_adb("shell", f"cd {_FOLDER} && {loader} {program}"))
    if "run_us" not in values:
        why = values.get("failed", ["silently"])[0]
        raise PhoneError(f"the harness failed on the phone: {why}")
    return values


def _adb(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["adb", *arguments], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise PhoneError(f"adb {arguments[0]} did not end within {_TIMEOUT_S:g} s") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise PhoneError(f"adb {arguments[0]}: {lines[-1]}")
    return done.stdout
