"""Test clips as other phones, rooms and channels give them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketear.base.arrays import Waveform
from pocketear.evaluation.conditions import CONDITIONS

RATE = 16_000


def chord(seconds: float = 1.0) -> Waveform:
    """500 Hz, and a fifth as loud 6 kHz."""
    t = np.arange(int(seconds * RATE)) / RATE
    return (0.25 * np.sin(2 * np.pi * 500 * t) + 0.05 * np.sin(2 * np.pi * 6000 * t)).astype("f4")


def power(waveform: Waveform, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(waveform)) ** 2
    frequency = np.fft.rfftfreq(len(waveform), 1 / RATE)
    return float(spectrum[(frequency >= low) & (frequency < high)].sum())


def rms(waveform: Waveform) -> float:
    return float(np.sqrt(np.mean(waveform.astype("f8") ** 2)))


@pytest.mark.parametrize("name", CONDITIONS)
@given(samples=st.integers(1, 40_000), loudness=st.sampled_from([0.0, 1e-4, 0.1, 1.0]))
def test_any_clip_stays_a_clip_and_gives_the_same_twice(
    name: str, samples: int, loudness: float
) -> None:
    clip = (np.random.default_rng(0).uniform(-1, 1, samples) * loudness).astype(np.float32)
    changed = CONDITIONS[name](clip, RATE)
    assert changed.dtype == np.float32 and np.isfinite(changed).all()
    assert np.abs(changed).max() <= 1
    assert len(changed) >= samples
    np.testing.assert_array_equal(changed, CONDITIONS[name](clip, RATE))


@pytest.mark.parametrize("name", ["phone_band", "amr"])
def test_a_call_leaves_nothing_above_4_khz(name: str) -> None:
    changed = CONDITIONS[name](chord(), RATE)
    assert power(changed, 4200, 8000) < 1e-3 * power(chord(), 4200, 8000)
    assert power(changed, 400, 600) > 0.5 * power(chord(), 400, 600)


def test_levels_and_noise_are_what_their_names_say() -> None:
    clip = chord()
    assert 20 * np.log10(rms(CONDITIONS["quiet_30"](clip, RATE)) / rms(clip)) == (
        pytest.approx(-30, abs=0.2)
    )
    assert 20 * np.log10(rms(CONDITIONS["loud_10"](clip, RATE)) / rms(clip)) == (
        pytest.approx(10, abs=0.1)
    )
    assert np.abs(CONDITIONS["loud_10"](2 * clip, RATE)).max() == pytest.approx(1, abs=1e-4)
    for name, ratio in {"noise_20": 20, "noise_10": 10, "noise_0": 0}.items():
        noise = CONDITIONS[name](clip, RATE) - clip
        assert 20 * np.log10(rms(clip) / rms(noise)) == pytest.approx(ratio, abs=0.5)


def test_a_room_rings_after_the_sound_and_a_shift_starts_later() -> None:
    clip = np.concatenate([chord(0.2), np.zeros(RATE // 2, np.float32)])
    tail = CONDITIONS["room"](clip, RATE)[int(0.25 * RATE) : int(0.35 * RATE)]
    assert rms(tail) > 0.01
    moved = CONDITIONS["shift"](chord(), RATE)
    assert not moved[:1600].any() and moved[1700:].any()
