"""latency: every exported .tflite -> what one window costs, here, on each phone class, on a phone.

Who measures is params.latency.providers. One that cannot measure here, or that a file defeats, is
listed under `absent` with its reason, and the gate refuses what was not measured.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pocketear.base import process
from pocketear.base.errors import PhoneError, RunnerError
from pocketear.base.files import replacing
from pocketear.params import Params, load_params
from pocketear.phone import adb, macos
from pocketear.phone.arm64 import class_cost
from pocketear.phone.host import host_cost
from pocketear.phone.setup import prepare
from pocketear.runtimes.card import check_metadata, read_card

LISTENING = "ms_per_listening_second"
Provider = Callable[[Path], dict[str, Any]]


def hop_seconds(params: Params) -> float:
    """From one window that the listener hears to the next."""
    return params.listener.hop_length / params.frontend.sample_rate


def host(params: Params) -> Provider:
    """This machine's LiteRT, one thread, against a reference network."""
    return lambda model: host_cost(model, params.latency.repeats, hop_seconds(params))


def arm64(params: Params) -> Provider:
    """Exact instructions and estimated milliseconds of each phone class.

    raises: PhoneError if what counts is absent
    """
    tools = prepare()
    rate, hop = params.frontend.sample_rate, params.listener.hop_length
    return lambda model: {
        name: class_cost(model, name, rate, hop, tools) for name in params.latency.classes
    }


def connected_phone(params: Params) -> Provider:
    """Milliseconds on the phone that adb sees.

    raises: PhoneError if there is none
    """
    reason = adb.absent()
    if reason:
        raise PhoneError(reason)

    def cost(model: Path) -> dict[str, Any]:
        found = adb.device_cost(model, hop_seconds(params))
        return found | {LISTENING: found["paced_ms_median"] / hop_seconds(params)}

    return cost


def core_ml(params: Params) -> Provider:
    """Milliseconds of the .mlpackage of the same name on this Mac.

    raises: PhoneError anywhere else
    """
    reason = macos.absent()
    if reason:
        raise PhoneError(reason)
    folder, variant = "coreml", f"{params.package.name}_{params.export.ios}.mlpackage"

    def cost(model: Path) -> dict[str, Any]:
        package = model.parent.parent / folder / variant
        found = macos.core_ml_cost(package, params.latency.repeats)
        warm = found["by_compute_units"]["all"]["warm_ms_median"]
        return found | {LISTENING: warm / hop_seconds(params)}

    return cost


PROVIDERS: dict[str, Callable[[Params], Provider]] = {
    "host": host,
    "arm64": arm64,
    "adb": connected_phone,
    "macos": core_ml,
}


def measure(models: Path, params: Params) -> dict[str, Any]:
    """What latency.json says. absent: a provider, or one of another file than ships -> why

    raises: PhoneError if the file that ships is not in `models`
    """
    shipped = f"{params.package.name}_{params.export.android}.tflite"
    if not (models / shipped).is_file():
        raise PhoneError(f"{models / shipped}: not found; `dvc repro` makes it")
    present: dict[str, Provider] = {}
    absent: dict[str, str] = {}
    for chosen in params.latency.providers:
        try:
            present[chosen] = PROVIDERS[chosen](params)
        except PhoneError as error:
            absent[chosen] = str(error)
    found: dict[str, Any] = {}
    for model in sorted(models.glob("*.tflite")):
        found[model.name] = {"file": model.name, "bytes": model.stat().st_size}
        for name, provider in present.items():
            try:
                refuse_other_rate(model, params.frontend.sample_rate)
                found[model.name][name] = provider(model)
            except (PhoneError, RunnerError) as error:
                absent[name if model.name == shipped else f"{name}, {model.name}"] = str(error)
    return {"shipped": found[shipped], "models": found, "absent": absent}


def refuse_other_rate(model: Path, sample_rate: int) -> None:
    """A cost is of a second of audio: the file must be of the rate that it is counted at.

    raises: RunnerError if the file does not say its rate, or another one, or not the same twice
    """
    card = read_card(model)
    check_metadata(model, card)
    if card.sample_rate != sample_rate:
        made, wanted = f"made for {card.sample_rate} Hz", f"params.yaml has {sample_rate} Hz"
        raise RunnerError(f"{model}: {made}, {wanted}; `dvc repro` makes it again")


def summary(cost: dict[str, Any]) -> list[str]:
    """One line a phone class, for the log."""
    lines = []
    for name, one in cost.get("arm64", {}).items():
        whole, heard = one["instructions_per_second"], one["instructions_per_listening_second"]
        front_end = one["front_end_instructions_per_second"] / whole
        lines.append(
            f"{cost['file']} on {name}: {whole / 1e6:.2f} million instructions a second of audio "
            f"({heard / 1e6:.2f} of listening, in overlapping windows), "
            f"front-end {100 * front_end:.0f} %; estimated {one['estimate_ms_per_second']:.2g} ms "
            f"({one['estimate_low']:.2g} to {one['estimate_high']:.2g})"
        )
    return lines


def main(models: Path, out: Path) -> None:
    """Measure every .tflite of `models`."""
    found = measure(models, load_params())
    with replacing(out) as fresh:
        fresh.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for line in summary(found["shipped"]):
        print(f"latency: {line}")
    for name, reason in found["absent"].items():
        print(f"latency: {name} absent: {reason}")


if __name__ == "__main__":
    process.run(main)
