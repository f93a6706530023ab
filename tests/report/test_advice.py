"""Planted causes: the first advice names the cause, with its parameter and the right direction."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from places import ROOT
from pocketear.contracts.audit import Audit, AuditedProperty
from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.latency import LatencyReport, ModelCost, TimedLimit
from pocketear.contracts.metrics import Alarms, MetricsReport
from pocketear.contracts.names import COREML_VARIANTS, KERAS, LITERT_VARIANTS
from pocketear.contracts.parity import ParityCell, ParityReport
from pocketear.contracts.robustness import Robustness, RobustnessReport
from pocketear.contracts.verdict import Gate
from pocketear.evaluation.intervals import share_interval
from pocketear.params import Params, load_params, value_of
from pocketear.report.advice import evidence, learning, rules
from pocketear.report.advice.clips import _REASONS, kind_of
from pocketear.report.advice.kinds import Advice
from pocketear.report.findings import Findings, read_findings
from pocketear.stages import gate as judging
from pocketear.stages import parity as comparing
from pocketear.stages.validate import clip_rules
from reported_project import LABELS, class_cost, write_reported

SHIPPED = "litert_int8"
ALARMS = "false_alarms_per_hour"
Plant = Callable[[Findings], Findings]


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """A run with clips of 1.6 s, longer than the window, and a model that is often wrong."""
    root = tmp_path_factory.mktemp("reported")
    (root / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    write_reported(root, seconds=1.6, skill=1.0)
    found = read_findings(
        root / "reports", root / "data/features", load_params(root / "params.yaml")
    )
    return trained(found, [1.0, 0.5, 0.40, 0.40], [1.0, 0.5, 0.41, 0.41], accuracy=0.8)


def trained(
    found: Findings, loss: list[float], val_loss: list[float], accuracy: float, gap: float = 0.0
) -> Findings:
    """The same after a training of these losses, an epoch each, to its planned end."""
    history = pd.DataFrame({"epoch": range(1, len(loss) + 1), "loss": loss, "val_loss": val_loss})
    history = history.assign(accuracy=accuracy, val_accuracy=accuracy - gap)
    return with_params(replace(found, history=history), train={"epochs": len(loss)})


def with_params(found: Findings, **sections: dict[str, Any]) -> Findings:
    content = found.params.model_dump()
    for name, values in sections.items():
        content[name] = content[name] | values
    return replace(found, params=Params.model_validate(content))


def with_metrics(found: Findings, runner: str, **changes: Any) -> Findings:
    assert found.metrics
    own = found.metrics[runner].model_copy(update=changes)
    return replace(found, metrics=MetricsReport(dict(found.metrics.items()) | {runner: own}))


def with_misses(found: Findings, misses: dict[str, float], **changes: Any) -> Findings:
    values: dict[str, Any] = {
        "misses": misses, "false_alarms": 0, "quiet_hours": 2.0, "false_alarms_per_hour_high": 1.5
    }  # fmt: skip
    return with_metrics(found, SHIPPED, alarms=Alarms(**values | changes))


def with_clips(found: Findings, seconds: float) -> Findings:
    """The same with clips of so many seconds in the index."""
    assert found.store
    store = type(found.store).__new__(type(found.store))
    store.__dict__.update(found.store.__dict__)
    store.index = found.store.index.assign(samples=round(seconds * 16_000))
    return replace(found, store=store)


def with_cost(found: Findings, **changes: Any) -> Findings:
    assert found.latency
    cost = class_cost(3).model_copy(update=changes)
    model = ModelCost(bytes=100_000, arm64={"a53": cost})
    latency = LatencyReport(shipped=found.latency.shipped, models={found.latency.shipped: model})
    return replace(found, latency=latency)


def advice(found: Findings, name: str, value: float | None, limit: float) -> Advice:
    """On a gate that failed."""
    failed = Gate(
        name=name, sense="at least" if value is not None and value < limit else "at most",
        limit=limit, value=value, unit="", passed=False, reason=name,
    )  # fmt: skip
    return rules.advise(failed, found)


def too_short(found: Findings) -> Findings:
    return trained(found, [1.05, 0.95, 0.85, 0.78], [1.0, 0.9, 0.8, 0.7], accuracy=0.5)


def too_fast(found: Findings) -> Findings:
    rated = with_params(found, train={"learning_rate": 3.0})
    return trained(rated, [1.3, 4.0, 2.0, 1.1], [1.2, 1.4, 1.2, 1.09], accuracy=0.33)


def by_heart(found: Findings) -> Findings:
    losses = [0.9, 0.5, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01]
    val = [0.9, 0.6, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    return trained(found, losses, val, accuracy=0.99, gap=0.4)


def too_narrow(found: Findings) -> Findings:
    narrow = with_params(found, model={"width": 0.25})
    return trained(narrow, [1.0, *[0.7] * 15], [1.0, *[0.7] * 15], accuracy=0.6)


def stopped(found: Findings) -> Findings:
    ended = trained(found, [1.0, *[0.6] * 9], [1.0, *[0.6] * 9], accuracy=0.7, gap=0.05)
    return with_params(ended, train={"epochs": 100, "patience": 8})


def few_people(found: Findings) -> Findings:
    few = dict.fromkeys(LABELS, 2)
    return with_metrics(found, SHIPPED, accuracy=0.95, groups=5, label_groups=few)


def rounded_away(found: Findings) -> Findings:
    better = with_metrics(found, KERAS, accuracy=0.95)
    return with_metrics(better, "litert_fp32", accuracy=0.95)


def short_words(found: Findings) -> Findings:
    recognised = with_metrics(found, SHIPPED, recall=dict.fromkeys(LABELS, 0.9))
    return with_clips(with_misses(recognised, {"cry": 1.0, "laugh": 0.2}), seconds=0.42)


def cautious(found: Findings) -> Findings:
    points = pd.DataFrame({"label": "cry", "threshold": [0.9, 0.5], "misses": [0.9, 0.2],
                           "false_alarms_per_hour": [0.0, 12.0]})  # fmt: skip
    recognised = with_metrics(found, SHIPPED, recall=dict.fromkeys(LABELS, 0.9))
    return replace(with_misses(recognised, {"cry": 0.9}), alarms=points)


def noisy(found: Findings) -> Findings:
    return with_misses(
        found, {"cry": 0.1}, false_alarms=60, quiet_hours=0.5, false_alarms_per_hour_high=150.0
    )


def costly_network(found: Findings) -> Findings:
    return with_cost(
        found, instructions_per_second=40_000_000, front_end_instructions_per_second=2_000_000
    )


def costly_front_end(found: Findings) -> Findings:
    return with_cost(
        found, instructions_per_second=20_000_000, front_end_instructions_per_second=18_000_000
    )


def in_fp32(found: Findings) -> Findings:
    return with_params(with_metrics(found, SHIPPED, bytes=400_000), export={"android": "fp32"})


def too_sure(found: Findings) -> Findings:
    assert found.predictions is not None
    right = found.predictions["label"] == found.predictions["predicted"]
    scores = {
        f"score_{label}": (found.predictions["predicted"] == label) * 0.98 for label in LABELS
    }
    assert right.mean() < 0.9
    return replace(found, predictions=found.predictions.assign(**scores))


@pytest.mark.parametrize(
    ("plant", "gate", "value", "limit", "parameter", "direction"),
    [
        (too_short, f"{SHIPPED}.accuracy", 0.4, 0.8, "train.epochs", "up"),
        (too_short, f"{SHIPPED}.recall_min", 0.3, 0.6, "train.epochs", "up"),
        (too_fast, f"{SHIPPED}.accuracy", 0.33, 0.8, "train.learning_rate", "down"),
        (by_heart, f"{SHIPPED}.accuracy", 0.6, 0.8, "augment.mix_share", "up"),
        (too_narrow, f"{SHIPPED}.accuracy", 0.6, 0.8, "model.width", "up"),
        (stopped, f"{SHIPPED}.accuracy", 0.6, 0.8, "train.patience", "up"),
        (few_people, f"{SHIPPED}.accuracy_low", 0.5, 0.8, "split.crossvalidate", "set"),
        (rounded_away, f"{SHIPPED}.accuracy_drop", 0.2, 0.01, "export.android", "set"),
        (rounded_away, f"{SHIPPED}.scores.flips", 0.2, 0.02, "export.android", "set"),
        (short_words, f"{SHIPPED}.miss_rate", 1.0, 0.5, "frontend.window_length", "down"),
        (cautious, f"{SHIPPED}.miss_rate", 0.9, 0.5, "listener.false_alarms_per_hour", "up"),
        (noisy, f"{SHIPPED}.{ALARMS}", 150, 10, f"listener.{ALARMS}", "down"),
        (too_sure, f"{SHIPPED}.calibration_error", 0.4, 0.2, "augment.mix_share", "up"),
        (costly_network, "a53.instructions_per_second", 40e6, 12e6, "model.width", "down"),
        (costly_network, "a53.estimate_ms_per_second", 40, 12, "model.width", "down"),
        (costly_network, "a53.peak_bytes", 8e6, 4e6, "model.width", "down"),
        (costly_front_end, "a53.instructions_per_second", 20e6, 12e6, "frontend.hop_length", "up"),
        (costly_network, "file_bytes", 2e6, 1e6, "model.width", "down"),
        (in_fp32, "file_bytes", 2e6, 1e6, "export.android", "set"),
        (costly_network, "host.ratio", None, 1.0, "model.width", "down"),
    ],
)  # fmt: skip
def test_the_first_cause_is_the_planted_one(
    reported: Findings, plant: Plant, gate: str, value: float, limit: float, parameter: str,
    direction: str,
) -> None:  # fmt: skip
    planted = plant(reported)
    first = advice(planted, gate, value, limit).causes[0]
    assert (first.changes[0].parameter, first.changes[0].direction) == (parameter, direction)
    assert first.word == "strong" or len(first.changes) == 1
    assert first.command.startswith(f"dvc exp run -S {parameter}=")
    for change in first.changes:
        assert change.before == value_of(planted.params, change.parameter)


def test_a_window_for_short_words_is_one_word_long_in_whole_hops(reported: Findings) -> None:
    first = advice(short_words(reported), f"{SHIPPED}.miss_rate", 1.0, 0.5).causes[0]
    assert "the median clip of cry is 0.42 s, the window 1.5 s: 3.6 of them" in first.evidence
    command = "dvc exp run -S frontend.window_length=6720 -S listener.hop_length=6720"
    assert first.command == command


def test_few_groups_are_not_blamed_on_training(reported: Findings) -> None:
    """After cross-validation only more people help, and how many is said."""
    few = few_people(reported)
    assert few.metrics
    folds = GroupFolds(folds=5, why="few", metrics=few.metrics[SHIPPED])
    first = advice(replace(few, folds=folds), "crossvalidated.accuracy_low", 0.5, 0.8).causes[0]
    assert first.word == "strong"
    assert "come from only 5 groups" in first.evidence
    wanted = evidence.groups_wanted(0.95, 0.8, 5)
    assert wanted
    assert f"some {wanted - 5} groups (people, places) more" in first.action


@pytest.mark.parametrize(("share", "limit"), [(0.95, 0.8), (0.9, 0.8), (0.85, 0.8), (0.99, 0.9)])
def test_so_many_groups_pass_the_gate_and_half_of_them_do_not(share: float, limit: float) -> None:
    wanted = evidence.groups_wanted(share, limit, 3)
    assert wanted
    for groups, passes in ((wanted, True), (wanted // 2, False)):
        right = np.arange(groups) < round(share * groups)
        low, _ = share_interval(right, np.arange(groups).astype(object))
        assert (low >= limit) == passes


def test_no_number_of_groups_helps_a_share_below_the_limit() -> None:
    assert evidence.groups_wanted(0.7, 0.8, 10) is None


@given(power=st.floats(0.2, 1.5), ratio=st.floats(0.3, 0.9), epochs=st.integers(4, 40))
def test_the_suggested_epochs_reach_the_loss_on_the_power_law(
    power: float, ratio: float, epochs: int
) -> None:
    val = np.arange(1, epochs + 1) ** -power
    curve = evidence.Curve(
        epochs=epochs, chance=1.1, loss=val[-1], val_loss=val[-1], accuracy=0.5, val_accuracy=0.5,
        fall=0.1, worst=0.9, rise=0.0, lowest=epochs, slope=-power,
    )  # fmt: skip
    wanted = learning.epochs_wanted(curve, ratio)
    assert wanted % 5 == 0
    assert wanted >= 2 * epochs
    assert wanted**-power <= ratio * val[-1] or wanted >= 10 * epochs


def test_a_narrower_network_is_within_its_budget(reported: Findings) -> None:
    """Cost of the network as the square of its width, of the front-end the same as before."""
    first = advice(costly_network(reported), "a53.instructions_per_second", 40e6, 12e6).causes[0]
    width = first.changes[0].after
    assert isinstance(width, float)
    assert 2e6 + 38e6 * width**2 <= 12e6
    assert "5 % is the front-end; costliest is CONV_2D block_2" in first.evidence


def test_too_little_sound_to_ignore_is_a_matter_of_recordings(reported: Findings) -> None:
    short = with_misses(reported, {"cry": 0.1}, quiet_hours=0.02, false_alarms_per_hour_high=149.8)
    first = advice(short, f"{SHIPPED}.false_alarms_per_hour", 149.8, 10).causes[0]
    assert "0 false alarms in 1.2 min" in first.evidence
    assert "without any, 18 min could vouch for 10 an hour" in first.evidence  # docs/gates.md
    assert "put 0.3 h or more of recordings" in first.action
    assert not first.changes


def test_confused_labels_are_named_with_how_often(reported: Findings) -> None:
    assert reported.predictions is not None
    mixed = reported.predictions.assign(predicted="laugh")
    worst = with_metrics(
        replace(reported, predictions=mixed), SHIPPED, recall={"cry": 0.0, "laugh": 1, "other": 0.5}
    )
    texts = [one.evidence for one in advice(worst, f"{SHIPPED}.recall_min", 0.0, 0.6).causes]
    assert "6 of 6 test clips of cry are taken for laugh" in texts


def parity_of(*cells: tuple[str, str, float]) -> ParityReport:
    entries = tuple(
        ParityCell(runtime=runtime, stage=stage, max_rel=error, worst="noise",
                   limits={"max_rel": "max_front_end_error"})
        for runtime, stage, error in cells
    )  # fmt: skip
    return ParityReport(windows=("noise",), entries=entries)


def test_a_front_end_that_differs_is_followed_to_its_first_step(reported: Findings) -> None:
    steps = [("litert_int8", "frames", 1e-7), ("litert_int8", "power", 0.03),
             ("litert_int8", "mel", 0.2), ("coreml_fp16", "frames", 0.5)]  # fmt: skip
    found = replace(reported, parity=parity_of(*steps))
    first = advice(found, "litert_int8.mel.max_rel", 0.2, 1e-4).causes[0]
    assert "LiteRT int8 first differs at power: max_rel 0.03" in first.evidence
    assert "on noise" in first.evidence


def test_what_could_not_be_measured_says_why_and_how_to_measure(reported: Findings) -> None:
    assert reported.latency
    bare = LatencyReport(
        shipped=reported.latency.shipped,
        models={reported.latency.shipped: ModelCost(bytes=1)},
        absent={"arm64": "qemu-aarch64 is not on the PATH"},
    )
    first = advice(replace(reported, latency=bare), "a53.peak_bytes", None, 4e6).causes[0]
    assert first.evidence == "qemu-aarch64 is not on the PATH"
    assert first.command == "make setup && dvc repro latency"


def shortcut(separation: float) -> Audit:
    """Of a set whose sample rates tell cries from laughs."""
    rate = AuditedProperty(
        name="sample_rate", role="refuses", separation=separation, sides=("cry", "laugh"),
        p_value=0.0, certain=True, status="refused",
        sentence="sample_rate alone separates cry from laugh",
    )  # fmt: skip
    none = rate.model_copy(update={"name": "all", "separation": None, "status": "clear"})
    return Audit(properties=(rate,), overall=none, labels={}, marks=())


def test_a_pretrained_network_is_not_advised_to_train_longer(reported: Findings) -> None:
    falling = trained(reported, [1.0, 0.9, 0.8, 0.7], [1.0, 0.9, 0.8, 0.7], accuracy=0.5)
    assert list(learning.training(falling, wanted=0.1, error=0.5))
    model = {"architecture": "yamnet", "start": "data/backbone/yamnet.tflite"}
    pretrained = with_params(falling, model=model, frontend={"preset": "yamnet"})
    assert not list(learning.training(pretrained, wanted=0.1, error=0.5))


def test_labels_told_apart_by_their_rate_are_to_be_recorded_alike(reported: Findings) -> None:
    found = replace(reported, audit=shortcut(0.97))
    first = advice(found, "audit.separation", 0.97, 0.8).causes[0]
    assert first.evidence == "sample_rate alone separates cry from laugh"
    assert "recordings of cry and laugh made alike in sample_rate" in first.action


@pytest.mark.parametrize(
    ("condition", "parameter"),
    [("phone_band", "augment.band_share"), ("quiet_30", "augment.quiet_share"),
     ("noise_10", "augment.noise_share"), ("room", "augment.response_db")],
)  # fmt: skip
def test_a_label_lost_under_a_condition_is_to_be_trained_with_it(
    reported: Findings, condition: str, parameter: str
) -> None:
    own = reported.metrics_of(reported.shipped[0])
    assert own
    lost = Robustness(clips=9, accuracy=0.4, recall={**own.recall, "laugh": 0.1})
    found = replace(reported, robustness=RobustnessReport({condition: lost}))
    first = advice(found, f"robust.{condition}.recall_min", 0.1, 0.5).causes[0]
    assert (first.changes[0].parameter, first.changes[0].direction) == (parameter, "up")
    assert "recall of laugh is" in first.evidence


def test_a_label_that_is_lost_as_recorded_is_not_blamed_on_the_condition(
    reported: Findings,
) -> None:
    own = reported.metrics_of(reported.shipped[0])
    assert own
    bad = with_metrics(reported, reported.shipped[0], recall={**own.recall, "laugh": 0.1})
    lost = Robustness(clips=9, accuracy=0.4, recall={**own.recall, "laugh": 0.08})
    found = trained(bad, [1.0, 0.9, 0.8, 0.7], [1.0, 0.9, 0.8, 0.7], accuracy=0.5)
    found = replace(found, robustness=RobustnessReport({"shift": lost, "room": lost}))
    for condition in ("shift", "room"):
        causes = advice(found, f"robust.{condition}.recall_min", 0.08, 0.5).causes
        assert causes[0].changes[0].parameter == "train.epochs"
        assert "augment.response_db" not in {one.parameter for c in causes for one in c.changes}


def test_one_command_makes_labels_alike_in_all_that_tells_them_apart(reported: Findings) -> None:
    audit = shortcut(0.9)
    codec = audit.properties[0].model_copy(update={"name": "codec", "separation": 0.85})
    found = replace(
        reported, audit=audit.model_copy(update={"properties": (codec, *audit.properties)})
    )
    (only,) = advice(found, "audit.separation", 0.9, 0.8).causes
    assert only.evidence == "sample_rate alone separates cry from laugh; also codec"
    assert "made alike in sample_rate, codec" in only.action


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("my sounds", "dvc add 'my sounds' && dvc repro"),
        ("/srv/sounds", "dvc repro"),
        ("../sounds", "dvc repro"),
    ],
)
def test_recordings_outside_of_the_project_are_not_added_to_dvc(
    reported: Findings, path: str, command: str
) -> None:
    found = with_params(reported, data={"source": "folder", "path": path})
    found = replace(found, audit=shortcut(0.97))
    assert advice(found, "audit.separation", 0.97, 0.8).command == command


def test_a_larger_test_side_is_one_that_a_split_by_group_has(reported: Findings) -> None:
    """A share is rounded to a number of folds: 0.22 would be five, as 0.2 is."""
    bad = with_metrics(reported, SHIPPED, clips=60)
    causes = advice(bad, f"{SHIPPED}.accuracy_drop", 0.02, 0.0125).causes
    (after,) = [
        change.after for cause in causes for change in cause.changes
        if change.parameter == "split.test_share"
    ]  # fmt: skip
    split = bad.params.split
    assert split.model_copy(update={"test_share": after}).folds < split.folds


def every_gate(found: Findings) -> list[Gate]:
    """All that stages/gate.py can yield: each bound, with and without folds, each cell."""
    p, files = found.params, (*LITERT_VARIANTS, *COREML_VARIANTS)
    assert found.metrics
    assert found.latency
    own = found.metrics[KERAS]
    runners = [f"{runtime}_{variant}" for runtime in ("litert", "coreml") for variant in files]
    metrics = MetricsReport(dict.fromkeys([KERAS, *runners], own))
    folds = [GroupFolds(folds=0, why="", metrics=None), GroupFolds(folds=5, why="", metrics=own)]
    cells = [
        ParityCell(runtime=runtime, stage=stage, limits=comparing.limits(runtime, stage))
        for runtime in [KERAS, *runners]
        for stage in (*comparing.FRONT_END, *comparing.NETWORK)
    ]
    clocks = ("host.ratio", "adb.ms_per_listening_second", "macos.ms_per_listening_second")
    timed = {name: TimedLimit(limit=1.0, unit="", passed=False) for name in clocks}
    latency = found.latency.model_copy(update={"timed": timed})
    limits = [p.gate.model_copy(update={"bound": bound}) for bound in ("low", "estimate")]
    gates = [
        *(g for f in folds for own_limits in limits
          for g in judging.accuracy_gates(metrics, tuple(runners), f, own_limits)),
        *judging.alarm_gates(metrics, SHIPPED, p.gate),
        *judging.parity_gates(ParityReport(windows=(), entries=tuple(cells)), p.gate),
        *judging.latency_gates(latency, p.gate),
        *judging.robust_gates(RobustnessReport({}), p.gate),
        *judging.audit_gates(shortcut(0.9), p.audit),
    ]  # fmt: skip
    return list({gate.name: gate for gate in gates}.values())


def test_every_gate_has_a_rule_and_says_something_of_any_run(reported: Findings) -> None:
    gates = every_gate(reported)
    assert len(gates) > 60
    for gate in gates:
        for value in (gate.value, None):
            refused = gate.model_copy(update={"value": value, "passed": False, "reason": "x"})
            found = rules.advise(refused, reported)
            assert found.meaning, f"{gate.name}: no rule in report/advice/rules.py"
            assert len({one.command for one in found.causes}) == len(found.causes)
            assert [one.strength for one in found.causes] == sorted(
                (one.strength for one in found.causes), reverse=True
            )


def test_every_function_that_yields_gates_is_enumerated_here() -> None:
    """A new one in stages/gate.py belongs into `every_gate`, and its figures into the table."""
    known = {"bounded_gates", "accuracy_gates", "alarm_gates", "parity_gates", "latency_gates",
             "timed_gates", "audit_gates", "robust_gates"}  # fmt: skip
    assert {name for name in vars(judging) if name.endswith("_gates")} == known


def test_an_unknown_gate_points_to_the_docs(reported: Findings) -> None:
    found = advice(reported, "brand.new", 2.0, 1.0)
    assert (found.causes, found.command) == ((), "")
    assert "docs/gates.md" in found.line


def test_without_reports_advice_says_which_would_tell(reported: Findings) -> None:
    bare = replace(
        reported, history=None, store=None, predictions=None, parity=None, latency=None,
        metrics=None, alarms=None,
    )  # fmt: skip
    for gate in every_gate(reported):
        refused = gate.model_copy(update={"value": None, "passed": False, "reason": "x"})
        found = rules.advise(refused, bare)
        assert found.missing, gate.name
        assert not found.causes, gate.name
    only = replace(reported, history=None, store=None)
    files = [one.file for one in advice(only, f"{SHIPPED}.accuracy", 0.4, 0.8).missing]
    assert files == ["reports/training/history.csv", "data/features"]


def test_every_reason_of_validate_is_a_kind_of_its_own(project: Path) -> None:
    kinds = {}
    for rule in clip_rules(load_params().validation):
        reason = rule.reason.format(value=1, low=0, high=2, error="a.wav: not a sound file")
        kinds[rule.column] = kind_of(reason)
    assert len(set(kinds.values())) == len(kinds)
    assert kinds["undecodable"] == len(_REASONS) - 1


def test_clips_set_aside_are_explained_by_kind(reported: Findings) -> None:
    aside = pd.DataFrame(
        {
            "path": ["a.wav", "b.wav", "c.wav"],
            "reason": ["too quiet: -93.0 dBFS", "too quiet: -85.2 dBFS", "c.wav: not a sound"],
            "level_dbfs": [-93.0, -85.2, np.nan],
        }
    )
    quiet, unreadable = rules.of_findings(replace(reported, set_aside=aside))
    assert quiet.subject == "2 clips set aside"
    looser = quiet.causes[1].changes[0]
    assert (looser.parameter, looser.direction) == ("validation.min_level_dbfs", "down")
    assert float(looser.after) <= -93.0
    assert unreadable.causes[0].action == "export them again as WAV or FLAC"


def test_a_refused_set_names_the_labels_that_lack_clips(reported: Findings) -> None:
    assert reported.validation
    problem = "label 'cry' has 2 usable clips, want at least 5; add clips, or is the label a typo?"
    few = reported.validation.model_copy(update={"problems": (problem,), "labels": {"cry": 2}})
    first = rules.of_findings(replace(reported, validation=few))[0]
    assert first.reason == problem
    assert first.causes[0].evidence == "usable clips: cry 2"
