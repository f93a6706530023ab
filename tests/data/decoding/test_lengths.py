"""Every container and codec that is opened, whole and in each way in which its length may be wrong.

The references are the lengths of what was written, not of what is read.
"""

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from places import ROOT
from pocketear.base.errors import ClipError
from pocketear.data.decoding import audio
from pocketear.data.decoding.untrusted import load_untrusted
from sounds import declaring, tone, write
from wrong_lengths import KINDS, SECONDS, Kind, made, noise, variants

CUT = {"a.ts": 50}  # % of a file: where a frame is parted, which packets of MPEG-TS seldom show


def seconds(path: Path) -> float:
    recording = audio.read_recording(path)
    return len(recording.samples) / recording.sample_rate


FRAME = 0.13  # s by which padding, priming and the delay of a codec change a length


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind[0]} {kind[1]}")
def test_a_length_is_that_of_the_sound(tmp_path: Path, kind: Kind) -> None:
    path = made(tmp_path, kind)
    whole = seconds(path)
    assert whole == pytest.approx(SECONDS, abs=FRAME)
    for what, (content, times) in variants(path.read_bytes(), CUT.get(kind[0], 61)).items():
        changed = path.with_stem("changed")
        changed.write_bytes(content)
        if times:
            assert seconds(changed) == pytest.approx(times * whole, abs=FRAME), what
        else:
            with pytest.raises(ClipError, match=r"truncated, |not a sound file that can be read"):
                seconds(changed)


def patched(at: int, size: int) -> Callable[[bytes], bytes]:
    """Overwrite four little-endian bytes."""
    return lambda content: content[:at] + struct.pack("<I", size) + content[at + 4 :]


