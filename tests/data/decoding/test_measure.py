"""What is measured of a recording, against the definitions, SciPy, and known answers."""

import pickle
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import soundfile
import soxr
from hypothesis import given
from hypothesis import strategies as st

from pocketear.base.errors import ClipError
from pocketear.data.decoding import audio, int16, measure, recording
from pocketear.data.decoding.bandwidth import N_FFT, Spectrum, cutoff
from pocketear.data.decoding.untrusted import stream_untrusted
from sounds import silence, tone, write


def test_measures_are_those_of_the_definitions() -> None:
    samples = np.concatenate([tone(1.0), np.zeros(16_000, np.float32)])
    measured = measure.measure(audio.Recording(samples[:, None], 16_000, "PCM_16"))
    assert (measured.duration, measured.sample_rate, measured.channels) == (2.0, 16_000, 1)
    assert measured.level_dbfs == pytest.approx(
        20 * np.log10(0.5 / 2), abs=0.01
    )  # half of it sounds
    assert measured.peak == pytest.approx(0.5, abs=1e-3)
    assert measured.silence_share == pytest.approx(0.5, abs=0.01)
    assert measured.clipped_share == 0
    assert measured.dc_offset == pytest.approx(0, abs=1e-6)


def test_clipping_and_offset_are_seen() -> None:
    loud = np.clip(4 * tone(), -1, 1)
    recording = audio.Recording(np.stack([loud, tone() + 0.25], axis=1), 16_000, "FLOAT")
    measured = measure.measure(recording)
    over = np.mean(np.abs(4 * np.sin(np.linspace(0, 2 * np.pi, 10**5)) * 0.5) >= 1) / 2
    assert measured.clipped_share == pytest.approx(over, abs=0.01)
    assert measured.dc_offset == pytest.approx(0.25, abs=1e-3)


def test_digital_silence_is_silence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(16_000, np.float32))
    measured = measure.measure(audio.read_recording(path))
    assert (measured.silence_share, measured.peak) == (1.0, 0.0)
    assert measured.level_dbfs <= -150


