"""The JSON between stages: read back as it was written, or one line that says what is wrong."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from pocketear.base.errors import DataError
from pocketear.contracts.latency import (
    ClassCost,
    LatencyReport,
    ModelCost,
    OpCost,
    TimedLimit,
    Timings,
)
from pocketear.contracts.metrics import Alarms, Metrics, MetricsReport
from pocketear.contracts.normalisation import Normalisation
from pocketear.contracts.parity import ParityCell, ParityReport
from pocketear.contracts.registered import Registered
from pocketear.contracts.report_file import read, read_if_made, write
from pocketear.contracts.validation import Validation
from pocketear.contracts.verdict import Gate, Verdict

numbers = st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(min_value=0)
positive = st.floats(0, allow_infinity=False)
by_label = st.dictionaries(st.text(), numbers, max_size=3)
texts = st.lists(st.text(), max_size=3).map(tuple)

alarms = st.builds(
    Alarms,
    misses=by_label,
    false_alarms=counts,
    quiet_hours=positive,
    false_alarms_per_hour_high=st.none() | numbers,
)
metrics = st.builds(
    Metrics,
    bytes=counts,
    clips=counts,
    groups=counts,
    accuracy=numbers,
    accuracy_low=numbers,
    accuracy_high=numbers,
    macro_f1=numbers,
    recall=by_label,
    recall_low=by_label,
    recall_high=by_label,
    label_groups=st.dictionaries(st.text(), counts, max_size=3),
    precision=by_label,
    recall_min=numbers,
    calibration_error=numbers,
    alarms=st.none() | alarms,
)
gates = st.builds(
    Gate,
    name=st.text(),
    sense=st.sampled_from(["at least", "at most"]),
    limit=numbers,
    value=st.none() | numbers,
    unit=st.text(max_size=3),
    passed=st.booleans(),
    reason=st.text(),
    timed=st.booleans(),
)
verdicts = st.builds(
    Verdict,
    accepted=st.booleans(),
    reasons=texts,
    absent=texts,
    gates=st.lists(gates, max_size=3).map(tuple),
)
METRICS: dict[str, Any] = {
    "bytes": 1, "clips": 2, "groups": 2, "accuracy": 0.5, "accuracy_low": 0.0,
    "accuracy_high": 1.0, "macro_f1": 0.5,
    "recall": {"cry": 0.5}, "recall_low": {"cry": 0.1}, "recall_high": {"cry": 0.9},
    "precision": {"cry": 0.5}, "label_groups": {"cry": 2}, "recall_min": 0.5,
    "calibration_error": 0.1,
}  # fmt: skip
COST = ClassCost(
    instructions_per_inference=1, instructions_per_second=2, front_end_instructions_per_second=1,
    instructions_per_quiet_second=1, by_kind={"load": 1}, costliest_op="CONV_2D conv, 99 %",
    by_op=(OpCost(op="CONV_2D", name="conv", kernel="IGEMM", front_end=False, instructions=1,
                  share=1.0),),
    estimate_ms_per_second=1.0, estimate_low=0.9, estimate_high=1.1, leave_one_out_error=0.1,
    peak_bytes=5, max_abs_to_host=0.0,
)  # fmt: skip
EXAMPLES: tuple[BaseModel, ...] = (
    Validation(usable=1, set_aside=0, labels={"cry": 1}, seconds=1.0, problems=("few clips",)),
    Normalisation(mean=(-40.0, 1e-3), scale=(1.0, 2.0)),
    ParityReport(
        windows=("a.wav", "impulse"),
        entries=(
            ParityCell(runtime="keras", stage="mel", limits={"max_rel": "max_front_end_error"}),
            ParityCell(runtime="x", stage="scores", limits={}, flips=0.0, snr_db=9.5, worst="a"),
        ),
    ),
    LatencyReport(
        shipped="x.tflite",
        models={"x.tflite": ModelCost(bytes=9, arm64={"a53": COST}), "y": ModelCost(bytes=1)},
        timed={"host.ratio": TimedLimit(limit=1.0, unit="", passed=True)},
        absent={"adb": "no phone"},
    ),
    Timings(sha256="ab", providers={"adb": {"device": "12", "ms": 12.0}}),
    Registered(name="x", identity="cd"),
)


def again(content: BaseModel) -> BaseModel:
    """Written and read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "new/report.json")
        write(content, path)
        return read(path, type(content))


