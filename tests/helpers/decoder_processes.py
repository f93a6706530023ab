"""Processes that decode, around each test of a module that asks for the fixture `no_decoders`."""

from collections.abc import Iterator

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
