"""What is opened, and how much of it: limits that hold whatever a file's header says."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from pocketear.base.errors import ClipError
from pocketear.data.decoding import audio, measure
from sounds import declaring, silence, tone, write, write_by_phone

RATE = 16_000


@pytest.fixture
def requests() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on loopback, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile {}\n"
DASH = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
    'mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="audio/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>{}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>"
)
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"
# name of the file: what it says, with the name of another file or an address in it
PLAYLISTS = {
    "hls.m3u8": HLS,
    "hls.m4a": HLS,
    "concat.ffconcat": CONCAT,
    "concat.m4a": CONCAT,
    "dash.mpd": DASH,
    "call.sdp": SDP,
    "list.pls": "[playlist]\nFile1={}\n",
    "list.m3u": "{}\n",
    "list.asx": '<asx version="3.0"><entry><ref href="{}"/></entry></asx>',
    "list.rm": "{}\n",
}


@pytest.mark.parametrize("name", PLAYLISTS)
def test_a_playlist_is_refused_and_what_it_names_is_not_opened(
    tmp_path: Path, name: str, requests: tuple[str, list[str]]
) -> None:
    address, asked = requests
    write(tmp_path / "secret.wav")
    write_by_phone(tmp_path / "secret.ts", "aac", 48_000)
    for other in ("secret.wav", "secret.ts", f"{address}/secret.wav"):
        path = tmp_path / name
        path.write_text(PLAYLISTS[name].format(other))
        for read in (
            lambda path: measure.decode_clip(path, 0, 0, RATE),
            lambda path: list(audio.stream_waveform(path, RATE, 4096)),
        ):
            with pytest.raises(ClipError, match="not a sound file that can be read") as refused:
                read(path)
            assert "\n" not in str(refused.value)
    assert asked == []


def test_a_picture_with_sound_in_its_name_is_no_sound(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.png"), "w") as container:
        stream = container.add_stream("png", rate=1)
        stream.width = stream.height = 16
        stream.pix_fmt = "rgb24"
        for packet in stream.encode(av.VideoFrame(16, 16, "rgb24")):
            container.mux(packet)
    path = (tmp_path / "a.png").rename(tmp_path / "a.m4a")
    with pytest.raises(ClipError, match="not a container that holds sound itself"):
        audio.read_recording(path)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.mka", "aac", 48_000),
        ("a.webm", "libopus", 48_000),
        ("a.aac", "aac", 44_100),
        ("a.caf", "alac", 44_100),
        ("a.ts", "aac", 48_000),
        ("a.avi", "aac", 48_000),
        ("a.flv", "aac", 44_100),
        ("a.ac3", "ac3", 48_000),
        ("a.asf", "aac", 44_100),
        ("a.mov", "aac", 44_100),
        ("a.amr", "libopencore_amrnb", 8000),
    ],
)
def test_containers_of_sound_are_read(tmp_path: Path, name: str, codec: str, rate: int) -> None:
    waveform = audio.load_waveform(write_by_phone(tmp_path / name, codec, rate), RATE)
    assert len(waveform) / RATE == pytest.approx(1, abs=0.1)
    assert np.sqrt(np.mean(waveform[4000:12_000] ** 2)) == pytest.approx(0.354, rel=0.2)


def test_a_name_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither that of the file, which libsndfile may take for a format, nor that of its folder."""
    for name in ("a.raw", "a.vox", "a.gsm", "a.sd2"):
        (tmp_path / name).write_bytes(b"no sound" * 999)
        with pytest.raises(ClipError, match="not a sound file"):
            audio.read_recording(tmp_path / name)
    write_by_phone(tmp_path / "http:/host/a.m4a")
    monkeypatch.chdir(tmp_path)
    assert len(audio.read_recording(Path("http:/host/a.m4a")).samples)
    assert len(audio.read_recording(write(Path("a.wav")).rename("b.raw")).samples) == RATE


@pytest.mark.parametrize(
    ("channels", "rate", "reason"),
    [
        (65, RATE, "has 65 channels, want 1 to 64"),
        (1, 999, "has a sample rate of 999 Hz, want 1000 to 1000000"),
        (1, 1_000_001, "has a sample rate of 1000001 Hz, want 1000 to 1000000"),
    ],
)
def test_a_header_beyond_the_limits_is_refused(
    tmp_path: Path, channels: int, rate: int, reason: str
) -> None:
    path = write(tmp_path / "a.wav", np.zeros((10, channels)), rate)
    with pytest.raises(ClipError, match=reason):
        measure.decode_clip(path, 0, 0, RATE)


