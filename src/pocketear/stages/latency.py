"""latency: every .tflite variant -> what a second of listening costs on each phone class.

Who measures is params.latency.providers. One that cannot measure here, or that a file defeats, is
listed under `absent` with its reason, and the gate refuses what was not measured. Instructions are
the same in every run and are in latency.json; times are not, so there only whether they kept to
their limit: the times themselves are printed, and written to .pocketear/timings.json for MLflow.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from pocketear.base import process
from pocketear.base.errors import PhoneError, RunnerError
from pocketear.contracts.latency import (
    TIMINGS,
    ClassCost,
    LatencyReport,
    ModelCost,
    TimedLimit,
    Timings,
)
from pocketear.contracts.names import LITERT_VARIANTS, ModelFiles
from pocketear.contracts.report_file import write
from pocketear.params import GateParams, Params, load_params
from pocketear.phone import devices
from pocketear.phone.arm64 import class_cost
from pocketear.phone.host import host_cost
from pocketear.phone.setup import prepare
from pocketear.runtimes.card import check_metadata, read_card

Times = Mapping[str, float | str]
Stopwatch = Callable[[Path], Times]
ARM64, HOST = "arm64", "host"
RATIO, LISTENING = "ratio_median", "ms_per_listening_second"
NOT_ASKED = "it is not in latency.providers"


def hop_seconds(params: Params) -> float:
    """From one inference of the listener to the next."""
    return params.listener.hop_length / params.frontend.sample_rate


def host(params: Params) -> Stopwatch:
    """This machine's LiteRT, one thread, against a reference network."""
    return lambda model: host_cost(model, params.latency.repeats, hop_seconds(params))


def connected_phone(params: Params) -> Stopwatch:
    """Milliseconds on the phone that adb sees.

    raises: PhoneError if there is none
    """
    devices.refuse_without_phone()

    def cost(model: Path) -> Times:
        found = devices.phone_cost(model, hop_seconds(params))
        return found | {LISTENING: float(found["paced_ms_median"]) / hop_seconds(params)}

    return cost


def core_ml(params: Params) -> Stopwatch:
    """Milliseconds of the .mlpackage that ships, on this Mac.

    raises: PhoneError anywhere else
    """
    devices.refuse_without_mac()

    def cost(model: Path) -> Times:
        files = ModelFiles(model.parents[1], params.package.name)
        found = devices.core_ml_cost(files.coreml(params.export.ios), params.latency.repeats)
        return found | {LISTENING: float(found["all.warm_ms_median"]) / hop_seconds(params)}

    return cost


STOPWATCHES: dict[str, Callable[[Params], Stopwatch]] = {
    HOST: host,
    "adb": connected_phone,
    "macos": core_ml,
}


def counted(models: list[Path], params: Params) -> dict[Path, dict[str, ClassCost] | str]:
    """Exact instructions and estimated milliseconds on each phone class; or why there are none."""
    try:
        if ARM64 not in params.latency.providers:
            raise PhoneError(NOT_ASKED)
        tools = prepare()
    except PhoneError as error:
        return {model: str(error) for model in models}
    rate, hop = params.frontend.sample_rate, params.listener.hop_length

    def cost(model: Path) -> dict[str, ClassCost] | str:
        try:
            refuse_other_rate(model, rate)
            return {
                name: class_cost(model, name, rate, hop, tools) for name in params.latency.classes
            }
        except (PhoneError, RunnerError) as error:
            return str(error)

    return {model: cost(model) for model in models}


def timed(shipped: Path, params: Params) -> dict[str, Times | str]:
    """What each stopwatch, and always this machine's, says of the file that ships; or why not."""
    found: dict[str, Times | str] = {HOST: NOT_ASKED}
    for name in (name for name in params.latency.providers if name in STOPWATCHES):
        try:
            stopwatch = STOPWATCHES[name](params)
            refuse_other_rate(shipped, params.frontend.sample_rate)
            found[name] = stopwatch(shipped)
        except (PhoneError, RunnerError) as error:
            found[name] = str(error)
    return found


