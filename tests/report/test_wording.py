import pytest

from pocketear.report.wording import gate_name, number, runner_name, size


@pytest.mark.parametrize(
    ("value", "unit", "share", "told"),
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
    value: float | None, unit: str, share: bool, told: str
) -> None:
    assert number(value, unit, share=share) == told


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12.3 kB"), (5e9, "5000 MB")],
)
def test_sizes(count: float, told: str) -> None:
    assert size(count) == told


def test_names() -> None:
    assert runner_name("coreml_fp16") == "Core ML fp16"
    assert gate_name("litert_int8.recall_min") == ("LiteRT int8", "recall of the worst label")
    assert gate_name("file_bytes") == ("", "size of the .tflite")
    assert gate_name("a53.peak_bytes") == ("a53", "memory")
    assert gate_name("a53.some_new_figure") == ("", "a53, some new figure")
