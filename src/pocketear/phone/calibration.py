"""calibration: published latencies, and our counts of the same networks -> a model of milliseconds.

    seconds = cycles_per_unit * (multiply_add + w * every other instruction) / clock
              + (file bytes beyond the cache) / bandwidth

cycles_per_unit is one number a core; w and the bandwidth are shared by all phones. They are fitted
so that the relative errors are least. An error that is published is one of a network that was left
out of the fit on every phone.
"""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from pydantic import PositiveInt

from pocketear.params import Section
from pocketear.phone.classes import PhoneClass, Published, phone_table

COUNTS = Path(__file__).with_name("calibration.json")
_START = (0.5, 1.5, 8e9)  # where the fit starts: a unit's cycles, w, bytes a second
_KIB = 1024


class NetworkCounts(Section):
    """One published network. by_kind: of each core."""

    file_bytes: PositiveInt
    by_kind: dict[str, dict[str, int]]


class CountsFile(Section):
    """calibration.json: made by benchmarks/phone_estimate.py."""

    litert: str
    networks: dict[str, NetworkCounts]


@dataclass(frozen=True)
class Workload:
    """What a network asks of a core: multiply-adds, other instructions, bytes."""

    multiply_adds: int
    others: int
    file_bytes: int

    @property
    def instructions(self) -> int:
        """All of them."""
        return self.multiply_adds + self.others


@dataclass(frozen=True)
class Model:
    """The fitted numbers. cycles: a unit's, by published phone; bandwidth in bytes a second."""

    cycles: Mapping[str, float]
    weight: float
    bandwidth: float

    def units(self, work: Workload) -> float:
        """Instructions, with `weight` for those that do not multiply and add."""
        return work.multiply_adds + self.weight * work.others

    def memory_seconds(self, work: Workload, cache_kib: int) -> float:
        """What does not stay in the cache is read again in every inference."""
        return max(0, work.file_bytes - cache_kib * _KIB) / self.bandwidth

    def milliseconds(self, phone: str, work: Workload) -> float:
        """One inference on a published phone."""
        on = phone_table().published[phone]
        computing = self.cycles[phone] * self.units(work) / (on.clock_mhz * 1e6)
        return 1e3 * (computing + self.memory_seconds(work, on.cache_kib))


@dataclass(frozen=True)
class LeftOut:
    """A published time against one from a fit that knew the network on no phone."""

    phone: str
    network: str
    published_ms: float
    estimated_ms: float

    @property
    def error(self) -> float:
        """Relative, signed."""
        return self.estimated_ms / self.published_ms - 1


@cache
def counts_file() -> CountsFile:
    """Our own counts of the published networks."""
    return CountsFile.model_validate(json.loads(COUNTS.read_text(encoding="utf-8")))


def workload(by_kind: Mapping[str, int], file_bytes: int) -> Workload:
    """The terms of the model from counts by kind."""
    multiply_adds = by_kind["multiply_add"]
    return Workload(multiply_adds, sum(by_kind.values()) - multiply_adds, file_bytes)


def published_work(network: str, core: str) -> Workload:
    """A published network on a core."""
    counted = counts_file().networks[network]
    return workload(counted.by_kind[core], counted.file_bytes)


def fit(networks: Sequence[str]) -> Model:
    """Fit on every published phone's times of `networks`."""
    from scipy.optimize import least_squares

    phones = list(phone_table().published)
    times = [
        (phone, published_work(network, on.core), on.milliseconds[network])
        for phone, on in phone_table().published.items()
        for network in networks
        if network in on.milliseconds
    ]

    def model_of(logs: np.ndarray) -> Model:
        *cycles, weight, bandwidth = np.exp(logs).tolist()
        return Model(dict(zip(phones, cycles, strict=True)), weight, bandwidth)

    def errors(logs: np.ndarray) -> list[float]:
        model = model_of(logs)
        return [math.log(model.milliseconds(phone, work) / ms) for phone, work, ms in times]

    cycles, weight, bandwidth = _START
    start = np.log([*(cycles for _ in phones), weight, bandwidth])
    return model_of(least_squares(errors, start).x)


@cache
def calibrated() -> Model:
    """The fit on everything that is published."""
    return fit(list(counts_file().networks))


@cache
def left_out() -> tuple[LeftOut, ...]:
    """Every published time, estimated without its network."""
    networks = list(counts_file().networks)
    found = []
    for network in networks:
        model = fit([other for other in networks if other != network])
        for phone, on in phone_table().published.items():
            work = published_work(network, on.core)
            ms = on.milliseconds[network]
            found.append(LeftOut(phone, network, ms, model.milliseconds(phone, work)))
    return tuple(found)


def class_cycles(model: Model, of: PhoneClass) -> float:
    """A unit's cycles on the core of a phone class.

    The class's core runs kernels of its own, so its factor is applied to whole networks' cycles.
    """
    on: Published = phone_table().published[of.calibrated_on]
    ratios = [
        model.units(published_work(network, on.core))
        / model.units(published_work(network, of.core))
        for network in counts_file().networks
    ]
    return of.factor * model.cycles[of.calibrated_on] * statistics.geometric_mean(ratios)
