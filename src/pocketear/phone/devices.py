"""devices: a file timed on a real device: a phone behind adb, or Apple's runtime on a Mac.

What runs on the phone is what runs under emulation: the arm64 harness, its LiteRT and its C
library, started through that library's own loader, so nothing of the phone's system is needed.
"""

import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from pocketear.base.errors import PhoneError
from pocketear.phone.count import probe_windows
from pocketear.phone.graph import read_graph
from pocketear.phone.harness import parse_values
from pocketear.phone.host import HostModel
from pocketear.phone.setup import Tools, prepare

_UNITS = ("CPU_ONLY", "CPU_AND_NE", "ALL")  # of Core ML
_FOLDER = "/data/local/tmp/pocketear"
_WINDOWS, _TIMEOUT_S = 20, 600.0


def refuse_without_phone() -> None:
    """Do nothing where adb sees a phone.

    raises: PhoneError saying why none can be measured
    """
    if not shutil.which("adb"):
        raise PhoneError("adb is not installed; apt-get install adb, and connect a phone")
    lines = _adb("devices").splitlines()[1:]
    states = [line.split("\t")[1] for line in lines if "\t" in line]
    if "device" in states:
        return
    if states:
        raise PhoneError(f"adb sees a phone, but {states[0]}; allow debugging on its screen")
    raise PhoneError("adb sees no phone; connect one and allow debugging")


def phone_cost(
    model: Path, hop_seconds: float, tools: Tools | None = None
) -> dict[str, float | str]:
    """Milliseconds of one inference on the connected phone, and how far its outputs are from here.

    hop_seconds: pause of the paced run; phones lower their clock between two inferences
    raises: PhoneError if no phone is connected, or the harness fails on it
    """
    refuse_without_phone()
    windows = probe_windows(read_graph(model).length)
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


def refuse_without_mac() -> None:
    """Do nothing on a Mac.

    raises: PhoneError anywhere else, where Core ML cannot be timed
    """
    system = platform.system()
    if system != "Darwin":
        raise PhoneError(f"Core ML runs on macOS only, this is {system}")


def core_ml_cost(package: Path, repeats: int) -> dict[str, float | str]:
    """Milliseconds of one inference by compute units, and where the operations would run.

    Of what is in the package: where it takes features, the front-end in Swift comes on top.
    raises: PhoneError anywhere but on macOS, or if Core ML refuses the package
    """
    refuse_without_mac()
    import coremltools

    found: dict[str, float | str] = {}
    for name in _UNITS:
        units = getattr(coremltools.ComputeUnit, name)
        try:
            model = coremltools.models.MLModel(str(package), compute_units=units)
        except (RuntimeError, ValueError) as error:
            raise PhoneError(f"{package}: Core ML refuses it: {error}") from error
        times = _times(model, repeats)
        found |= {f"{name.lower()}.{figure}": value for figure, value in times.items()}
    return found | {f"operations.{name}": count for name, count in _operations(model).items()}


def _times(model: Any, repeats: int) -> dict[str, float]:
    inputs = model.get_spec().description.input  # a waveform or features, and a state
    shapes = {source.name: tuple(source.type.multiArrayType.shape) for source in inputs}
    given = {name: np.full(shape, 0.01, np.float32) for name, shape in shapes.items()}
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        model.predict(given)
        seconds.append(time.perf_counter() - started)
    return {"cold_ms": seconds[0] * 1e3, "warm_ms_median": statistics.median(seconds[1:]) * 1e3}


def _operations(model: Any) -> dict[str, int]:
    """How many operations Core ML would give to each kind of device."""
    from coremltools.models.compute_plan import MLComputePlan

    plan = MLComputePlan.load_from_path(model.get_compiled_model_path())
    devices: dict[str, int] = {}
    for function in plan.model_structure.program.functions.values():
        for operation in function.block.operations:
            usage = plan.get_compute_device_usage_for_mlprogram_operation(operation)
            if usage is not None:
                name = type(usage.preferred_compute_device).__name__
                devices[name] = devices.get(name, 0) + 1
    return devices