# A WAV of 64,000 bytes of samples behind 44 bytes: the sizes that its header gives -> seconds read
SIZES = {
    "as it is": ((64_036, 64_000), 2),
    "none yet": ((0, 0), 2),
    "none yet, but the chunk before": ((36, 0), 2),
    "unknown": ((0xFFFFFFFF, 0xFFFFFFFF), 2),
    "unknown to sox": ((0x7FFFF024, 0x7FFFF000), 2),
    "unknown to arecord": ((0x80000024, 0x80000000), 2),
    "those of half a second": ((16_036, 16_000), 2),
    "the samples' of half a second": ((64_036, 16_000), 2),
    "the file's of half a second": ((16_036, 64_000), 2),
    "more than there is": ((128_036, 128_000), "truncated, its end is missing"),
}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_the_sizes_of_a_wav(tmp_path: Path, name: str, subtype: str) -> None:
    (file_size, data_size), expected = SIZES[name]
    width = 2 if subtype == "PCM_16" else 4
    samples = noise(16_000 * 2 // width)
    path = tmp_path / "a.wav"
    layout = (16, 1 if width == 2 else 3, 1, len(samples) // 2, 32_000, width, 8 * width)
    pcm = (samples * 32767).astype("<i2") if width == 2 else samples
    path.write_bytes(
        b"RIFF" + struct.pack("<I", file_size) + b"WAVEfmt " + struct.pack("<IHHIIHH", *layout)
        + b"data" + struct.pack("<I", data_size) + pcm.tobytes()
    )  # fmt: skip
    if isinstance(expected, str):
        with pytest.raises(ClipError, match=expected):
            audio.read_recording(path)
        return
    recording = audio.read_recording(path)
    assert len(recording.samples) / recording.sample_rate == expected
    scale = 32768 if width == 2 else 1
    np.testing.assert_array_equal(recording.samples[:, 0], pcm.astype(np.float32) / scale)
    assert (recording.subtype, recording.coding.container) == (subtype, "wav")
    assert len(load_untrusted(path, recording.sample_rate)) == len(samples)


def test_a_part_of_what_a_wav_does_not_count(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(16_000))
    whole = audio.read_recording(path).samples
    path.write_bytes(patched(40, 8_000)(patched(4, 8_036)(path.read_bytes())))
    np.testing.assert_array_equal(audio.read_recording(path, 1, 1.5).samples, whole[16_000:24_000])


def test_an_aiff_that_goes_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.aiff", noise(16_000))
    whole = audio.read_recording(path)
    content = bytearray(path.read_bytes())
    at = content.index(b"SSND") + 4
    content[at : at + 4] = struct.pack(">I", 16_008)
    content[4:8] = struct.pack(">I", at + 16_008 - 4)
    path.write_bytes(content)
    found = audio.read_recording(path)
    np.testing.assert_array_equal(found.samples, whole.samples)
    assert found.coding == whole.coding


@pytest.mark.parametrize("counted", [0, 8_000, 31_000])
def test_a_flac_that_counts_no_samples_or_too_few(tmp_path: Path, counted: int) -> None:
    path = write(tmp_path / "a.flac", noise(16_000))
    whole = audio.read_recording(path).samples
    found = audio.read_recording(declaring(path, counted)).samples
    if counted == 31_000:  # what is left is less than libsndfile reads ahead
        assert len(found) >= counted
        whole = whole[: len(found)]
    np.testing.assert_array_equal(found, whole)
    np.testing.assert_array_equal(load_untrusted(path, 16_000), whole[:, 0])


def test_a_flac_that_counts_none_and_is_cut(tmp_path: Path) -> None:
    path = declaring(write(tmp_path / "a.flac", noise(16_000)), 0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(ClipError, match="truncated, its end is missing"):
        audio.read_recording(path)


def recorder_mp3(path: Path, seconds: int = 5) -> int:
    """Write an MP3 as recorders and radio streams do, without a count. returns: its samples"""
    pcm = (noise(44_100)[:44_100] * 32767).astype("<i2")
    with av.open(str(path), "w", options={"write_xing": "0", "id3v2_version": "0"}) as out:
        stream = out.add_stream("libmp3lame", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.tile(pcm, seconds)[None], format="s16", layout="mono")
        frame.sample_rate = 44_100
        for packet in (*stream.encode(frame), *stream.encode(None)):
            out.mux(packet)
    with av.open(str(path)) as there:
        return sum(frame.samples for frame in there.decode(audio=0))


def test_an_mp3_without_a_count_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    samples = recorder_mp3(path)
    assert len(audio.read_recording(path).samples) == samples
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ClipError, match="truncated, its end is missing"):
        audio.read_recording(path)


def test_an_mp3_that_counts_too_few_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", noise(44_100), 44_100)
    content = path.read_bytes()
    at = re.search(rb"(Xing|Info)", content)
    assert at
    for count, read in ((20, True), (500, False)):
        frames = struct.pack(">I", count)
        path.write_bytes(content[: at.end() + 4] + frames + content[at.end() + 8 :])
        if read:
            assert seconds(path) == pytest.approx(SECONDS, abs=FRAME)
        else:
            with pytest.raises(ClipError, match="truncated"):
                seconds(path)


def test_links_of_another_rate_are_named(tmp_path: Path) -> None:
    first, second = (write(tmp_path / f"{r}.ogg", tone(2, r), r) for r in (16_000, 22_050))
    first.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(ClipError, match=r"changes from 16000 Hz in 1 .* after 2\.0 s; cut it"):
        audio.read_recording(first)
    assert len(audio.read_recording(first, 0.5, 1).samples) == 8_000


def test_links_are_one_sound(tmp_path: Path) -> None:
    path = write(tmp_path / "a.flac", tone(1))
    other = write(tmp_path / "b.flac", tone(1, hz=700))
    both = np.concatenate([audio.read_recording(one).samples for one in (path, other)])
    path.write_bytes(path.read_bytes() + other.read_bytes())
    np.testing.assert_array_equal(audio.read_recording(path).samples, both)
    np.testing.assert_array_equal(audio.read_recording(path, 0.5, 1.5).samples, both[8000:24_000])


def test_two_streams_of_an_ogg_that_begin_together_are_no_links(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.ogg"), "w") as out:
        streams = [cast(Any, out.add_stream("libopus", rate=48_000, layout="mono")) for _ in "ab"]
        pcm = (noise(48_000) * 32767).astype("<i2")[None]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate = 48_000
            out.mux([*stream.encode(frame), *stream.encode(None)])
    assert seconds(tmp_path / "a.ogg") == pytest.approx(SECONDS, abs=FRAME)


@pytest.mark.parametrize(("codec", "options"), [("alac", {}), ("aac", {"aac_pns": "0"})])
def test_a_part_of_an_m4a_is_that_of_the_whole(
    tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    path = tmp_path / "a.m4a"
    sound = np.tile(noise(44_100), 4)
    with av.open(str(path), "w") as out:
        added = out.add_stream(codec, rate=44_100, layout="mono", options=options)
        stream = cast(av.AudioStream, added)
        for at in range(0, len(sound), 44_100):
            pcm = (sound[at : at + 44_100] * 32767).astype("<i2")[None]
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 44_100, at
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    whole = audio.read_recording(path).samples
    for start, end in ((0.5, 1.0), (3.0, 3.5), (5.25, 7.0)):
        part = audio.read_recording(path, start, end).samples
        np.testing.assert_array_equal(part, whole[round(start * 44_100) : round(end * 44_100)])


@pytest.mark.parametrize("channels", [1, 2, 6, 8, 16])
def test_each_channel_of_planar_samples(tmp_path: Path, channels: int) -> None:
    """PyAV 18.1 counts nine planes of eight channels, and reading the ninth crashes."""
    path = tmp_path / "a.mka"
    rate, layout = 48_000, {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}
    sound = np.stack([tone(1, rate, 200 + 100 * n) for n in range(channels)])
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_f32le", rate=rate, layout=layout[channels])
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound.T.reshape(1, -1)), format="flt", layout=layout[channels]
        )
        frame.sample_rate = rate
        out.mux([*stream.encode(frame), *stream.encode(None)])
    np.testing.assert_array_equal(audio.read_recording(path).samples, sound.T)


def test_eight_channels_of_aac(tmp_path: Path) -> None:
    """As the table of planes has them when they are decoded: each by itself."""
    path = tmp_path / "a.m4a"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=48_000, layout="7.1")
        sound = np.repeat(tone(1, 48_000), 8)[None]
        frame = av.AudioFrame.from_ndarray(sound, format="flt", layout="7.1")
        frame.sample_rate = 48_000
        out.mux([*stream.encode(frame), *stream.encode(None)])
    assert audio.read_recording(path).samples.shape[1] == 8


@pytest.mark.slow
def test_every_file_of_a_set_from_strangers_is_read() -> None:
    folder = ROOT.parent / "shared/data/cry_laugh"
    files = [path for path in folder.rglob("*") if path.suffix in (".m4a", ".mp3", ".ogg")]
    if not files:
        pytest.skip("no ../shared/data/cry_laugh")
    for path in files:
        assert len(load_untrusted(path, 16_000))


@given(st.binary(max_size=4096), st.integers(0, 64_044), st.integers(0, 2))
def test_whatever_lies_behind_or_is_missing_it_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, behind: bytes, kept: int, repeats: int
) -> None:
    folder = tmp_path_factory.mktemp("a")
    content = write(folder / "a.wav", noise(16_000)).read_bytes()
    path = folder / "b.wav"
    path.write_bytes(repeats * content + content[:kept] + behind)
    try:
        samples = len(load_untrusted(path, 16_000))
    except ClipError as error:
        assert "\n" not in str(error)
    else:
        assert samples >= repeats * 32_000


