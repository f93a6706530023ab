"""Milliseconds: right on networks that the fit did not know, wider where less is known."""

import json
import statistics
from pathlib import Path

import numpy as np
import pytest

from places import ROOT
from pocketear.phone import calibration
from pocketear.phone.calibration import Workload, calibrated, counts_file, fit, left_out
from pocketear.phone.classes import phone_table
from pocketear.phone.count import Counts
from pocketear.phone.estimate import estimate
from pocketear.phone.profile import OpCost


def counts(instructions: int, kernel: str = "Convolution (NHWC, F32) IGEMM") -> Counts:
    """A made-up inference, 60 % of it multiply-adds."""
    by_kind = {"multiply_add": 6 * instructions // 10, "load": 4 * instructions // 10}
    op = OpCost("conv", "CONV_2D", kernel, False, by_kind)
    return Counts(by_kind, (op,), 0, 0, np.zeros((1, 1), np.float32))


def width(instructions: int, name: str = "a76", kernel: str = "F32") -> float:
    guess = estimate(counts(instructions, kernel), 100_000, name)
    assert guess.low < guess.milliseconds < guess.high
    return guess.high / guess.low


def test_networks_that_were_left_out_are_met_within_the_goal() -> None:
    errors = [abs(one.error) for one in left_out()]
    assert len(errors) == 16
    assert statistics.median(errors) <= 0.15
    assert max(errors) <= 0.15


def test_a_network_that_was_left_out_did_not_shape_its_estimate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    networks = [name for name in counts_file().networks if name != "mobilenet_v1"]
    before = fit(networks)
    table = phone_table()
    doubled = {
        name: on.model_copy(update={"milliseconds": {**on.milliseconds, "mobilenet_v1": 1e3}})
        for name, on in table.published.items()
    }
    other = table.model_copy(update={"published": doubled})
    monkeypatch.setattr(calibration, "phone_table", lambda: other)
    assert fit(networks) == before


def test_the_fit_finds_the_numbers_that_made_the_times(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = calibration.Model(dict.fromkeys(phone_table().published, 0.5), 2.0, 5e9)
    table = phone_table()
    made = {
        phone: on.model_copy(
            update={
                "milliseconds": {
                    name: truth.milliseconds(phone, calibration.published_work(name, on.core))
                    for name in on.milliseconds
                }
            }
        )
        for phone, on in table.published.items()
    }
    monkeypatch.setattr(
        calibration, "phone_table", lambda: table.model_copy(update={"published": made})
    )
    found = fit(list(counts_file().networks))
    assert found.weight == pytest.approx(2.0, rel=1e-3)
    assert found.bandwidth == pytest.approx(5e9, rel=1e-3)
    assert list(found.cycles.values()) == pytest.approx([0.5] * 4, rel=1e-3)


def test_a_published_network_on_its_own_phone_class_lies_in_the_interval() -> None:
    pixel = phone_table().published["pixel_4"]
    clock = pixel.clock_mhz / phone_table().classes["a76"].clock_mhz
    for name, network in counts_file().networks.items():
        by_kind = network.by_kind["a76"]
        made = Counts(by_kind, (), 0, 0, np.zeros((1, 1), np.float32))
        guess = estimate(made, network.file_bytes, "a76")
        assert guess.low < pixel.milliseconds[name] * clock < guess.high


def test_less_is_known_of_smaller_networks_other_cores_and_integers() -> None:
    assert width(1_000_000) > width(10_000_000) > width(30_000_000)
    assert width(30_000_000) == pytest.approx(width(100_000_000))
    assert width(10_000_000, "a53") > width(10_000_000, "x1") > width(10_000_000, "a76")
    assert width(10_000_000, kernel="QS8") > width(10_000_000)


def test_twice_the_work_takes_twice_the_time_where_all_fits_the_cache() -> None:
    once, twice = (estimate(counts(n), 100_000, "a76") for n in (10**7, 2 * 10**7))
    assert twice.milliseconds == pytest.approx(2 * once.milliseconds, rel=1e-6)


def test_weights_beyond_the_cache_are_read_again() -> None:
    model = calibrated()
    small, large = (Workload(10**6, 10**6, size) for size in (10**5, 10**7))
    assert model.memory_seconds(small, cache_kib=512) == 0
    assert model.memory_seconds(large, cache_kib=512) > 0


def test_the_published_figure_is_the_one_that_the_code_gives() -> None:
    path: Path = ROOT / "benchmarks" / "results" / "phone_estimate.json"
    if not path.is_file():
        pytest.skip("no run of benchmarks/phone_estimate.py")
    figures = json.loads(path.read_text())["figures"]
    errors = [abs(one.error) for one in left_out()]
    assert figures["median_abs_error"] == pytest.approx(statistics.median(errors), abs=2e-4)
