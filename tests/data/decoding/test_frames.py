"""Streams of frames: where they end. The references are the packets of FFmpeg, and what was cut."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketear.base.errors import ClipError
from pocketear.data.decoding import audio
from pocketear.data.decoding.frames import end_of_frames
from pocketear.data.decoding.untrusted import load_untrusted
from sounds import write_by_phone
from wrong_lengths import noise

STREAMS = {  # name, codec, Hz
    "amr": ("a.amr", "libopencore_amrnb", 8000),
    "ac3": ("a.ac3", "ac3", 44_100),  # frames of two lengths
    "enhanced": ("a.eac3", "eac3", 48_000),
    "mp2": ("a.mp2", "mp2", 44_100),
    "mp2 of MPEG 2": ("b.mp2", "mp2", 22_050),
}


def kind_of(path: Path) -> str:
    return {".eac3": "ac3"}.get(path.suffix, path.suffix[1:])


def packets(path: Path) -> list[tuple[int, int]]:
    """Where FFmpeg has each packet begin, and how many bytes it takes."""
    with av.open(str(path)) as there:
        return [(one.pos or 0, one.size) for one in there.demux(audio=0) if one.size]


def ends(path: Path, content: bytes) -> tuple[int, bool]:
    return end_of_frames(lambda at, n: content[at : at + n], kind_of(path), 0, len(content))


@pytest.mark.parametrize("name", STREAMS)
def test_the_end_is_that_of_the_last_packet_that_is_whole(tmp_path: Path, name: str) -> None:
    file, codec, rate = STREAMS[name]
    path = write_by_phone(tmp_path / file, codec, rate, noise(rate))
    content, whole = path.read_bytes(), packets(path)
    assert ends(path, content) == (len(content), False)
    at, size = whole[len(whole) // 2]
    for cut in (at + size - 1, at + size // 2 + 1):
        assert ends(path, content[:cut]) == (cut, True)
        path.write_bytes(content[:cut])
        with pytest.raises(ClipError, match="truncated, its end is missing"):
            audio.read_recording(path)
    # behind a frame, nothing shows that others are missing
    assert ends(path, content[:at]) == (at, False)
    path.write_bytes(content[:at])
    assert len(audio.read_recording(path).samples) == pytest.approx(rate, rel=0.1)


@pytest.mark.parametrize("behind", [bytes(999), b"TAG" + bytes(125), b"junk!\1\2" * 99])
@pytest.mark.parametrize("name", STREAMS)
def test_what_lies_behind_the_frames_is_left_out(tmp_path: Path, name: str, behind: bytes) -> None:
    file, codec, rate = STREAMS[name]
    path = write_by_phone(tmp_path / file, codec, rate, noise(rate))
    content, expected = path.read_bytes(), audio.read_recording(path).samples
    path.write_bytes(content + behind)
    np.testing.assert_array_equal(audio.read_recording(path).samples, expected)


@pytest.mark.parametrize("name", STREAMS)
def test_frames_that_go_on_behind_damage_are_not_left_out(tmp_path: Path, name: str) -> None:
    file, codec, rate = STREAMS[name]
    path = write_by_phone(tmp_path / file, codec, rate, noise(rate))
    content = bytearray(path.read_bytes())
    at, _ = packets(path)[9]
    content[at : at + 2] = b"\0\0"
    assert ends(path, bytes(content)) == (len(content), False)


@pytest.mark.parametrize("pause", [b"\x44" + bytes(5), b"\x7c"], ids=["comfort noise", "nothing"])
def test_a_pause_of_amr_takes_its_time(tmp_path: Path, pause: bytes) -> None:
    """A phone sends a few bytes while nobody speaks. source: RFC 4867, table 1a"""
    path = write_by_phone(tmp_path / "a.amr", "libopencore_amrnb", 8000, noise(8000))
    content, (at, _) = path.read_bytes(), packets(path)[50]
    path.write_bytes(content[:at] + 20 * pause + content[at:])
    samples = audio.read_recording(path).samples[:, 0]
    assert len(samples) == (len(packets(path))) * 160
    assert not samples[50 * 160 : 70 * 160].any()
    assert len(load_untrusted(path, 8000)) == len(samples)


@given(st.sampled_from(["amr", "ac3", "mp2"]), st.binary(max_size=400))
def test_any_bytes_have_an_end(kind: str, content: bytes) -> None:
    end, is_cut = end_of_frames(lambda at, n: content[at : at + n], kind, 0, len(content))
    assert 0 <= end <= len(content)
    assert not is_cut or end == len(content)
