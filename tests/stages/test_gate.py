import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketear.stages import gate

numbers = st.floats(-10, 10, allow_nan=False)


@given(limit=numbers, value=numbers, better=st.floats(0, 5))
def test_a_better_value_never_turns_accepted_into_refused(
    limit: float, value: float, better: float
) -> None:
    if gate.at_least("x", limit, value).passed:
        assert gate.at_least("x", limit, value + better).passed
    if gate.at_most("x", limit, value).passed:
        assert gate.at_most("x", limit, value - better).passed


def test_what_was_not_measured_is_refused() -> None:
    for one in (gate.at_least("x", 0.0, None), gate.at_most("x", 9.0, None, why="no emulator")):
        assert not one.passed
        assert "x: not measured" in one.reason
    assert "no emulator" in one.reason


def test_a_refusal_says_which_gate_and_by_how_much() -> None:
    one = gate.at_least("litert_int8.accuracy", 0.9, 0.85)
    assert one.reason == "litert_int8.accuracy: 0.85, want at least 0.9; missed by 0.05"


def test_the_verdict_holds_every_reason() -> None:
    gates = [gate.at_most("a", 1, 2), gate.at_most("b", 1, 1), gate.at_most("c", 1, 3)]
    found = gate.judge(gates, [])
    assert not found["accepted"]
    assert [reason.split(":")[0] for reason in found["reasons"]] == ["a", "c"]
    assert gate.judge(gates[1:2], ["d: no such sound"]) == {
        "accepted": True,
        "reasons": [],
        "absent": ["d: no such sound"],
        "gates": [json.loads(json.dumps(vars(gates[1])))],
    }


@pytest.fixture
def figures() -> dict[str, Any]:
    return {"accuracy": 0.9, "recall": {"cry": 0.9, "laugh": 0.8}, "calibration_error": 0.02}


def test_losing_one_label_is_refused_by_name(figures: dict[str, Any], project: Path) -> None:
    from pocketear.params import load_params

    worse = {**figures, "recall": {"cry": 0.9, "laugh": 0.7}}
    metrics = {"keras": figures, "litert_int8": worse}
    limits = load_params().gate
    refused = [g for g in gate.accuracy_gates(metrics, ["litert_int8"], limits) if not g.passed]
    assert [g.name for g in refused] == ["litert_int8.recall_drop"]
    assert "label laugh" in refused[0].reason


def alarm_gates(**alarms: Any) -> dict[str, gate.Gate]:
    from pocketear.params import load_params

    metrics = {"litert_int8": {"alarms": alarms} if alarms else {}}
    gates = gate.alarm_gates(metrics, "litert_int8", load_params().gate)
    return {one.name.partition(".")[2]: one for one in gates}


def test_a_label_that_is_missed_is_refused_by_name(project: Path) -> None:
    gates = alarm_gates(
        misses={"cry": 0.1, "laugh": 0.75}, false_alarms=0, quiet_hours=2.0,
        false_alarms_per_hour_high=1.5,
    )  # fmt: skip
    assert not gates["miss_rate"].passed
    assert "label laugh" in gates["miss_rate"].reason
    assert gates["false_alarms_per_hour"].passed


def test_false_alarms_are_refused_with_how_long_was_listened(project: Path) -> None:
    gates = alarm_gates(
        misses={"cry": 0.1}, false_alarms=9, quiet_hours=0.05, false_alarms_per_hour_high=314.0
    )
    refused = gates["false_alarms_per_hour"]
    assert not refused.passed
    assert "9 in 3.0 min of sound to ignore, so below this with 95 % confidence" in refused.reason


def test_without_sound_to_ignore_the_gate_is_absent_for_a_reason(project: Path) -> None:
    alarms = {"misses": {"cry": 0.1}, "false_alarms": 0, "quiet_hours": 0.0,
              "false_alarms_per_hour_high": None}  # fmt: skip
    assert list(alarm_gates(**alarms)) == ["miss_rate"]
    told = gate.not_judged({"litert_int8": {"alarms": alarms}}, "litert_int8")
    assert len(told) == 1
    assert "no sound in which an alarm would be false" in told[0]


def test_alarms_that_were_not_measured_are_refused(project: Path) -> None:
    gates = alarm_gates()
    assert len(gates) == 2
    assert not any(one.passed for one in gates.values())
    assert gate.not_judged({"litert_int8": {}}, "litert_int8") == []


def phone_gates(latency: dict[str, Any]) -> dict[str, gate.Gate]:
    from pocketear.params import load_params

    return {one.name: one for one in gate.latency_gates(latency, load_params().gate)}


def cost(instructions: int) -> dict[str, Any]:
    classes = {
        name: {
            "instructions_per_second": instructions, "estimate_ms_per_second": 1.0,
            "instructions_per_listening_second": 3 * instructions,
            "peak_bytes": 1000, "costliest_op": "CONV_2D conv_2, 31 % of the instructions",
        }
        for name in ("a53", "a76")
    }  # fmt: skip
    shipped = {"bytes": 1000, "host": {"ratio_median": 0.1}, "arm64": classes}
    return {"shipped": shipped, "absent": {}}


def test_over_budget_names_the_op_that_costs_most(project: Path) -> None:
    gates = phone_gates(cost(11_000_000))
    assert gates["a53.instructions_per_second"].passed
    assert gates["a53.instructions_per_listening_second"].passed
    assert not gates["a76.instructions_per_listening_second"].passed
    refused = gates["a76.instructions_per_second"]
    assert not refused.passed
    assert "CONV_2D conv_2, 31 % of the instructions" in refused.reason


def test_a_missing_emulator_never_turns_the_gate_green(project: Path) -> None:
    latency = cost(1)
    del latency["shipped"]["arm64"]
    latency["absent"]["arm64"] = "qemu-aarch64 is not on the PATH"
    gates = phone_gates(latency)
    refused = [one for name, one in gates.items() if name.startswith(("a53", "a76"))]
    assert len(refused) == 8
    assert not any(one.passed for one in refused)
    assert all("qemu-aarch64 is not on the PATH" in one.reason for one in refused)


@pytest.mark.parametrize(("ms", "passed"), [(10.0, True), (40.0, False)])
def test_a_real_device_is_judged_where_it_was_asked_for(
    ms: float, passed: bool, project: Path
) -> None:
    assert "adb.ms_per_listening_second" not in phone_gates(cost(1))
    latency = cost(1)
    latency["shipped"]["adb"] = {"ms_per_listening_second": ms}
    assert phone_gates(latency)["adb.ms_per_listening_second"].passed == passed


def test_a_device_that_was_asked_for_and_is_absent_is_refused(project: Path) -> None:
    latency = cost(1)
    latency["absent"]["adb"] = "adb sees no phone; connect one"
    refused = phone_gates(latency)["adb.ms_per_listening_second"]
    assert not refused.passed
    assert "adb sees no phone" in refused.reason