def limits(times: Mapping[str, Times | str], p: GateParams) -> dict[str, TimedLimit]:
    """Which times kept to their limit; one that was not measured did not."""
    judged = {}
    for name, own in times.items():
        limit, figure, unit = p.max_device_ms, LISTENING, " ms"
        if name == HOST:
            limit, figure, unit = p.max_host_ratio, RATIO, ""
        passed = not isinstance(own, str) and float(own[figure]) <= limit
        called = f"{name}.{'ratio' if name == HOST else figure}"
        judged[called] = TimedLimit(limit=limit, unit=unit, passed=passed)
    return judged


def measure(models: Path, params: Params) -> tuple[LatencyReport, Timings]:
    """What latency.json says, and what the stopwatches said.

    raises: PhoneError if the file that ships is not in `models`
    """
    files = ModelFiles(models.parent, params.package.name)
    shipped = files.litert(params.export.android)
    if not shipped.is_file():
        raise PhoneError(f"{shipped}: not found; `dvc repro` makes it")
    costs = counted([files.litert(variant) for variant in LITERT_VARIANTS], params)
    times = timed(shipped, params)
    uncounted = {model: why for model, why in costs.items() if isinstance(why, str)}
    report = LatencyReport(
        shipped=shipped.name,
        models={
            model.name: ModelCost(
                bytes=model.stat().st_size, arm64={} if isinstance(cost, str) else cost
            )
            for model, cost in costs.items()
        },
        timed=limits(times, params.gate),
        absent={
            **{
                ARM64 if model == shipped else f"{ARM64}, {model.name}": why
                for model, why in uncounted.items()
            },
            **{name: why for name, why in times.items() if isinstance(why, str)},
        },
    )
    measured = {name: dict(own) for name, own in times.items() if not isinstance(own, str)}
    digest = hashlib.sha256(shipped.read_bytes()).hexdigest()
    return report, Timings(sha256=digest, providers=measured)


def refuse_other_rate(model: Path, sample_rate: int) -> None:
    """A cost is of a second of audio: the file must be of the rate that it is counted at.

    raises: RunnerError if the file does not say its rate, or another one, or not the same twice
    """
    card = read_card(model)
    check_metadata(model, card)
    if card.sample_rate != sample_rate:
        made, wanted = f"made for {card.sample_rate} Hz", f"params.yaml has {sample_rate} Hz"
        raise RunnerError(f"{model}: {made}, {wanted}; `dvc repro` makes it again")


def summary(report: LatencyReport, timings: Timings) -> list[str]:
    """One line a phone class and a stopwatch, for the log."""
    lines = []
    for name, one in report.cost.arm64.items():
        whole, quiet = one.instructions_per_second, one.instructions_per_quiet_second
        front_end = one.front_end_instructions_per_second / whole
        lines.append(
            f"{report.shipped} on {name}: {whole / 1e6:.2f} million instructions a second of "
            f"listening ({quiet / 1e6:.2f} where it is quiet), "
            f"front-end {100 * front_end:.0f} %; estimated {one.estimate_ms_per_second:.2g} ms "
            f"({one.estimate_low:.2g} to {one.estimate_high:.2g})"
        )
    for name, own in timings.providers.items():
        times = (f"{key} {value:.4g}" for key, value in own.items() if not isinstance(value, str))
        lines.append(f"{report.shipped}, {name}: {', '.join(times)}")
    return [*lines, *(f"{name} absent: {reason}" for name, reason in report.absent.items())]


def main(models: Path, out: Path) -> None:
    """Measure every variant in `models`."""
    report, timings = measure(models, load_params())
    write(report, out)
    write(timings, TIMINGS)
    for line in summary(report, timings):
        print(f"latency: {line}")


if __name__ == "__main__":
    process.run(main)
