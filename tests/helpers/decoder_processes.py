"""Processes that decode, around each test of a module that asks for the fixture `no_decoders`."""

import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pocketear.data.decoding import isolated


@pytest.fixture
def no_decoders() -> Iterator[None]:
    """No process is there before or after a test."""
    isolated.end_all()
    yield
    isolated.end_all()
    assert decoders() == []


def decoders() -> list[psutil.Process]:
    """Those of this process."""
    mine = psutil.Process().children()
    return [one for one in mine if isolated.__name__ in one.cmdline()]


def little_time(seconds: int) -> Callable[[], None]:
    """For a process that is to be started: each decoder of it dies once it has used `seconds`."""
    return lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))


def said_with_little_time(code: str, *arguments: Path) -> list[str]:
    """The lines of a program whose decoders die of files that take two seconds to decode."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        preexec_fn=little_time(2),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()
