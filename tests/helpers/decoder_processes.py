"""Processes that decode, around each test of a module that asks for the fixture `no_decoders`."""

from collections.abc import Iterator

import psutil
import pytest

from pocketear.data import apart


@pytest.fixture
def no_decoders() -> Iterator[None]:
    """No process is there before or after a test."""
    apart.end_all()
    yield
    apart.end_all()
    assert decoders() == []


def decoders() -> list[psutil.Process]:
    """Those of this process."""
    mine = psutil.Process().children()
    return [one for one in mine if apart.__name__ in one.cmdline()]
