import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from places import ROOT
from pocketear.evaluation.numeric_error import (
    MOST_SNR_DB,
    PROBES,
    QUIET,
    power_error,
    powers_of,
    probes,
    row_error,
    snr_db,
)
from pocketear.params import load_params

P = load_params(ROOT / "params.yaml").frontend
FLOOR = 1e-14  # below everything here


def test_every_probe_is_the_extreme_that_its_name_says() -> None:
    sounds = probes(P, seed=7)
    assert tuple(sounds) == PROBES
    assert {sound.shape for sound in sounds.values()} == {(P.window_length,)}
    peak = {name: float(np.abs(sound).max()) for name, sound in sounds.items()}
    assert peak["digital silence"] == 0
    assert peak["full-scale noise"] == pytest.approx(1, abs=1e-3)
    assert peak["noise at -80 dBFS"] == pytest.approx(1e-4, rel=1e-3)
    assert np.mean(np.abs(sounds["clipped sine"]) == 1) > 0.9
    assert np.count_nonzero(sounds["impulse"]) == 1 and peak["impulse"] == 1


@given(power=st.floats(1e-6, 1e6), share=st.floats(1e-6, 1e-2))
def test_a_power_that_is_not_quiet_is_judged_by_itself(power: float, share: float) -> None:
    wrong, right, loudest = np.array([[[power * (1 + share)], [power], [power]]]).swapaxes(0, 1)
    assert power_error(wrong, right, loudest, FLOOR) == pytest.approx(share, rel=share + 1e-6)


def test_a_quiet_power_may_be_wrong_by_what_float32_rounds_in_its_frame() -> None:
    """With a limit of 1e-4: 1e-7 of the frame's amplitude and no more, where the power is less."""
    loudest = np.array([[1.0]])
    for amplitude in (0.0, QUIET / 100, QUIET):
        for error, passes in ((0.9e-7, True), (1.1e-7, False)):
            wrong, right = np.array([[(amplitude + error) ** 2]]), np.array([[amplitude**2]])
            found = power_error(wrong, right, loudest, FLOOR)
            assert (found.item() <= 1e-4) == passes


def test_what_is_inaudible_is_judged_as_the_floor() -> None:
    faint = np.array([[1e-30]])
    assert power_error(4 * faint, faint, faint, 1e-7).item() < 1e-10
    assert power_error(faint + 1e-7, faint, faint, 1e-7).item() == pytest.approx(2)


def test_silence_that_is_silent_has_no_error() -> None:
    nothing = np.zeros((2, 3), np.float32)
    assert (power_error(nothing, nothing, nothing[:, :1], FLOOR) == 0).all()
    assert (row_error(nothing, nothing) == 0).all()
    assert snr_db(nothing, nothing) == MOST_SNR_DB
    assert snr_db(nothing + 1, nothing) == -MOST_SNR_DB


@given(arrays.arrays(np.float32, (4, 5), elements=st.floats(-100, 100, width=32)))
def test_the_error_of_a_row_is_relative_to_its_largest(expected: np.ndarray) -> None:
    expected[:, 0] = 128
    values = expected + np.float32(0.5)
    np.testing.assert_allclose(row_error(values, expected), 0.5 / 128, rtol=1e-3)


@pytest.mark.parametrize(("log", "decade"), [("db", 10.0), ("ln", np.log(10))])
def test_powers_are_the_same_in_decibels_and_nepers(log: str, decade: float) -> None:
    p = P.model_copy(update={"log": log})
    np.testing.assert_allclose(powers_of(np.array([0, decade, -2 * decade]), p), [1, 10, 0.01])


@given(error=st.floats(1e-3, 1))
def test_snr_is_of_energies(error: float) -> None:
    expected = np.full((3, 4), 2.0, np.float32)
    values = expected.copy()
    values[1, 2] += np.float32(error)
    assert snr_db(values, expected) == pytest.approx(10 * np.log10(48 / error**2), abs=0.1)
