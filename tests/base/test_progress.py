"""What a log says of long work, on a clock that the test winds."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pocketear.base import progress


def slow(clock: list[float], seconds: list[float]) -> Iterator[int]:
    for number, one in enumerate(seconds):
        clock[0] += one
        yield number


def lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: list[float]
) -> list[str]:
    clock = [0.0]
    monkeypatch.setattr("pocketear.base.progress.time.monotonic", lambda: clock[0])
    items = list(progress.track(slow(clock, seconds), len(seconds), "clips"))
    assert items == list(range(len(seconds)))
    return capsys.readouterr().err.splitlines()


def test_the_time_left_is_not_that_of_loading_libraries(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines(monkeypatch, capsys, [20.0, *[6.0] * 4]) == [
        "clips: 1 of 5",
        "clips: 3 of 5, 12 s left",
        "clips: 5 of 5 in 44.0 s",
    ]


def test_quick_work_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines(monkeypatch, capsys, [0.001] * 900) == ["clips: 900 of 900 in 0.9 s"]


def test_no_work_is_no_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines(monkeypatch, capsys, []) == []


def test_a_terminal_gets_a_bar() -> None:
    main, terminal = os.openpty()
    code = "from pocketear.base.progress import track\nlist(track(range(9), 9, 'clips'))"
    subprocess.run([sys.executable, "-c", code], stderr=terminal, check=True)
    os.close(terminal)
    shown = os.read(main, 1 << 16).decode()
    os.close(main)
    assert re.search(r"clips.*100%", shown)