@pytest.mark.parametrize(("channels", "rate"), [(64, RATE), (1, 1000), (1, 999_983)])
def test_a_header_within_the_limits_is_not(tmp_path: Path, channels: int, rate: int) -> None:
    path = write(tmp_path / "a.wav", np.zeros((rate, channels)), rate)
    assert len(measure.decode_clip(path, 0, 0, RATE)[0]) == RATE


def test_a_file_that_declares_too_much_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = declaring(silence(tmp_path / "a.flac", 2, RATE, 8), 2**36 - 1)
    with pytest.raises(ClipError, match="declares 4294967 s, want at most 3600 s; cut it into"):
        measure.decode_clip(path, 0, 0, RATE)
    with pytest.raises(ClipError, match=r"truncated, 32000 of \d+ samples are there"):
        for _ in audio.stream_waveform(path, RATE, 4096):  # may be of any length
            pass


def test_a_file_that_declares_no_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = declaring(write(tmp_path / "a.flac", tone(3)), 0)
    samples, measured = measure.decode_clip(path, 0, 0, RATE)
    assert (len(samples), measured["duration"]) == (3 * RATE, 3.0)
    assert len(measure.decode_clip(path, 1, 1.5, RATE)[0]) == RATE // 2


@pytest.mark.slow
@pytest.mark.parametrize("declared", [0, 2 * 3601 * 8000])
def test_a_file_that_does_not_end_is_left_where_the_limit_is(tmp_path: Path, declared: int) -> None:
    path = declaring(silence(tmp_path / "a.flac", 3601, 8000, 1), declared)
    with pytest.raises(ClipError, match=r"(lasts 3600 s and more|declares 7202 s), want at most"):
        measure.decode_clip(path, 0, 0, RATE)


def test_an_hour_of_aac_and_more_is_refused_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "LONGEST", 2.0)
    for name in ("a.m4a", "a.aac"):  # declares its length, and does not
        path = write_by_phone(tmp_path / name, samples=tone(5, 44_100))
        with pytest.raises(ClipError, match="want at most 2 s; cut it into parts"):
            measure.decode_clip(path, 0, 0, RATE)
        assert measure.decode_clip(path, 3, 4, RATE)[1]["duration"] == 1


def test_a_part_of_a_longer_recording_is_a_clip_like_any(tmp_path: Path) -> None:
    path = silence(tmp_path / "night.flac", 4000, 8000, 1)
    assert measure.decode_clip(path, 3900, 3902, RATE)[1]["duration"] == 2
    with soundfile.SoundFile(path) as file:
        assert file.frames > 3600 * 8000


@pytest.mark.parametrize(
    ("name", "subtype", "expected"),
    [
        ("a.wav", "PCM_16", ("wav", "pcm", 16)),
        ("a.wav", "PCM_U8", ("wav", "pcm", 8)),
        ("a.wav", "FLOAT", ("wav", "float", 32)),
        ("a.wav", "ULAW", ("wav", "ulaw", 0)),
        ("a.flac", "PCM_24", ("flac", "flac", 24)),
        ("a.ogg", None, ("ogg", "vorbis", 0)),
        ("a.mp3", None, ("mp3", "mp3", 0)),
    ],
)
def test_how_a_file_holds_its_samples_is_named(
    tmp_path: Path, name: str, subtype: str | None, expected: tuple[str, str, int]
) -> None:
    measured = measure.decode_clip(write(tmp_path / name, subtype=subtype), 0, 0, RATE)[1]
    assert (measured["container"], measured["codec"], measured["bit_depth"]) == expected


@pytest.mark.parametrize(
    ("name", "codec", "rate", "expected"),
    [
        ("a.m4a", "aac", 44_100, ("mov", "aac", 0)),
        ("a.mka", "pcm_s16le", 44_100, ("matroska", "pcm", 16)),
        ("a.mka", "pcm_mulaw", 8000, ("matroska", "ulaw", 0)),
    ],
)
def test_so_is_what_ffmpeg_reads(
    tmp_path: Path, name: str, codec: str, rate: int, expected: tuple[str, str, int]
) -> None:
    measured = measure.decode_clip(write_by_phone(tmp_path / name, codec, rate), 0, 0, RATE)[1]
    assert (measured["container"], measured["codec"], measured["bit_depth"]) == expected


def test_a_whole_file_without_samples_is_not_asked_for_its_start_and_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(0, np.float32))
    with pytest.raises(ClipError, match=r"holds no samples; record or copy it again$"):
        measure.decode_clip(path, 0, 0, RATE)
    with pytest.raises(ClipError, match=r"between 3 s and its end; check start, end$"):
        measure.decode_clip(write(path), 3, 0, RATE)
