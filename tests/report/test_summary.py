"""The table in the terminal; tests/test_cli.py has the command."""

import hashlib
from pathlib import Path

import pytest

from pocketear.contracts import report_file as contracts
from pocketear.contracts.latency import TIMINGS, Timings
from pocketear.report import summary
from reported_project import write_reported

SHIPPED = Path("models/litert/cry_laugh_int8.tflite")


@pytest.fixture
def timed(project: Path) -> Path:
    """A finished run, whose stopwatch says that listening takes 0.47 of YAMNet's time."""
    write_reported(project, skill=9.0)
    SHIPPED.parent.mkdir(parents=True)
    SHIPPED.write_bytes(b"a model")
    digest = hashlib.sha256(b"a model").hexdigest()
    contracts.write(Timings(sha256=digest, providers={"host": {"ratio_median": 0.47}}), TIMINGS)
    return project


def line_of_the_time() -> str:
    return next(line for line in summary.text(Path()).splitlines() if "YAMNet" in line)


def test_a_time_of_this_very_file_is_shown(timed: Path) -> None:
    assert line_of_the_time().split()[-3:] == ["1", "0.47", "pass"]


def test_a_time_of_another_file_is_not(timed: Path) -> None:
    SHIPPED.write_bytes(b"another model")
    assert line_of_the_time().endswith("within it  pass")


@pytest.mark.parametrize("content", ["", '{"another": "version"}'])
def test_times_that_cannot_be_read_are_no_reason_to_fail(timed: Path, content: str) -> None:
    TIMINGS.write_text(content)
    assert line_of_the_time().endswith("within it  pass")
