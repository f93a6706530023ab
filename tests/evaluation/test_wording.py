import pytest

from pocketear.contracts.verdict import Gate
from pocketear.evaluation.conditions import CONDITIONS
from pocketear.evaluation.wording import gate_name, gate_text, number, plural, runner_name, size


@pytest.mark.parametrize(
    ("value", "unit", "share", "shown"),
    [
        (0.925, "", True, "92.5 %"),
        (-0.0001, "", True, "0.0 %"),
        (None, "", True, "not measured"),
        (3.1e-8, "", False, "3.1 × 10⁻⁸"),
        (1e-4, "", False, "1 × 10⁻⁴"),
        (0.0, "", False, "0"),
        (0.31, "", False, "0.31"),
        (123_456, " B", False, "123 kB"),
        (1_000_000, " B", False, "1.0 MB"),
        (8_123_456, "", False, "8.12 M"),
        (12_345, "", False, "12 345"),
        (12.34, " ms", False, "12.3 ms"),
    ],
)
def test_numbers_as_people_read_them(
    value: float | None, unit: str, share: bool, shown: str
) -> None:
    assert number(value, unit, share=share) == shown


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12.3 kB"), (5e9, "5000 MB")],
)
def test_sizes(count: float, shown: str) -> None:
    assert size(count) == shown


def test_names() -> None:
    assert runner_name("coreml_fp16") == "Core ML fp16"
    assert gate_name("litert_int8.recall_min") == ("LiteRT int8", "recall of the worst label")
    assert gate_name("file_bytes") == ("", "size of the .tflite")
    assert gate_name("a53.peak_bytes") == ("a53", "memory")
    assert gate_name("audit.separation") == ("", "labels separated by how they were recorded")
    assert gate_name("robust.room.recall_min") == ("", "recall of the worst label, in a room")
    for condition in CONDITIONS:
        assert condition not in gate_name(f"robust.{condition}.recall_min")[1].split(", ")
    assert gate_name("a53.some_new_figure") == ("", "a53, some new figure")


def gate(name: str, value: float | None, **changes: object) -> Gate:
    values = {"name": name, "sense": "at most", "limit": 0.05, "value": value, "unit": "",
              "passed": True, "reason": "", **changes}  # fmt: skip
    return Gate.model_validate(values)


def test_a_gate_reads_as_a_person_says_it() -> None:
    text = gate_text(gate("litert_int8.recall_drop", 0.013))
    assert text.name == "LiteRT int8: recall lost by a label"
    assert (text.limit, text.value) == ("≤ 5.0 %", "1.3 %")
    text = gate_text(gate("file_bytes", 123_456, limit=1e6, unit=" B"))
    assert (text.name, text.limit, text.value) == ("size of the .tflite", "≤ 1.0 MB", "123 kB")
    at_least = gate_text(gate("coreml_fp16.accuracy", None, sense="at least", passed=False))
    assert (at_least.limit, at_least.value) == ("≥ 5.0 %", "not measured")


def test_a_time_is_said_without_its_value() -> None:
    for passed, value in ((True, "within it"), (False, "over it, or not measured")):
        timed = gate("adb.ms_per_listening_second", None, limit=30, unit=" ms", timed=True)
        text = gate_text(timed.model_copy(update={"passed": passed}))
        assert text == ("adb", "time a second of listening, measured", "≤ 30 ms", value)


def test_one_is_not_many() -> None:
    assert [plural(count, "clip") for count in (0, 1, 2)] == ["0 clips", "1 clip", "2 clips"]
