"""Training windows: what mixing, speed and gain promise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketear.params import AugmentParams
from pocketear.training import augment

LENGTH = 4_000
PLAIN = AugmentParams(
    mix_share=0.0, speed=0.0, gain_db=0.0, quiet_share=0.0, quiet_db=30.0, band_share=0.0,
    band=0.2, noise_share=0.0, noise_db=0.0, response_db=0.0, shift=False,
)  # fmt: skip
WILD = PLAIN.model_copy(
    update={"mix_share": 1.0, "speed": 0.15, "gain_db": 6.0, "response_db": 3.0, "shift": True}
)


def noise(seed: int, level: float = 0.1, length: int = LENGTH) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(length)).astype(np.float32)


def tone(frequency: float, length: int) -> np.ndarray:
    return np.asarray(np.sin(2 * np.pi * frequency / 16_000 * np.arange(length)), np.float32)


@given(
    share=st.floats(0.01, 0.99),
    levels=st.tuples(st.floats(-60, 0), st.floats(-60, 0)),
)
def test_the_target_says_how_loud_each_sound_is_in_the_mixture(share, levels) -> None:
    """Checked against what a least-squares fit finds of each sound in the mixture."""
    first, second = (noise(i, 10 ** (db / 20)) for i, db in enumerate(levels))
    mixture, found = augment.mix(first, second, share)
    parts = np.linalg.lstsq(np.stack([first, second], axis=1), mixture, rcond=None)[0]
    loudness = np.abs(parts) * [np.std(first), np.std(second)]
    assert found == pytest.approx(loudness[0] / loudness.sum(), rel=1e-3)


def test_equally_loud_sounds_have_the_share_asked_for() -> None:
    for share in (0.1, 0.5, 0.8):
        assert augment.mix(noise(1), noise(2), share)[1] == pytest.approx(share, abs=0.01)


def test_a_quieter_sound_is_raised_to_the_share_asked_for() -> None:
    assert augment.mix(noise(1, 0.01), noise(2, 0.1), 0.5)[1] == pytest.approx(0.5, abs=0.01)


def test_a_mixture_is_about_as_loud_as_equally_loud_sounds() -> None:
    mixture, _ = augment.mix(noise(1), noise(2), 0.5)
    assert augment.level(mixture) == pytest.approx(0.1, rel=0.05)


def test_silence_asks_for_no_label() -> None:
    silence = np.zeros(LENGTH, np.float32)
    mixture, share = augment.mix(silence, noise(1), 0.5)
    assert share < 0.01
    assert np.isfinite(mixture).all()
    mixture, share = augment.mix(silence, silence, 0.5)
    assert share == pytest.approx(0.5)
    assert not mixture.any()


def test_speed_moves_a_tone() -> None:
    window = augment.cut(tone(1_000, 8_000), 100.5, LENGTH, 1.25)
    spectrum = np.abs(np.fft.rfft(window * np.hanning(LENGTH)))
    assert spectrum.argmax() * 16_000 / LENGTH == pytest.approx(1_250, abs=4)


def test_a_cut_at_plain_speed_is_the_samples_themselves() -> None:
    waveform = noise(3, length=9_000)
    np.testing.assert_array_equal(augment.cut(waveform, 1_234, LENGTH), waveform[1_234:][:LENGTH])


def test_a_short_clip_is_followed_by_silence() -> None:
    waveform = noise(4, length=1_000)
    window = augment.cut(waveform, 0, LENGTH)
    np.testing.assert_array_equal(window[:1_000], waveform)
    assert not window[1_000:].any()


@given(length=st.integers(1, 3 * LENGTH), seed=st.integers(0, 2**32))
def test_a_window_of_any_clip_has_its_length_and_its_level(length, seed) -> None:
    waveform = np.ones(length, np.float32)
    rng = np.random.default_rng(seed)
    straight = WILD.model_copy(update={"response_db": 0.0})
    window = augment.draw_window(waveform, LENGTH, straight, rng)
    assert window.shape == (LENGTH,) and window.dtype == np.float32
    assert 10 ** (-6.01 / 20) <= window[0] <= 10 ** (6.01 / 20)  # within 6 dB, and never empty
    if length >= 1.15 * LENGTH + 1:
        assert window.min() == pytest.approx(window.max())  # no silence where the clip has sound


def test_a_drawn_microphone_is_as_uneven_as_asked_for_and_as_flat_as_asked_for() -> None:
    """The gain of pure tones at the octaves below 8 kHz, over many draws."""
    rng, samples = np.random.default_rng(6), 16_000
    octaves = [125, 250, 500, 1_000, 2_000, 4_000]
    tones = np.sum([tone(frequency, samples) for frequency in octaves], axis=0)

    def gains_db(response_db: float) -> np.ndarray:
        spectrum = np.abs(np.fft.rfft(augment.colour(tones, response_db, rng)))
        return 20 * np.log10(spectrum[octaves] / (samples / 2))

    drawn = np.stack([gains_db(3.0) for _ in range(300)])
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.7)
    np.testing.assert_allclose(drawn.std(axis=0), 3.0, rtol=0.15)
    assert np.abs(np.corrcoef(drawn, rowvar=False) - np.eye(len(octaves))).max() < 0.25
    np.testing.assert_allclose(gains_db(0.0), 0, atol=1e-3)


def test_a_drawn_microphone_neither_delays_nor_smears_a_click() -> None:
    click = np.zeros(LENGTH, np.float32)
    click[1_000] = 1
    click_after = augment.colour(click, 3.0, np.random.default_rng(7))
    assert click_after.dtype == np.float32 and np.abs(click_after).argmax() == 1_000
    near = np.square(click_after[900:1_100]).sum()
    assert near > 0.99 * np.square(click_after).sum()


@dataclass
class Clips:
    """Clips in memory."""

    waveforms: Sequence[np.ndarray]
    targets: np.ndarray

    def waveform(self, clip: int) -> np.ndarray:
        return self.waveforms[clip]


def batch(params: AugmentParams, seed: int, clips: int = 6):
    sounds = [noise(i, length=3 * LENGTH) for i in range(clips)]
    training = Clips(sounds, np.eye(3, dtype=np.float32)[np.arange(clips) % 3])
    rng = np.random.default_rng(seed)
    every = np.arange(clips)
    return augment.draw_batch(training, (every, every), params, LENGTH, rng), sounds


def test_a_seed_gives_the_same_batch_and_another_seed_another() -> None:
    (windows, targets), _ = batch(WILD, 1)
    (again, again_targets), _ = batch(WILD, 1)
    (other, _), _ = batch(WILD, 2)
    np.testing.assert_array_equal(windows, again)
    np.testing.assert_array_equal(targets, again_targets)
    assert not np.array_equal(windows, other)


def test_targets_are_shares_that_sum_to_one() -> None:
    (windows, targets), _ = batch(WILD, 3)
    assert windows.shape == (6, LENGTH) and targets.shape == (6, 3)
    np.testing.assert_allclose(targets.sum(axis=1), 1, rtol=1e-6)
    assert (targets >= 0).all()
    assert (np.count_nonzero(targets, axis=1) > 1).any()


def test_without_any_change_a_batch_is_the_clips_beginnings() -> None:
    (windows, targets), sounds = batch(PLAIN, 4)
    np.testing.assert_array_equal(windows, np.stack([sound[:LENGTH] for sound in sounds]))
    np.testing.assert_array_equal(targets, np.eye(3)[np.arange(6) % 3])


def test_a_batch_of_silence_has_no_nan() -> None:
    silent = np.zeros(LENGTH, np.float32)
    training = Clips([silent, silent], np.eye(2, dtype=np.float32))
    rng = np.random.default_rng(5)
    windows, shares = augment.draw_batch(training, (np.arange(2), np.arange(2)), WILD, LENGTH, rng)
    assert not windows.any()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)


def shares(window: np.ndarray, edge: float) -> float:
    """Share of the power above `edge`, in cycles a sample."""
    power = np.abs(np.fft.rfft(window)) ** 2
    return float(power[np.fft.rfftfreq(len(window)) > edge].sum() / power.sum())


def test_a_narrow_band_leaves_nothing_above_a_frequency_that_moves() -> None:
    params = PLAIN.model_copy(update={"band_share": 1.0})
    rng = np.random.default_rng(3)
    windows = [augment.draw_window(noise(i), LENGTH, params, rng) for i in range(40)]
    edges = [np.flatnonzero(np.abs(np.fft.rfft(w)) > 1e-3).max() / LENGTH for w in windows]
    assert 0.2 <= min(edges) < 0.25 and 0.45 < max(edges) <= 0.5
    assert all(shares(window, 0.19) > 0.05 for window in windows)


@given(slope=st.floats(0, 2), seed=st.integers(0, 9))
def test_noise_has_the_colour_asked_for(slope: float, seed: int) -> None:
    made = augment.coloured_noise(1 << 14, slope, np.random.default_rng(seed))
    power = np.abs(np.fft.rfft(made)) ** 2
    frequency = np.arange(len(power))
    inside = slice(10, len(power) // 2)
    fitted = np.polyfit(np.log(frequency[inside]), np.log(power[inside]), 1)[0]
    assert fitted == pytest.approx(-slope, abs=0.05)
    assert np.sqrt(np.mean(made**2)) == pytest.approx(1, rel=1e-3)


def test_noise_and_quiet_keep_to_their_limits() -> None:
    params = PLAIN.model_copy(update={"noise_share": 1.0, "noise_db": 10.0})
    rng = np.random.default_rng(4)
    for i in range(20):
        added = augment.add_noise(noise(i), params, rng) - noise(i)
        ratio = 20 * np.log10(augment.level(noise(i)) / augment.level(added))
        assert 9.9 <= ratio <= 40.1
    quiet = PLAIN.model_copy(update={"quiet_share": 1.0, "quiet_db": 30.0})
    found = [augment.level(augment.draw_window(noise(1), LENGTH, quiet, rng)) for _ in range(50)]
    losses = 20 * np.log10(np.array(found) / augment.level(noise(1)))
    assert losses.min() > -31 and losses.max() < 1
    assert np.ptp(losses) > 20
