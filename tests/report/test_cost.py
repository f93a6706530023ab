"""What a phone pays, as the page and the pull request tell it."""

from typing import Any

import pytest

from pocketear.report import cost


def shipped(ops: int) -> dict[str, Any]:
    counts = [1000 * (i + 1) for i in range(ops)]
    by_op = [
        {"op": "CONV_2D", "name": f"block_{i}", "kernel": "", "front_end": i < 2,
         "instructions": n, "share": n / sum(counts)}
        for i, n in enumerate(counts)
    ]  # fmt: skip
    one = {
        "instructions_per_second": 8_000_000,
        "instructions_per_listening_second": 24_000_000,
        "front_end_instructions_per_second": 2_000_000,
        "estimate_ms_per_second": 9.3,
        "estimate_low": 5.1,
        "estimate_high": 17.0,
        "peak_bytes": 1_840_000,
        "by_op": by_op,
    }
    return {"bytes": 100_000, "arm64": {"a53": one, "x1": one}}


def test_a_class_in_one_row() -> None:
    rows = cost.class_rows(shipped(3))
    assert [row.name for row in rows] == ["a53", "x1"]
    assert (rows[0].instructions, rows[0].front_end) == ("8 M", 0.25)
    assert (rows[0].milliseconds, rows[0].interval) == ("9.3 ms", "5.1 to 17")
    assert rows[0].memory == "1.8 MB"


@pytest.mark.parametrize("ops", [1, 12, 13, 40])
def test_the_ops_shown_make_the_whole(ops: int) -> None:
    name, rows = cost.op_rows(shipped(ops))
    assert name == "a53"
    assert len(rows) == min(ops, 13)
    assert sum(row.share for row in rows) == pytest.approx(1.0)
    shares = [row.share for row in rows[:12]]
    assert shares == sorted(shares, reverse=True)


def test_without_a_phone_class_there_is_nothing_to_tell() -> None:
    assert cost.class_rows({"bytes": 1}) == []
    assert cost.op_rows({"bytes": 1}) == ("", [])
    assert cost.tile({"bytes": 1}) is None


def test_who_could_not_measure_is_told_with_the_reason() -> None:
    assert cost.absent_rows({"absent": {"adb": "adb is not installed"}}) == [
        ("a phone", "adb is not installed")
    ]
