"""What the file that ships costs a phone, as the page and the pull request show it."""

import pytest

from pocketear.contracts.latency import ModelCost
from pocketear.params import Params, load_params
from pocketear.report import cost
from reported_project import class_cost, latency_of


@pytest.fixture
def params(project: object) -> Params:
    return load_params()


def test_a_class_in_one_row(params: Params) -> None:
    rows = cost.class_rows(latency_of(params).cost)
    assert [row.name for row in rows] == ["a53", "x1"]
    assert (rows[0].instructions, rows[0].quiet, rows[0].front_end) == ("8 M", "0.11 M", 0.25)
    assert (rows[0].milliseconds, rows[0].interval) == ("9.3 ms", "5.1 to 17")
    assert rows[0].memory == "1.8 MB"
    assert rows[0].night == "not known"


def test_battery_is_the_time_of_a_core_times_its_current() -> None:
    """33 mA for 3 ms of each second, 8 hours: 0.79 mAh."""
    found = class_cost(1).model_copy(
        update={"mah_per_night": 0.792, "mah_per_night_low": 0.37, "mah_per_night_high": 1.85}
    )
    (row,) = cost.class_rows(ModelCost(bytes=1, arm64={"a53": found}))
    assert row.night == "0.79 mAh (0.37 to 1.9)"


@pytest.mark.parametrize("ops", [1, 12, 13, 40])
def test_the_ops_shown_make_the_whole(ops: int) -> None:
    name, rows = cost.op_rows(ModelCost(bytes=1, arm64={"a53": class_cost(ops)}))
    assert name == "a53"
    assert len(rows) == min(ops, 13)
    assert sum(row.share for row in rows) == pytest.approx(1.0)
    shares = [row.share for row in rows[:12]]
    assert shares == sorted(shares, reverse=True)


def test_without_a_phone_class_there_is_nothing_to_show() -> None:
    nothing = ModelCost(bytes=1)
    assert cost.class_rows(nothing) == []
    assert cost.op_rows(nothing) == ("", [])
    assert cost.tile(nothing) is None


def test_a_time_is_shown_as_kept_to_its_limit_or_over_it(params: Params) -> None:
    for passed in (True, False):
        (row,) = cost.timed_rows(latency_of(params, passed=passed))
        assert (row.provider, row.limit, row.passed) == ("this machine", "≤ 1", passed)
        assert row.reason == ""


def test_what_could_not_be_measured_is_shown_once_with_the_reason(params: Params) -> None:
    absent = {"host": "no LiteRT here", "arm64, other.tflite": "no such op"}
    latency = latency_of(params).model_copy(update={"absent": absent})
    (row,) = cost.timed_rows(latency)
    assert row.reason == "no LiteRT here"
    assert cost.absent_rows(latency) == [("phone classes, other.tflite", "no such op")]
