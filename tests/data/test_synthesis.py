"""The synthetic sounds, by measures that we did not write where there are any."""

import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from places import ROOT
from pocketear.data.synthesis import backgrounds, scene, signals, voices
from pocketear.data.synthesis.recipe import Contents, Recipe, load_recipe
from pocketear.data.synthesis.render import SOUNDS, Rendered, render_all, render_clip, scene_of
from pocketear.data.synthesis.voices import Voice

RATE = 16_000
LENGTH = 5 * RATE
CLEAR = Voice(pitch=420.0, tract=1.0, hoarseness=0.05)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe(ROOT / "data/recipes/cry_laugh.yaml")


def smaller(recipe: Recipe, **counts: int) -> Recipe:
    labels = {
        label: Contents(clips=count, sounds=recipe.labels[label].sounds)
        for label, count in counts.items()
    }
    return recipe.model_copy(update={"labels": labels})


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.wav")}


@pytest.mark.slow
def test_the_same_recipe_gives_the_same_bytes(recipe: Recipe, tmp_path: Path) -> None:
    small = smaller(recipe, cry=3, laugh=3, background=6)
    render_all(small, tmp_path / "one")
    render_all(small, tmp_path / "two")
    assert files(tmp_path / "one") == files(tmp_path / "two")
    assert len(set(files(tmp_path / "one").values())) == 12


def test_more_clips_and_labels_change_none_that_are_there(recipe: Recipe, tmp_path: Path) -> None:
    render_all(smaller(recipe, laugh=2), tmp_path / "few")
    render_all(smaller(recipe, cry=3, laugh=5), tmp_path / "more")
    few, more = files(tmp_path / "few"), files(tmp_path / "more")
    assert few.items() < more.items()
    assert len(more) == 8


def test_clips_are_16_bit_mono_files_of_the_length_asked_for(
    recipe: Recipe, tmp_path: Path
) -> None:
    ((_, path),) = render_all(smaller(recipe, cry=1), tmp_path)
    with wave.open(str(path)) as file:
        found = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())
    assert found == (1, 2, 16_000, 40_000)


def test_a_group_has_one_voice_and_room_in_every_label(recipe: Recipe) -> None:
    one, two = scene_of(recipe, 3), scene_of(recipe, 4)
    assert one.voice == scene_of(recipe, 3).voice
    assert one.voice != two.voice
    assert not np.array_equal(one.room[:100], two.room[:100])


@pytest.mark.parametrize(("sound", "make"), SOUNDS.items())
def test_every_sound_is_finite_and_takes_the_length_asked_for(sound: str, make: Any) -> None:
    made = make(np.random.default_rng(5), CLEAR, LENGTH, RATE)
    assert made.shape == (LENGTH,)
    assert np.isfinite(made).all()
    assert np.abs(made).max() > 0 or sound == "silence"


