"""The host's ratio: a network against itself is 1, a bigger one is more."""

from pathlib import Path

import pytest

from pocketear.errors import PhoneError
from pocketear.phone.host import HostModel, host_cost
from pocketear.phone.reference import ds_cnn


def test_the_reference_against_itself_is_about_one(reference: Path) -> None:
    assert 0.6 < host_cost(reference, repeats=15)["ratio_median"] < 1.6


def test_more_work_takes_longer(bigger: Path) -> None:
    found = host_cost(bigger, repeats=9)
    assert found["ratio_min"] <= found["ratio_median"] <= found["ratio_max"]
    assert found["ratio_median"] > 1.5


def test_the_reference_is_the_same_bytes_every_time() -> None:
    assert ds_cnn() == ds_cnn()


def test_what_litert_refuses_is_one_line() -> None:
    with pytest.raises(PhoneError, match="broken: LiteRT refuses it") as refused:
        HostModel("broken", b"\x1c\0\0\0TFL3" + bytes(64))
    assert "\n" not in str(refused.value)