@given(verdicts)
def test_any_verdict_is_read_back_as_it_was_written(verdict: Verdict) -> None:
    assert again(verdict) == verdict


@given(st.dictionaries(st.text(), metrics, max_size=3))
def test_any_metrics_are_read_back_as_they_were_written(found: dict[str, Metrics]) -> None:
    back = again(MetricsReport(found))
    assert isinstance(back, MetricsReport)
    assert list(back.items()) == list(found.items())  # in the order of evaluation too


@pytest.mark.parametrize("content", EXAMPLES, ids=lambda content: type(content).__name__)
def test_every_report_is_read_back_as_it_was_written(content: BaseModel) -> None:
    assert again(content) == content


def test_the_same_report_is_the_same_bytes_and_holds_no_defaults(tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        write(MetricsReport({"keras": Metrics(**METRICS)}), tmp_path / name)
    text = (tmp_path / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text()
    assert json.loads(text) == {"keras": METRICS}
    assert text.endswith("}\n")


@pytest.mark.parametrize("figure", [float("nan"), float("inf")])
def test_a_figure_that_is_no_number_is_never_written(figure: float) -> None:
    """JSON would have null for it, which means not measured."""
    with pytest.raises(ValidationError, match="calibration_error"):
        Metrics(**METRICS | {"calibration_error": figure})


def line(path: Path, kind: type[BaseModel]) -> str:
    """What is said of a file that cannot be read."""
    with pytest.raises(DataError) as refused:
        read(path, kind)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")
    return str(refused.value)


VERDICT = {"accepted": True, "reasons": [], "absent": [], "gates": []}
OLD_GATE = {"name": "a", "sense": "at least", "limit": 1, "value": "0.5", "unit": "",
            "passed": True, "reason": ""}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({**VERDICT, "absent": None}, "absent: input should be a valid"),
        ({"accepted": True, "reasons": [], "gates": []}, "absent: field required"),
        ({**VERDICT, "score": 1}, "score: extra inputs are not permitted"),
        ({**VERDICT, "accepted": "true"}, "accepted: input should be a valid boolean"),
        ({**VERDICT, "gates": [OLD_GATE]}, "gates.0.value: input should be a valid number"),
        ([], "the file: input should be an object"),
    ],
)
def test_a_file_of_another_version_is_one_line_that_names_the_field(
    tmp_path: Path, content: Any, field: str
) -> None:
    path = tmp_path / "verdict.json"
    path.write_text(json.dumps(content))
    said = line(path, Verdict)
    assert f"damaged, or written by another version ({field}" in said
    assert said.endswith("`dvc repro` makes it again")


@pytest.mark.parametrize("content", [b"", b"{", b'{"accepted": tr', b"\xff\xfe{}", b"<html>"])
def test_a_file_that_is_empty_torn_or_no_json_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "verdict.json"
    path.write_bytes(content)
    assert "(the file: invalid JSON: " in line(path, Verdict)


def test_every_torn_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write(MetricsReport({"keras": Metrics(**METRICS)}), path)
    whole = path.read_bytes().rstrip()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert "invalid JSON" in line(path, MetricsReport)


def test_a_folder_in_place_of_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").mkdir()
    assert "is a folder" in line(tmp_path / "metrics.json", MetricsReport)


def test_a_file_that_is_missing_is_asked_of_dvc(tmp_path: Path) -> None:
    assert line(tmp_path / "none.json", Verdict).endswith("not found; `dvc repro` makes it")
    assert read_if_made(tmp_path / "none.json", Verdict) is None


def test_what_is_made_is_read_and_what_is_damaged_is_not_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "registered.json"
    write(Registered(name="x", identity="y"), path)
    assert read_if_made(path, Registered) == Registered(name="x", identity="y")
    path.write_text("{}")
    with pytest.raises(DataError, match="name: field required"):
        read_if_made(path, Registered)