def test_clips_are_audible_and_hardly_clipped(recipe: Recipe) -> None:
    for label in recipe.labels:
        for index in range(0, 40, 4):
            clip = render_clip(recipe, Rendered(label, index, index // 4))
            assert np.mean(np.abs(clip) > 1) < 0.01
            assert 20 * np.log10(np.sqrt(np.mean(clip**2))) > -70


def pitches(waveform: NDArray[np.floating]) -> NDArray[np.floating]:
    """Fundamentals of the voiced frames, Hz, by probabilistic YIN."""
    pitch, is_voiced, _ = librosa.pyin(
        waveform.astype(np.float32), fmin=100, fmax=1200, sr=RATE, hop_length=512
    )
    return np.asarray(pitch[is_voiced])


@pytest.mark.parametrize("pitch", [300.0, 450.0, 600.0])
def test_a_cry_keeps_to_its_voice_and_moves_about_it(pitch: float) -> None:
    made = voices.cry(np.random.default_rng(1), Voice(pitch, 1.0, 0.05), LENGTH, RATE)
    low, middle, high = np.percentile(pitches(made), [10, 50, 90])
    assert 0.75 * pitch < middle < 1.4 * pitch
    assert high > 1.1 * low


def modulation_peak(waveform: NDArray[np.floating]) -> float:
    """The strongest rate between 1 and 12 Hz at which the loudness comes and goes."""
    rms = librosa.feature.rms(y=waveform, frame_length=512, hop_length=160)[0]
    spectrum = np.abs(np.fft.rfft((rms - rms.mean()) * np.hanning(len(rms)), 2048))
    rate = np.fft.rfftfreq(2048, 160 / RATE)
    near = (rate > 1) & (rate < 12)
    return float(rate[near][np.argmax(spectrum[near])])


def test_a_laugh_comes_in_bursts_near_five_a_second_and_a_cry_does_not() -> None:
    rates = {
        name: [
            modulation_peak(make(np.random.default_rng(seed), CLEAR, LENGTH, RATE))
            for seed in range(12)
        ]
        for name, make in (("laugh", voices.laugh), ("cry", voices.cry))
    }
    assert 3.8 <= np.median(rates["laugh"]) <= 6.2
    assert np.median(rates["cry"]) < 2.5


@pytest.mark.slow
def test_the_pitch_of_a_laugh_falls() -> None:
    falls = []
    for seed in range(8):
        run = np.zeros(3 * RATE)
        voices.laugh_once(np.random.default_rng(seed), replace(CLEAR, grown=1.2), run, 0, RATE)
        voiced = pitches(run)
        if len(voiced) > 12:  # else it was a laugh without voice
            falls.append(np.median(voiced[-6:]) / np.median(voiced[:6]))
    assert len(falls) > 3
    assert np.median(falls) < 0.95


def spectrum(waveforms: list[NDArray[np.floating]]) -> NDArray[np.floating]:
    """Median level in mel bands, dB, each sound at the same level."""
    bands = []
    for waveform in waveforms:
        mel = librosa.feature.melspectrogram(
            y=waveform.astype(np.float32), sr=RATE, n_mels=24, fmin=200, fmax=7000
        )
        loud = mel[:, mel.sum(axis=0) > 0.1 * mel.sum(axis=0).max()].mean(axis=1)
        bands.append(10 * np.log10(loud / loud.sum() + 1e-6))
    return np.asarray(np.median(bands, axis=0))


@pytest.mark.slow
def test_a_cry_sounds_like_real_crying_more_than_other_sounds_do(esc10: Path) -> None:
    paths = sorted(esc10.glob("004*/*.ogg"))[::4]
    real = spectrum([librosa.load(path, sr=RATE)[0] for path in paths])
    apart = {}
    for sound in ("cry", "hum", "rain", "chirp", "pink", "speech"):
        made = [
            SOUNDS[sound](np.random.default_rng(seed), CLEAR, LENGTH, RATE) for seed in range(8)
        ]
        apart[sound] = float(np.sqrt(np.mean((spectrum(made) - real) ** 2)))
    assert min(apart, key=apart.__getitem__) == "cry", apart
    assert apart["cry"] < 5


def test_pulses_have_the_harmonics_of_their_pitch_and_nothing_between() -> None:
    made = signals.pulses(np.full(RATE, 500.0), RATE)
    power = np.abs(np.fft.rfft(made * np.blackman(RATE))) ** 2  # 1 Hz a bin
    near = np.zeros(len(power), bool)
    for harmonic in range(500, 7600, 500):
        near[harmonic - 4 : harmonic + 5] = True
    assert power[near].sum() / power[~near].sum() > 1e5
    peaks = power[500:7501:500]
    assert peaks.max() / peaks.min() == pytest.approx(1, abs=0.05)


def test_no_pitch_folds_back_from_above_half_the_sample_rate() -> None:
    made = signals.pulses(np.linspace(300, 900, 2 * RATE), RATE)
    frames = np.abs(librosa.stft(made, n_fft=2048)) ** 2
    assert frames[1000:].sum() < 1e-4 * frames.sum()


def test_a_mix_has_the_ratio_asked_for() -> None:
    rng = np.random.default_rng(3)
    sound, behind = signals.unit(rng.standard_normal(LENGTH)), rng.uniform(-1, 1, LENGTH)
    mixed = signals.mix(sound, behind, 12.0, RATE)
    level = signals.active_level(sound, RATE)
    noise = mixed - sound / level
    assert 10 * np.log10(np.mean((sound / level) ** 2) / np.mean(noise**2)) == pytest.approx(
        12, abs=0.5
    )


def test_silence_over_noise_is_the_noise_alone() -> None:
    behind = np.random.default_rng(3).standard_normal(LENGTH)
    mixed = signals.mix(np.zeros(LENGTH), behind, 20.0, RATE)
    assert np.sqrt(np.mean(mixed**2)) == pytest.approx(0.1)


@pytest.mark.parametrize("seconds", [0.15, 0.6])
def test_a_room_decays_by_60_db_in_its_time(seconds: float) -> None:
    """Schroeder's backward integration, fitted from -5 to -25 dB (ISO 3382: T20)."""
    tail = scene.draw_room(np.random.default_rng(7), seconds, RATE)[1:]
    decay = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1] / np.sum(tail**2))
    part = (decay < -5) & (decay > -25)
    slope = np.polyfit(np.arange(len(tail))[part] / RATE, decay[part], 1)[0]
    assert -60 / slope == pytest.approx(seconds, rel=0.1)


def test_gain_control_brings_loud_and_quiet_together() -> None:
    steady = 0.5 * np.sin(2 * np.pi * 440 * np.arange(LENGTH) / RATE)
    loud, quiet = (
        np.std((sound * scene.gain_control(sound, 1.0, RATE))[RATE:])
        for sound in (steady, 0.05 * steady)
    )
    assert loud / quiet < 1.3
    assert np.all(scene.gain_control(steady, 0.0, RATE) == 1)


def test_what_is_placed_over_an_edge_is_cut() -> None:
    onto = np.zeros(5)
    signals.place(np.array([1.0, 2.0, 3.0]), onto, -1)
    signals.place(np.array([4.0, 5.0]), onto, 4)
    signals.place(np.array([9.0]), onto, 7)
    np.testing.assert_array_equal(onto, [2, 3, 0, 0, 4])


def test_hum_is_steady_and_rain_is_not_a_tone() -> None:
    rng = np.random.default_rng(11)
    flatness = {
        name: float(np.median(librosa.feature.spectral_flatness(y=make(rng, CLEAR, LENGTH, RATE))))
        for name, make in (("hum", backgrounds.hum), ("rain", backgrounds.rain))
    }
    assert flatness["rain"] > 10 * flatness["hum"]
