"""Decoding against readers that we did not write, and one clear line for what cannot be decoded."""

import wave
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.io.wavfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from pocketear.base.errors import ClipError
from pocketear.data.decoding import audio, int16
from sounds import halved, tone, write, write_by_phone, write_with


def test_16_bit_samples_are_those_of_the_wave_module(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.stack([tone(), -tone() / 2], axis=1))
    with wave.open(str(path)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
        rate = file.getframerate()
    recording = audio.read_recording(path)
    np.testing.assert_array_equal(recording.samples, raw.astype(np.float32) / 32768)
    assert (recording.sample_rate, recording.subtype) == (rate, "PCM_16")


@pytest.mark.filterwarnings("ignore:Chunk .* not understood")  # SciPy's, of libsndfile's PEAK
@pytest.mark.parametrize(
    ("subtype", "full_scale", "zero"),
    [
        ("PCM_U8", 128, 128),
        ("PCM_16", 2**15, 0),
        ("PCM_32", 2**31, 0),
        ("FLOAT", 1, 0),
        ("DOUBLE", 1, 0),
    ],
)
def test_every_sample_format_is_read_as_scipy_reads_it(
    tmp_path: Path, subtype: str, full_scale: float, zero: float
) -> None:
    path = write(tmp_path / "a.wav", subtype=subtype)
    _, raw = scipy.io.wavfile.read(path)
    expected = (raw.astype(np.float64) - zero) / full_scale
    np.testing.assert_allclose(audio.read_recording(path).samples[:, 0], expected, atol=1e-7)


def test_24_bit_samples_are_read_as_scipy_reads_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", subtype="PCM_24")
    _, raw = scipy.io.wavfile.read(path)  # left-justified in 32 bits
    expected = raw.astype(np.float64) / 2**31
    np.testing.assert_allclose(audio.read_recording(path).samples[:, 0], expected, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 2, 8])
def test_a_waveform_is_the_mean_of_the_channels(tmp_path: Path, channels: int) -> None:
    tones = [tone(hz=200.0 * (n + 1)) for n in range(channels)]
    samples = np.stack(tones, axis=1) / np.float32(channels)
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    np.testing.assert_allclose(
        audio.load_waveform(path, 16_000), samples.mean(axis=1), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("rate", [8000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000, 192_000])
def test_every_sample_rate_is_resampled_as_librosa_does(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.wav", sample_rate=rate, subtype="FLOAT")
    expected, _ = librosa.load(path, sr=16_000)
    got = audio.load_waveform(path, 16_000)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)


def test_real_recordings_are_decoded_as_librosa_does(esc10: Path) -> None:
    for path in sorted(esc10.glob("*/*-A.ogg"))[::60]:
        expected, _ = librosa.load(path, sr=16_000)
        np.testing.assert_allclose(
            audio.load_waveform(path, 16_000), expected, rtol=0, atol=1e-6, err_msg=str(path)
        )


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3", "a.aiff", "a.au", "a.caf", "a.w64"])
def test_a_tone_is_a_tone_in_every_format(tmp_path: Path, name: str) -> None:
    assert_tone(audio.load_waveform(write(tmp_path / name), 16_000), 1.0)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("memo.m4a", "aac", 44_100),
        ("memo.m4a", "aac", 48_000),
        ("memo.3gp", "aac", 44_100),
        ("memo.3gp", "libopencore_amrnb", 8000),
        ("memo.amr", "libopencore_amrnb", 8000),
        ("memo.mp4", "aac", 48_000),
        ("memo.webm", "libopus", 48_000),
    ],
)
def test_what_phones_record_is_read(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    path = write_by_phone(tmp_path / name, codec, rate)
    recording = audio.read_recording(path)
    assert (recording.sample_rate, recording.samples.shape[1]) == (rate, 1)
    assert_tone(audio.load_waveform(path, 16_000), 1.0)


def assert_tone(waveform: NDArray[np.float32], seconds: float) -> None:
    """440 Hz at half of full scale, as far as a lossy codec keeps it, for about `seconds`."""
    assert len(waveform) / 16_000 == pytest.approx(seconds, abs=0.06)  # encoders pad
    middle = waveform[4000:12_000].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * 2 == pytest.approx(440, abs=2)
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.2)