# What recorders write: sizes of the file and of the samples, beyond the right ones
COUNTED_TWICE = {
    "the file's counts its first bytes": (8, 0),  # RecordRTC#401, surge#8013
    "both count the header": (44, 44),  # record#96
    "the samples' counts 16 bytes too many": (0, 16),  # CubicSDR#616
}


@pytest.mark.parametrize("name", COUNTED_TWICE)
def test_a_size_that_counts_the_header_is_no_cut(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.wav", noise(16_000))
    whole = audio.read_recording(path).samples
    more, more_samples = COUNTED_TWICE[name]
    content = patched(40, 64_000 + more_samples)(patched(4, 64_036 + more)(path.read_bytes()))
    path.write_bytes(content)
    np.testing.assert_array_equal(audio.read_recording(path).samples, whole)
    path.write_bytes(content[:-200])
    if more:
        with pytest.raises(ClipError, match="truncated"):
            audio.read_recording(path)


def ogg_pages(content: bytes) -> list[bytes]:
    """source: RFC 3533, section 6"""
    found = []
    while content:
        count = content[26]
        size = 27 + count + sum(content[27 : 27 + count])
        found.append(content[:size])
        content = content[size:]
    return found


def ogg_checksum(page: bytes) -> bytes:
    value = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return struct.pack("<I", value)


@pytest.mark.parametrize(("subtype", "rate"), [("OPUS", 48_000), ("VORBIS", 16_000)])
def test_an_ogg_whose_last_page_does_not_say_so(tmp_path: Path, subtype: str, rate: int) -> None:
    """Telegram and call recorders on Android write no flag (gigastt#218, BCR#922)."""
    path = write(tmp_path / "a.ogg", np.tile(noise(rate), 3), rate, subtype)
    whole = audio.read_recording(path).samples
    *pages, last = ogg_pages(path.read_bytes())
    last = last[:5] + bytes([last[5] & ~4]) + last[6:]
    last = last[:22] + ogg_checksum(last) + last[26:]
    path.write_bytes(b"".join(pages) + last)
    np.testing.assert_allclose(audio.read_recording(path).samples[: len(whole)], whole, atol=1e-6)
    streamed = sum(map(len, audio.stream_waveform(path, rate, 1 << 14)))  # as predict reads it
    assert streamed / rate == pytest.approx(3 * SECONDS, abs=FRAME)
    path.write_bytes(b"".join(pages) + last[:-1])
    with pytest.raises(ClipError, match="truncated"):
        audio.read_recording(path)


def ape_tag(picture: bytes) -> bytes:
    """source: APEv2 specification"""
    item = struct.pack("<II", len(picture), 2) + b"Cover Art (Front)\0" + picture
    ends = [
        b"APETAGEX" + struct.pack("<4I", 2000, len(item) + 32, 1, flags) + bytes(8)
        for flags in (0xA0000000, 0x80000000)
    ]
    return ends[0] + item + ends[1]


@pytest.mark.parametrize("behind", [b"", b"TAG" + bytes(125)], ids=["", "with ID3v1"])
def test_an_ape_tag_is_no_sound(tmp_path: Path, behind: bytes) -> None:
    """Both readers leave it out, and what in its picture looks like a frame is none."""
    path = write(tmp_path / "a.mp3", noise(44_100), 44_100)
    whole = audio.read_recording(path).samples
    tag = ape_tag(b"a.jpg\0" + b"\xff\xd8\xff\xfb\x90\x64" * 9999)
    path.write_bytes(path.read_bytes() + tag + behind)
    np.testing.assert_array_equal(audio.read_recording(path).samples, whole)
    np.testing.assert_array_equal(load_untrusted(path, 44_100), whole[:, 0])


def test_the_encoder_shine_leaves_out_up_to_three_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"  # shine#37
    samples = recorder_mp3(path)
    path.write_bytes(path.read_bytes()[:-3])
    assert len(audio.read_recording(path).samples) >= samples - 2 * 1152


def test_wavpack_of_many_channels_is_one_sound_and_two_are_two(tmp_path: Path) -> None:
    """Each pair of channels has blocks of its own, of which only the first begins a sound."""
    path, sound = tmp_path / "a.wv", np.tile(tone(1, 44_100), (6, 1))
    with av.open(str(path), "w") as out:
        stream = out.add_stream("wavpack", rate=44_100, layout="5.1")
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="5.1")
        frame.sample_rate = 44_100
        out.mux([*stream.encode(frame), *stream.encode(None)])
    whole = audio.read_recording(path).samples
    assert whole.shape == (44_100, 6)
    path.write_bytes(2 * path.read_bytes())
    np.testing.assert_array_equal(audio.read_recording(path).samples, np.tile(whole, (2, 1)))