@pytest.mark.parametrize(
    ("rate", "channels", "seconds"),
    [(44_100, 1, 60.0), (48_000, 2, 50.3), (192_000, 8, 3.01), (22_050, 3, 40.0), (8000, 1, 300.0)],
)
def test_a_long_clip_has_the_bytes_and_measures_of_one_that_is_decoded_at_once(
    tmp_path: Path, rate: int, channels: int, seconds: float
) -> None:
    """It is decoded, mixed, resampled and measured in pieces."""
    rng = np.random.default_rng(3)
    written = rng.normal(0.01, 0.3, (round(rate * seconds), channels)).clip(-1, 1)
    written[rate : 2 * rate + rate // 2] = 0
    path = write(tmp_path / "a.wav", written.astype(np.float32), rate)
    samples, measured = measure.decode_clip(path, 0, 0, 16_000)

    whole, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert whole.size > recording.MOST_AT_ONCE
    at_once = soxr.resample(whole.mean(axis=1, dtype=np.float32), rate, 16_000, quality="HQ")
    np.testing.assert_array_equal(samples, int16.to_int16(at_once))
    quiet = np.abs(at_once) < 1 / 32768
    blocks = quiet[: len(quiet) // 160 * 160].reshape(-1, 160).all(axis=1)
    assert measured["silence_share"] == blocks.mean()
    assert measured["duration"] == len(whole) / rate
    assert measured["peak"] == np.abs(whole).max()
    assert measured["clipped_share"] == np.mean(np.abs(whole) >= 32767 / 32768)
    exact = whole.astype(np.float64)
    assert measured["level_dbfs"] == pytest.approx(
        10 * np.log10(np.mean(at_once.astype(np.float64) ** 2)), abs=1e-9
    )
    assert measured["dc_offset"] == pytest.approx(np.abs(exact.mean(axis=0)).max(), abs=1e-9)
    in_memory = asdict(measure.measure(audio.Recording(whole, rate, "PCM_16"), 16_000))
    for name in ("noise_floor_dbfs", "bandwidth", "leading_silence", "trailing_silence"):
        assert measured[name] == pytest.approx(in_memory[name], abs=1e-6), name


@pytest.mark.parametrize("share", [1.0, 0.95])
def test_channels_that_cancel_are_refused_wherever_a_file_is_read(
    tmp_path: Path, share: float
) -> None:
    path = write(tmp_path / "a.wav", np.stack([tone(), -share * tone()], axis=1))
    for read in (
        lambda: measure.decode_clip(path, 0, 0, 16_000),
        lambda: audio.read_recording(path),
        lambda: list(stream_untrusted(path, 16_000, 4096)),
    ):
        with pytest.raises(ClipError, match=r"its channels cancel each other, .* export one of"):
            read()


@pytest.mark.parametrize(
    "others", [(0.0,), (1.0,), (-0.5,), (0.0,) * 7, (-1.0, 0.5, 0.5, 0.5)], ids=str
)
def test_other_channels_do_not_cancel(tmp_path: Path, others: tuple[float, ...]) -> None:
    path = write(tmp_path / "a.wav", np.outer(tone(), (1.0, *others)))
    level = measure.decode_clip(path, 0, 0, 16_000)[1]["level_dbfs"]
    together = abs(1 + sum(others)) / (1 + len(others))
    assert level == pytest.approx(20 * np.log10(0.5 * together / np.sqrt(2)), abs=0.01)


def test_channels_of_their_own_do_not_cancel(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, (16_000, 16))
    assert measure.decode_clip(write(tmp_path / "a.wav", noise), 0, 0, 16_000)


def test_what_a_model_does_not_get_is_no_level(tmp_path: Path) -> None:
    """A bat at 30 kHz is silence at 16 kHz."""
    bat = tone(1, 96_000, 30_000) * np.hanning(96_000)
    path = write(tmp_path / "a.wav", bat, 96_000)
    measured = measure.decode_clip(path, 0, 0, 16_000)[1]
    assert measured["level_dbfs"] < -90
    assert measured["silence_share"] > 0.9
    assert measured["peak"] == pytest.approx(0.5, abs=0.01)


MEMORY = """
import re, sys
from pathlib import Path
from pocketear.data.decoding.measure import decode_clip
samples, measured = decode_clip(Path(sys.argv[1]), 0, 0, 16_000)
peak = re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]
print(len(samples), measured["silence_share"], peak)
"""


@pytest.mark.slow
def test_a_small_file_of_much_silence_takes_little_memory(tmp_path: Path) -> None:
    """60 s of 8 channels at 192 kHz are 350 MiB, and were three times as much in memory."""
    path = silence(tmp_path / "a.flac", 60, 192_000, 8)
    assert path.stat().st_size < 500_000
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True
    )
    samples, silent, kilobytes = done.stdout.split()
    assert (int(samples), float(silent)) == (60 * 16_000, 1.0)
    assert int(kilobytes) < 300_000


@pytest.mark.parametrize("before", [0.0, 0.25])
@pytest.mark.parametrize("behind", [0.0, 1.5])
def test_silence_before_and_behind_a_sound_is_measured(before: float, behind: float) -> None:
    quiet = [np.zeros(round(16_000 * seconds), np.float32) for seconds in (before, behind)]
    samples = np.concatenate([quiet[0], tone(0.5) + 0.1, quiet[1]])[:, None]
    measured = measure.measure(audio.Recording(samples, 16_000, "FLOAT"))
    assert measured.leading_silence == pytest.approx(before, abs=0.01)
    assert measured.trailing_silence == pytest.approx(behind, abs=0.01)


def test_of_silence_all_is_before_and_behind() -> None:
    samples = np.zeros((8000, 1), np.float32)
    measured = measure.measure(audio.Recording(samples, 16_000, "FLOAT"))
    assert (measured.leading_silence, measured.trailing_silence) == (0.5, 0.5)
    assert (measured.noise_floor_dbfs, measured.bandwidth) == (-200.0, 8000.0)


@pytest.mark.parametrize("samples", [1, 100, 159, 161, N_FFT])
def test_the_shortest_of_sounds_is_measured(samples: int) -> None:
    short = np.full((samples, 1), 0.5, np.float32)
    measured = measure.measure(audio.Recording(short, 16_000, "FLOAT"))
    assert (measured.leading_silence, measured.silence_share) == (0.0, 0.0)
    assert measured.bandwidth <= 8000


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_the_noise_floor_is_that_of_the_pauses_whatever_the_offset(offset: float) -> None:
    """Its reference is the noise's own level."""
    noise = np.random.default_rng(0).normal(0, 0.001, 160_000)
    loud = noise + np.where(np.arange(160_000) % 16_000 < 8000, tone(10.0), 0) + offset
    measured = measure.measure(audio.Recording(loud[:, None].astype("f4"), 16_000, "FLOAT"))
    assert measured.noise_floor_dbfs == pytest.approx(-60, abs=1)


@pytest.mark.parametrize("between", [8000, 11_025])
@pytest.mark.parametrize("label", ["004 - Baby cry", "002 - Rain", "005 - Clock tick"])
def test_a_real_recording_that_was_resampled_on_its_way_has_the_bandwidth_of_the_lowest_rate(
    esc10: Path, between: int, label: str
) -> None:
    for path in sorted((esc10 / label).glob("*.ogg"))[:3]:
        there, rate = soundfile.read(path, dtype="float32")
        back = soxr.resample(soxr.resample(there, rate, between), between, rate)
        for rounded in (back, np.rint(back * 32768) / np.float32(32768)):  # and as 16 bits
            measured = measure.measure(audio.Recording(rounded[:, None], rate, "FLOAT"))
            assert 0.8 < measured.bandwidth / (between / 2) < 1.1, path.name
        as_it_is = measure.measure(audio.Recording(there[:, None], rate, "FLOAT"))
        assert as_it_is.bandwidth > 7600, path.name


@given(edge=st.floats(1500, 17_000), slope=st.floats(0, 9), seed=st.integers(0, 99))
def test_noise_has_the_bandwidth_of_the_filter_that_it_went_through(
    edge: float, slope: float, seed: int
) -> None:
    """By SciPy's window method; the noise falls off by `slope` dB an octave on its own."""
    noise = np.random.default_rng(seed).normal(0, 0.05, 44_100)
    bins = np.fft.rfft(noise) * (1 + np.arange(22_051) / 100) ** (-slope / 6.02)
    taps = scipy.signal.firwin(511, edge, fs=44_100, window=("kaiser", 8.0))
    filtered = scipy.signal.fftconvolve(np.fft.irfft(bins), taps, "same")
    spectrum = Spectrum()
    spectrum.add(filtered.astype(np.float32))
    assert cutoff(spectrum.power(), 44_100) == pytest.approx(edge, rel=0.1)


@pytest.mark.parametrize("hz", [440.0, 3000.0, 7000.0])
def test_a_tone_has_no_cutoff(hz: float) -> None:
    measured = measure.measure(audio.Recording(tone(hz=hz)[:, None], 16_000, "FLOAT"))
    assert measured.bandwidth == 8000


def test_a_spectrum_of_a_stream_without_end_does_not_grow() -> None:
    """`listen` holds one for as long as it runs."""
    sizes, spectrum = set(), Spectrum()
    for _ in range(3):
        spectrum.add(np.full(50 * N_FFT, 0.1, np.float32))
        sizes.add(len(pickle.dumps(spectrum)))
    assert len(sizes) == 1


def test_the_spectrum_is_that_of_welch() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, 10 * N_FFT).astype(np.float32)
    spectrum = Spectrum()
    for piece in np.array_split(noise, 7):
        spectrum.add(piece)
    _, expected = scipy.signal.welch(
        noise, window="hann", nperseg=N_FFT, noverlap=0, detrend=False, scaling="spectrum"
    )
    np.testing.assert_allclose(2 * spectrum.power()[1:-1], expected[1:-1], rtol=1e-4)
