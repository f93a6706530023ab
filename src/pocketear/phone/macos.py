"""macos: an .mlpackage on Apple's own runtime, where there is one."""

import platform
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from pocketear.base.errors import PhoneError

_UNITS = ("CPU_ONLY", "CPU_AND_NE", "ALL")


def absent() -> str:
    """Why Core ML cannot be timed here, in one line; "" on a Mac."""
    system = platform.system()
    return "" if system == "Darwin" else f"Core ML runs on macOS only, this is {system}"


def core_ml_cost(package: Path, repeats: int) -> dict[str, Any]:
    """Milliseconds of one window by compute units, and where the operations would run.

    Of what is in the package: where it takes features, the front-end in Swift comes on top.
    raises: PhoneError anywhere but on macOS, or if Core ML refuses the package
    """
    reason = absent()
    if reason:
        raise PhoneError(reason)
    import coremltools

    found = {}
    for name in _UNITS:
        units = getattr(coremltools.ComputeUnit, name)
        try:
            model = coremltools.models.MLModel(str(package), compute_units=units)
        except (RuntimeError, ValueError) as error:
            raise PhoneError(f"{package}: Core ML refuses it: {error}") from error
        found[name.lower()] = _times(model, repeats)
    return {"by_compute_units": found, "operations": _devices(model)}


def _times(model: Any, repeats: int) -> dict[str, float]:
    source = model.get_spec().description.input[0]
    shape = tuple(source.type.multiArrayType.shape)  # of a waveform, or of features
    window = {source.name: np.full(shape, 0.01, np.float32)}
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        model.predict(window)
        seconds.append(time.perf_counter() - started)
    return {"cold_ms": seconds[0] * 1e3, "warm_ms_median": statistics.median(seconds[1:]) * 1e3}


def _devices(model: Any) -> dict[str, int]:
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
