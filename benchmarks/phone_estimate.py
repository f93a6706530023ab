"""phone_estimate: estimated against published milliseconds, each network left out of the fit once.

The networks are keras.applications' with random weights; we trained none of them. They are counted
on every core that has published times, and on the cores of the phone classes, whenever the counts
in src/pocketear/phone/calibration.json were made with another LiteRT than the one installed. The
smallest is always counted again, and must agree to the instruction.
"""

import importlib.metadata
import json
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import claim
from pocketear.phone.calibration import COUNTS, Model, calibrated, counts_file, left_out
from pocketear.phone.classes import phone_table
from pocketear.phone.count import steady
from pocketear.phone.harness import KINDS, Job, count_run
from pocketear.phone.setup import Tools, prepare

SMALLEST = "mobilenet_v3_small"
SHAPE = (1, 224, 224, 3)


def networks() -> dict[str, Any]:
    """Name -> a function that builds it."""
    from keras import applications

    plain = {"weights": None}
    third = {"weights": None, "include_preprocessing": False}  # as in XNNPACK's own copy
    return {
        "mobilenet_v1": lambda: applications.MobileNet(**plain),
        "mobilenet_v2": lambda: applications.MobileNetV2(**plain),
        "mobilenet_v3_large": lambda: applications.MobileNetV3Large(**third),
        SMALLEST: lambda: applications.MobileNetV3Small(**third),
    }


def export(name: str, folder: Path) -> Path:
    """The network as an fp32 .tflite."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(2718)
    network = networks()[name]()
    call = tf.function(lambda image: network(image, training=False))
    concrete = call.get_concrete_function(tf.TensorSpec(SHAPE, tf.float32, name="image"))
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as freeze,
    )

    converter = tf.lite.TFLiteConverter.from_concrete_functions([freeze(concrete)])
    path = folder / f"{name}.tflite"
    path.write_bytes(converter.convert())
    return path


def count(tools: Tools, model: Path, core: str) -> dict[str, int]:
    """Instructions by kind of one warm inference."""
    image = np.random.default_rng(2718).normal(0, 0.1, (1, int(np.prod(SHAPE)))).astype(np.float32)
    part = steady(model, count_run(tools, Job(model, image, core)))
    return dict(zip(KINDS, part, strict=True))


def recount(tools: Tools, folder: Path) -> None:
    """Write a new calibration.json."""
    used = {on.core for on in phone_table().published.values()}
    used |= {one.core for one in phone_table().classes.values()}
    found = {}
    for name in networks():
        model = export(name, folder)
        by_kind = {}
        for core in sorted(used):
            by_kind[core] = count(tools, model, core)
            print(f"{name} on {core}: {sum(by_kind[core].values()):,}", flush=True)
        found[name] = {"file_bytes": model.stat().st_size, "by_kind": by_kind}
    record = {"litert": importlib.metadata.version("ai-edge-litert"), "networks": found}
    COUNTS.write_text(json.dumps(record, indent=1) + "\n")
    counts_file.cache_clear()


def verify(tools: Tools, folder: Path) -> bool:
    """Count the smallest network again on one core. returns: do the counts agree?"""
    model = export(SMALLEST, folder)
    return count(tools, model, "a76") == counts_file().networks[SMALLEST].by_kind["a76"]


def figures(model: Model, agrees: bool) -> dict[str, Any]:
    """The figures to publish, with every estimate beside its published time."""
    errors = [abs(one.error) for one in left_out()]
    titles = {name: of.title for name, of in phone_table().published.items()}
    rows = [
        {
            "phone": titles[one.phone],
            "network": one.network,
            "published_ms": one.published_ms,
            "estimated_ms": round(one.estimated_ms, 2),
            "error": round(one.error, 4),
            "source": phone_table().published[one.phone].source,
        }
        for one in left_out()
    ]
    return {
        "median_abs_error": round(statistics.median(errors), 4),
        "worst_abs_error": round(max(errors), 4),
        "left_out": "one network at a time, on every phone",
        "cycles_per_unit": {phone: round(c, 4) for phone, c in model.cycles.items()},
        "weight_of_other_instructions": round(model.weight, 3),
        "bandwidth_gb_per_second": round(model.bandwidth / 1e9, 2),
        "recounted_agrees": agrees,
        "networks": rows,
    }


def main() -> None:
    """Recount if necessary, then fit and publish."""
    tools = prepare()
    with tempfile.TemporaryDirectory() as folder:
        if counts_file().litert != importlib.metadata.version("ai-edge-litert"):
            recount(tools, Path(folder))
        agrees = verify(tools, Path(folder))
    claim.publish("phone_estimate", figures(calibrated(), agrees))


if __name__ == "__main__":
    main()
