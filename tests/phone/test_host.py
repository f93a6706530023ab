"""The host's ratio: a network against itself is 1, a bigger one is more."""

from pathlib import Path

import pytest

from pocketear.base.errors import PhoneError
from pocketear.phone.host import HostModel, host_cost
from pocketear.phone.known_networks import YAMNET_HOP_S, ds_cnn, yamnet


def ratio(model: Path, hop_seconds: float) -> float:
    return float(host_cost(model, 9, hop_seconds)["ratio_median"])


def test_the_reference_against_itself_is_about_one(tmp_path: Path) -> None:
    path = tmp_path / "yamnet.tflite"
    path.write_bytes(yamnet())
    assert 0.6 < ratio(path, YAMNET_HOP_S) < 1.6


def test_more_work_and_shorter_hops_take_longer(reference: Path, bigger: Path) -> None:
    found = host_cost(reference, 9, YAMNET_HOP_S)
    least, small, most = (float(found[f"ratio_{name}"]) for name in ("min", "median", "max"))
    assert least <= small <= most
    assert small < ratio(bigger, YAMNET_HOP_S)
    assert ratio(reference, YAMNET_HOP_S / 4) > 2 * small


def test_the_references_are_the_same_bytes_every_time() -> None:
    assert ds_cnn() == ds_cnn()
    assert yamnet() == yamnet.__wrapped__()


@pytest.mark.parametrize(
    ("content", "weights"),
    [(ds_cnn(), 24_908 - 4 * 576), (yamnet(), 3_751_369 - 2 * 10_944)],
    ids=["ds_cnn", "yamnet"],
)
def test_the_references_have_the_published_sizes(content: bytes, weights: int) -> None:
    """As their sources count them, less what folds away: batch normalisation's own weights."""
    assert weights < len(content) / 4 < weights + 2_500


def test_what_litert_refuses_is_one_line() -> None:
    with pytest.raises(PhoneError, match="broken: LiteRT refuses it") as refused:
        HostModel("broken", b"\x1c\0\0\0TFL3" + bytes(64))
    assert "\n" not in str(refused.value)
