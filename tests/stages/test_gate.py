"""gate: what is refused, in which words, and what stands in the verdict."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketear.base.errors import DataError
from pocketear.contracts.audit import Audit, AuditedProperty
from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.groups import Groups
from pocketear.contracts.headline import Headline
from pocketear.contracts.latency import ClassCost, LatencyReport, ModelCost, TimedLimit
from pocketear.contracts.metrics import Alarms, Metrics, MetricsReport
from pocketear.contracts.parity import ParityCell, ParityReport
from pocketear.contracts.report_file import read, write
from pocketear.contracts.robustness import Robustness, RobustnessReport
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.evaluation.conditions import CONDITIONS
from pocketear.params import GateParams, load_params
from pocketear.stages import gate

SHIPPED = "litert_int8"
numbers = st.floats(-10, 10, allow_nan=False)
NO_FOLDS = GroupFolds(folds=0, why="enough groups", metrics=None)
ROBUST = {
    name: Robustness(clips=40, accuracy=0.8, recall={"cry": 0.9, "laugh": 0.7})
    for name in CONDITIONS
}
GIVEN = Groups(find="auto", given=40, found=0, unknown=0)
OP = "CONV_2D conv_2, 31 % of the instructions"
ABSENT = "qemu-aarch64 is not on the PATH"


@pytest.fixture
def limits(project: Path) -> GateParams:
    return load_params().gate


def metrics(**changes: Any) -> Metrics:
    """Of a model that loses nothing."""
    values: dict[str, Any] = {
        "bytes": 100_000, "clips": 40, "groups": 40, "accuracy": 0.9, "accuracy_low": 0.8,
        "accuracy_high": 1.0,
        "macro_f1": 0.9, "recall": {"cry": 0.9, "laugh": 0.8}, "precision": {"cry": 1, "laugh": 1},
        "recall_low": {"cry": 0.8, "laugh": 0.7}, "recall_high": {"cry": 1, "laugh": 0.9},
        "label_groups": {"cry": 20, "laugh": 20}, "recall_min": 0.8, "calibration_error": 0.02,
    }  # fmt: skip
    return Metrics(**values | changes)


def alarms(**changes: Any) -> Alarms:
    """Of a file that misses little, over two hours of sound to ignore."""
    values: dict[str, Any] = {"misses": {"cry": 0.1}, "false_alarms": 0, "quiet_hours": 2.0,
                              "false_alarms_per_hour_high": 1.5}  # fmt: skip
    return Alarms(**values | changes)


def class_cost(instructions: int) -> ClassCost:
    """Of windows that overlap threefold."""
    return ClassCost(
        instructions_per_inference=instructions, instructions_per_second=instructions,
        front_end_instructions_per_second=0, instructions_per_quiet_second=110_000,
        by_kind={"load": instructions}, by_op=(), costliest_op=OP, estimate_ms_per_second=1.0,
        estimate_low=0.8, estimate_high=1.2, leave_one_out_error=0.1, peak_bytes=1000,
        max_abs_to_host=0.0,
    )  # fmt: skip


def latency(instructions: int, **changes: Any) -> LatencyReport:
    """Of one file, on both phone classes that the project budgets for."""
    counted = {name: class_cost(instructions) for name in ("a53", "a76")}
    values: dict[str, Any] = {
        "shipped": "x.tflite",
        "models": {"x.tflite": ModelCost(bytes=1000, arm64=counted)},
        "timed": {"host.ratio": TimedLimit(limit=0.5, unit="", passed=True)},
    }
    return LatencyReport(**values | changes)


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
    found = gate.judge(gates, ())
    assert (found.accepted, found.word) == (False, "refused")
    assert [reason.split(":")[0] for reason in found.reasons] == ["a", "c"]
    assert [one.name for one in found.failed] == ["a", "c"]
    good = gate.judge(gates[1:2], ("d: no such sound",))
    assert (good.accepted, good.word, good.reasons) == (True, "accepted", ())
    assert good.absent == ("d: no such sound",)
    assert good.gates == (gates[1],)


def test_losing_one_label_is_refused_by_name(limits: GateParams) -> None:
    worse = metrics(recall={"cry": 0.9, "laugh": 0.7})
    report = MetricsReport({"keras": metrics(), SHIPPED: worse})
    refused = [
        one for one in gate.accuracy_gates(report, (SHIPPED,), NO_FOLDS, limits) if not one.passed
    ]
    assert [one.name for one in refused] == [f"{SHIPPED}.recall_drop"]
    assert "label laugh" in refused[0].reason


def test_a_file_that_was_not_evaluated_is_refused_at_every_gate(limits: GateParams) -> None:
    report = MetricsReport({"keras": metrics()})
    gates = [
        *gate.accuracy_gates(report, (SHIPPED,), NO_FOLDS, limits),
        *gate.alarm_gates(report, SHIPPED, limits),
    ]
    assert len(gates) == 7
    assert all("not measured" in one.reason for one in gates)


def test_few_people_are_refused_by_the_low_end_of_the_interval(limits: GateParams) -> None:
    lucky = metrics(accuracy=1.0, accuracy_low=0.4, recall_low={"cry": 0.7, "laugh": 0.3})
    report = MetricsReport({"keras": lucky, SHIPPED: lucky})
    gates = list(gate.accuracy_gates(report, (SHIPPED,), NO_FOLDS, limits))
    refused = {one.name: one.reason for one in gates if not one.passed}
    assert list(refused) == [f"{SHIPPED}.accuracy_low", f"{SHIPPED}.recall_low"]
    assert "100.0 % measured, on 40 groups" in refused[f"{SHIPPED}.accuracy_low"]
    assert "label laugh: 80.0 % measured, on 20 groups" in refused[f"{SHIPPED}.recall_low"]
    asked = limits.model_copy(update={"bound": "estimate"})
    assert all(one.passed for one in gate.accuracy_gates(report, (SHIPPED,), NO_FOLDS, asked))


def test_all_folds_together_are_judged_where_there_are_some(limits: GateParams) -> None:
    lucky = metrics(accuracy_low=0.1, recall_low={"cry": 0.1, "laugh": 0.1})
    report = MetricsReport({"keras": lucky, SHIPPED: lucky})
    folds = GroupFolds(folds=5, why="few", metrics=metrics(accuracy_low=0.85))
    gates = list(gate.accuracy_gates(report, (SHIPPED,), folds, limits))
    assert all(one.passed for one in gates)
    assert gates[0].name == "crossvalidated.accuracy_low"
    bad = GroupFolds(folds=5, why="few", metrics=metrics(accuracy_low=0.75))
    refused = [one for one in gate.accuracy_gates(report, (SHIPPED,), bad, limits) if one.reason]
    assert [one.name for one in refused] == ["crossvalidated.accuracy_low"]


def test_a_label_lost_in_noise_is_refused_by_name(limits: GateParams) -> None:
    assert all(one.passed for one in gate.robust_gates(RobustnessReport(ROBUST), limits))
    lost = Robustness(clips=40, accuracy=0.5, recall={"cry": 0.9, "laugh": 0.1})
    report = RobustnessReport({**ROBUST, "noise_10": lost, "noise_0": lost})
    refused = [one for one in gate.robust_gates(report, limits) if not one.passed]
    assert [one.name for one in refused] == ["robust.noise_10.recall_min"]  # noise_0: limit 0
    assert "label laugh" in refused[0].reason
    assert all(
        "not measured" in one.reason for one in gate.robust_gates(RobustnessReport({}), limits)
    )


def test_rendered_sounds_and_few_groups_are_in_the_verdict() -> None:
    own = metrics(label_groups={"cry": 20, "laugh": 2})
    unknown = GIVEN.model_copy(update={"unknown": 10})
    assert gate.notes(own, NO_FOLDS, unknown)[0] == (
        "groups unknown of 20% of the clips: accuracy on new people will be lower"
    )
    notes = gate.notes(own, NO_FOLDS, GIVEN)
    assert notes == ("stands on 40 clips of 40 groups on the test side; fewest of label laugh: 2",)
    found = gate.judge([gate.at_most("b", 1, 1)], (), notes, rendered=True)
    assert found.headline.startswith("accepted, as a demonstration: rendered sounds only")
    assert gate.judge([], (), ()).headline == "accepted"


def test_limits_that_let_more_through_are_in_the_notes(limits: GateParams) -> None:
    own = metrics(accuracy_low=0.41)
    assert gate.lenient(own, NO_FOLDS, limits) == ()
    estimate = limits.model_copy(update={"bound": "estimate", "min_recall": 0.0})
    by_luck, nothing = gate.lenient(own, NO_FOLDS, estimate)
    assert by_luck.startswith("gate.bound is estimate") and "41.0 % or more" in by_luck
    assert nothing == "gate.min_recall is 0, so it asks for nothing"


def alarm_gates(limits: GateParams, own: Alarms | None) -> dict[str, Gate]:
    report = MetricsReport({SHIPPED: metrics(alarms=own)})
    gates = gate.alarm_gates(report, SHIPPED, limits)
    return {one.name.partition(".")[2]: one for one in gates}


def test_a_label_that_is_missed_is_refused_by_name(limits: GateParams) -> None:
    gates = alarm_gates(limits, alarms(misses={"cry": 0.1, "laugh": 0.75}))
    assert not gates["miss_rate"].passed
    assert "label laugh" in gates["miss_rate"].reason
    assert gates["false_alarms_per_hour"].passed


def test_false_alarms_are_refused_with_how_long_was_listened(limits: GateParams) -> None:
    own = alarms(false_alarms=9, quiet_hours=0.05, false_alarms_per_hour_high=314.0)
    refused = alarm_gates(limits, own)["false_alarms_per_hour"]
    assert not refused.passed
    assert "9 in 3.0 min of sound to ignore, so below this with 95 % confidence" in refused.reason


def test_without_sound_to_ignore_the_gate_is_absent_for_a_reason(limits: GateParams) -> None:
    own = alarms(quiet_hours=0.0, false_alarms_per_hour_high=None)
    assert list(alarm_gates(limits, own)) == ["miss_rate"]
    absent = gate.not_judged(MetricsReport({SHIPPED: metrics(alarms=own)}), SHIPPED)
    assert len(absent) == 1
    assert "no sound in which an alarm would be false" in absent[0]


def test_alarms_that_were_not_measured_are_refused(limits: GateParams) -> None:
    gates = alarm_gates(limits, None)
    assert set(gates) == {"miss_rate", "false_alarms_per_hour"}
    assert not any(one.passed for one in gates.values())
    assert gate.not_judged(MetricsReport({SHIPPED: metrics()}), SHIPPED) == ()


def phone_gates(report: LatencyReport, limits: GateParams) -> dict[str, Gate]:
    return {one.name: one for one in gate.latency_gates(report, limits)}


def test_over_budget_names_the_op_that_costs_most(limits: GateParams) -> None:
    gates = phone_gates(latency(11_000_000), limits)
    assert gates["a53.instructions_per_second"].passed
    refused = gates["a76.instructions_per_second"]
    assert not refused.passed
    assert OP in refused.reason


def test_a_missing_emulator_never_turns_the_gate_green(limits: GateParams) -> None:
    uncounted = {"x.tflite": ModelCost(bytes=1000)}
    gates = phone_gates(latency(1, models=uncounted, absent={"arm64": ABSENT}), limits)
    refused = [one for name, one in gates.items() if name.startswith(("a53", "a76"))]
    assert len(refused) == 6
    assert not any(one.passed for one in refused)
    assert all(ABSENT in one.reason for one in refused)


def test_a_phone_class_that_is_not_counted_is_refused_by_name(limits: GateParams) -> None:
    one_class = {"x.tflite": ModelCost(bytes=1000, arm64={"a53": class_cost(1)})}
    gates = phone_gates(latency(1, models=one_class), limits)
    assert gates["a53.peak_bytes"].passed
    assert gates["a76.peak_bytes"].reason == (
        "a76.peak_bytes: not measured (a76 is not in latency.classes)"
    )


@pytest.mark.parametrize("passed", [True, False])
def test_a_real_device_is_judged_where_it_was_asked_for(passed: bool, limits: GateParams) -> None:
    name = "adb.ms_per_listening_second"
    assert name not in phone_gates(latency(1), limits)
    timed = {name: TimedLimit(limit=30.0, unit=" ms", passed=passed)}
    found = phone_gates(latency(1, timed=timed), limits)[name]
    assert found.passed == passed
    assert (found.timed, found.value) == (True, None)
    assert found.reason == ("" if passed else f"{name}: over 30 ms")


def test_a_device_that_was_asked_for_and_is_absent_is_refused(limits: GateParams) -> None:
    name, why = "adb.ms_per_listening_second", "adb sees no phone; connect one"
    timed = {name: TimedLimit(limit=30.0, unit=" ms", passed=False)}
    refused = phone_gates(latency(1, timed=timed, absent={"adb": why}), limits)[name]
    assert refused.reason == f"{name}: not measured ({why})"


def test_only_the_figures_that_a_cell_names_are_judged(limits: GateParams) -> None:
    judged = {"flips": "max_flips"}
    cells = (
        ParityCell(runtime=SHIPPED, stage="scores", limits=judged, max_abs=9.0, flips=0.0),
        ParityCell(runtime=SHIPPED, stage="logits", limits={}, max_rel=9.0),
        ParityCell(runtime="coreml_int8", stage="scores", limits=judged, absent="no such tensor"),
    )
    gates = list(gate.parity_gates(ParityReport(windows=(), entries=cells), limits))
    assert [(one.name, one.passed) for one in gates] == [
        (f"{SHIPPED}.scores.flips", True), ("coreml_int8.scores.flips", False),
    ]  # fmt: skip
    assert "no such tensor" in gates[1].reason


REPORTS = (
    "metrics.json", "folds/folds.json", "robustness.json", "groups.json", "parity.json",
    "latency.json", "validation/audit.json",
)  # fmt: skip


def audited(separation: float | None, certain: bool = True, role: Any = "refuses") -> Audit:
    """Of a set whose rates tell background from cries so well."""
    rate = AuditedProperty(
        name="sample_rate", role=role, separation=separation, sides=("background", "cry"),
        p_value=0.0, certain=certain, status="clear", sentence="sample_rate alone separates",
    )  # fmt: skip
    together = rate.model_copy(update={"name": "all", "separation": None})
    return Audit(properties=(rate,), overall=together, labels={}, marks=())


@pytest.mark.parametrize(
    ("audit", "value", "passed"),
    [
        (audited(0.97), 0.97, False),
        (audited(0.8), 0.8, True),
        (audited(0.97, certain=False), 0.0, True),
        (audited(0.97, role="marks"), 0.0, True),
        (audited(None), 0.0, True),
    ],
)
def test_what_is_not_sound_must_not_tell_the_labels_apart(
    project: Path, audit: Audit, value: float, passed: bool
) -> None:
    (found,) = gate.audit_gates(audit, load_params().audit)
    assert (found.name, found.value, found.passed) == ("audit.separation", value, passed)
    if not passed:
        assert found.reason == (
            "audit.separation: 0.97, want at most 0.8; missed by 0.17 (sample_rate alone separates)"
        )


def write_reports(scores: Metrics) -> None:
    """What `gate` reads, of a model whose Android file has these metrics."""
    shipped = scores.model_copy(update={"alarms": alarms()})
    runners = {"keras": metrics(), SHIPPED: shipped, "coreml_fp16": metrics()}
    written = (
        MetricsReport(runners),
        NO_FOLDS,
        RobustnessReport(ROBUST),
        GIVEN,
        ParityReport(windows=(), entries=()),
        latency(1),
        audited(0.1),
    )
    for name, report in zip(REPORTS, written, strict=True):
        Path(name).parent.mkdir(exist_ok=True)
        write(report, Path(name))


def test_a_verdict_is_written_whether_it_accepts_or_not(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_reports(metrics())
    gate.main(Path(), Path("verdict.json"), Path("headline.json"))
    accepted = read(Path("verdict.json"), Verdict)
    assert accepted.accepted and len(accepted.gates) == 30
    printed = capsys.readouterr().out
    assert printed.startswith("gate: accepted, as a demonstration: rendered sounds only")
    assert "30 of 30 gates passed\ngate: stands on 40 clips of 40 groups" in printed
    write_reports(metrics(accuracy=0.1, accuracy_low=0.05))
    gate.main(Path(), Path("verdict.json"), Path("headline.json"))
    assert not read(Path("verdict.json"), Verdict).accepted
    assert "; 28 of 30 gates passed" in capsys.readouterr().out


def test_the_headline_is_a_few_figures_of_what_ships(project: Path) -> None:
    write_reports(metrics(accuracy=0.1, accuracy_low=0.05))
    gate.main(Path(), Path("verdict.json"), Path("headline.json"))
    found = json.loads(Path("headline.json").read_text())
    cost = latency(1).cost.arm64
    assert found.pop("instructions") == {name: cost[name].instructions_per_second for name in cost}
    assert found == {
        "accepted": False, "gates_failed": 2, "accuracy": 0.1, "accuracy_low": 0.05,
        "recall_min": metrics().recall_min, "tflite_bytes": metrics().bytes,
        "mlpackage_bytes": metrics().bytes,
        "false_alarms_per_hour": alarms().false_alarms_per_hour_high,
    }  # fmt: skip


def test_what_was_not_evaluated_is_refused_and_has_no_headline(project: Path) -> None:
    write_reports(metrics())
    write(MetricsReport({"keras": metrics()}), Path("metrics.json"))
    gate.main(Path(), Path("verdict.json"), Path("headline.json"))
    assert not read(Path("verdict.json"), Verdict).accepted
    found = read(Path("headline.json"), Headline)
    assert (found.accepted, found.accuracy, found.tflite_bytes) == (False, None, None)


def test_a_report_that_is_not_there_is_asked_for_by_name(project: Path) -> None:
    with pytest.raises(DataError, match=r"metrics.json: not found; `dvc repro` makes it"):
        gate.main(Path(), Path("verdict.json"), Path("headline.json"))