def test_a_part_is_the_part_of_the_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", np.random.default_rng(1).uniform(-1, 1, 32_000).astype("f4"))
    whole = audio.read_recording(path).samples
    np.testing.assert_array_equal(audio.read_recording(path, 0.5, 1.25).samples, whole[8000:20_000])
    np.testing.assert_array_equal(audio.read_recording(path, 1.5).samples, whole[24_000:])


def test_a_part_of_a_phone_recording_is_the_part_of_the_whole(tmp_path: Path) -> None:
    path = write_by_phone(tmp_path / "a.m4a")
    whole = audio.read_recording(path).samples
    part = audio.read_recording(path, 0.25, 0.5).samples
    np.testing.assert_array_equal(part, whole[11_025:22_050])


def saying(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing": (lambda d: d / "a.wav", "not found"),
    "empty": (lambda d: saying(d / "a.wav", b""), "the file is empty"),
    "a text": (
        lambda d: saying(d / "a.wav", b"hello, this is no sound\n" * 50),
        "not a sound file",
    ),
    "a picture": (
        lambda d: saying(d / "a.wav", b"\x89PNG\r\n\x1a\n" + bytes(99)),
        "not a container that holds sound itself",
    ),
    "no samples": (lambda d: write(d / "a.wav", np.zeros(0, np.float32)), "holds no samples"),
    "truncated wav": (lambda d: halved(write(d / "a.wav")), "truncated"),
    "truncated ogg": (lambda d: halved(write(d / "a.ogg", tone(20))), "truncated"),
    "truncated flac": (lambda d: halved(write(d / "a.flac", tone(20))), "truncated"),
    "truncated mp3": (lambda d: halved(write(d / "a.mp3", tone(20))), "truncated"),
    "truncated m4a": (lambda d: halved(write_by_phone(d / "a.m4a")), "truncated"),
    "truncated 3gp": (lambda d: halved(write_by_phone(d / "a.3gp")), "truncated"),
    "NaN": (lambda d: write_with(d / "a.wav", np.nan), "sample 7 is NaN or infinite"),
    "infinity": (lambda d: write_with(d / "a.wav", np.inf), "sample 7 is NaN or infinite"),
    "far too loud": (lambda d: write(d / "a.wav", tone() * 1e6, subtype="FLOAT"), "want [-1, 1]"),
}


READERS: dict[str, Callable[[Path], object]] = {
    "whole": audio.read_recording,
    "streamed": lambda path: list(audio.stream_waveform(path, 16_000, 64)),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_used_is_refused_in_one_line(tmp_path: Path, what: str, reader: str) -> None:
    make, reason = BAD[what]
    path = make(tmp_path)
    if (what, reader) == ("no samples", "streamed"):
        assert READERS[reader](path) == []  # how much there is, is for the listener to say
        return
    if (what, reader) == ("truncated flac", "streamed"):
        reason = "damaged after"
    with pytest.raises(ClipError) as refused:
        READERS[reader](path)
    assert str(refused.value).startswith(f"{path}: ")
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_wav_file_that_was_streamed_has_no_length_to_keep(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    header = bytearray(path.read_bytes())
    header[4:8] = header[40:44] = b"\xff\xff\xff\xff"  # as ffmpeg writes to a pipe
    path.write_bytes(header)
    assert len(audio.read_recording(path).samples) == 16_000


@pytest.mark.parametrize("rate", [16_000, 44_100])
@pytest.mark.parametrize("name", ["a.wav", "a.m4a"])
def test_a_stream_is_the_whole_in_pieces(tmp_path: Path, rate: int, name: str) -> None:
    noise = np.random.default_rng(2).uniform(-0.5, 0.5, 5 * rate).astype(np.float32)
    path = tmp_path / name
    if name.endswith("wav"):
        write(path, noise, rate, "FLOAT")
    else:
        write_by_phone(path, "aac", rate, noise)
    pieces = list(audio.stream_waveform(path, 16_000, 4096))
    whole = audio.load_waveform(path, 16_000)
    assert len(pieces) > 10
    streamed = np.concatenate(pieces)
    assert len(streamed) == len(whole)
    np.testing.assert_allclose(streamed, whole, rtol=0, atol=1e-5)


@given(hnp.arrays(np.int16, st.integers(0, 50)))
def test_sixteen_bits_survive_the_way_to_float_and_back(samples: np.ndarray) -> None:
    np.testing.assert_array_equal(int16.to_int16(int16.from_int16(samples)), samples)
