"""The noise floor and the hum of the mains, in noise of known levels and in real recordings."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from pocketear.data.decoding.bandwidth import N_FFT
from pocketear.data.decoding.noise import Hum, SpectrumAndFloor

RATE = 16_000


def floor(samples: NDArray[np.floating]) -> float:
    spectrum = SpectrumAndFloor()
    spectrum.add(samples.astype(np.float32))
    return float(10 * np.log10(spectrum.floor()))


def hum(samples: NDArray[np.floating], rate: int = RATE, pieces: int = 1) -> float:
    found = Hum(rate)
    for piece in np.array_split(samples.astype(np.float32), pieces):
        found.add(piece)
    return found.prominence()


def noise(level_db: float, seconds: float = 5.0, rate: int = RATE) -> NDArray[np.float64]:
    return np.random.default_rng(1).normal(0, 10 ** (level_db / 20), round(rate * seconds))


def mains(
    hz: float, level_db: float, seconds: float = 5.0, rate: int = RATE
) -> NDArray[np.float64]:
    """The fundamental and its odd harmonics. level_db: of the fundamental's amplitude"""
    time = np.arange(round(rate * seconds)) / rate
    parts = [np.sin(2 * np.pi * hz * n * time) / n for n in (1, 2, 3, 5)]
    return np.asarray(10 ** (level_db / 20) * np.sum(parts, axis=0))


def test_the_floor_of_noise_is_its_level() -> None:
    assert floor(noise(-50)) == pytest.approx(-50, abs=1)


def test_a_sound_that_never_pauses_has_the_floor_between_its_partials() -> None:
    """As a long cry has: blocks of all frequencies together never get quieter than it."""
    time = np.arange(5 * RATE) / RATE
    voice = np.sum([np.sin(2 * np.pi * 430 * n * time) for n in range(1, 16)], axis=0) / 50
    assert floor(voice + noise(-60)) == pytest.approx(-60, abs=1.5)


def test_digital_silence_is_no_floor() -> None:
    half = np.where(np.arange(5 * RATE) < 3 * RATE, 0, noise(-50))
    assert floor(half) == pytest.approx(-50, abs=1.5)
    assert floor_of_silence() == 0


def floor_of_silence() -> float:
    spectrum = SpectrumAndFloor()
    spectrum.add(np.zeros(3 * N_FFT, np.float32))
    return spectrum.floor()


@pytest.mark.parametrize("hz", [50.0, 60.0, 49.95])
@pytest.mark.parametrize("rate", [8000, 44_100])
@pytest.mark.parametrize("pieces", [1, 9])
def test_hum_of_the_mains_stands_out_from_noise(hz: float, rate: int, pieces: int) -> None:
    plain = noise(-40, rate=rate)
    assert hum(plain, rate, pieces) < 8
    assert hum(plain + mains(hz, -45, rate=rate), rate, pieces) > 15


@pytest.mark.parametrize("hz", [55.0, 45.0, 70.0])
def test_lines_elsewhere_are_no_hum(hz: float) -> None:
    assert hum(noise(-40) + mains(hz, -45)) < 8


def test_too_short_a_clip_says_nothing_of_hum() -> None:
    assert hum(mains(50, -40, 0.7)) == 0
    assert hum(np.zeros(RATE)) == 0


def test_hum_is_found_in_real_recordings(esc10: Path) -> None:
    higher = []
    for path in sorted((esc10 / "004 - Baby cry").glob("*.ogg"))[:12]:
        samples, rate = soundfile.read(path, dtype="float32")
        with_hum = samples + mains(50, -46, len(samples) / rate, rate)
        higher.append(hum(with_hum, rate) - hum(samples, rate))
    assert min(higher) >= 0
    assert np.median(higher) > 8
