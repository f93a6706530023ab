"""Commands that start at once: plain files are read here, the others by a process that may die."""

import itertools
import time
from pathlib import Path

import numpy as np
import pytest

from decoder_processes import (  # noqa: F401  a fixture
    decoders,
    no_decoders,
    said_with_little_time,
)
from pocketear.base.errors import ClipError
from pocketear.data.decoding import isolated
from pocketear.data.decoding.audio import load_waveform, stream_waveform
from pocketear.data.decoding.untrusted import load_untrusted, stream_untrusted
from sounds import declaring, silence, tone, write, write_by_phone

pytestmark = pytest.mark.usefixtures("no_decoders")
RATE, BLOCK = 16_000, 8192


@pytest.mark.parametrize(
    ("name", "subtype", "processes"),
    [
        ("a.wav", "PCM_16", 0),
        ("a.wav", "FLOAT", 0),
        ("a.aiff", "PCM_24", 0),
        ("a.flac", "PCM_16", 0),
        ("a.wav", "IMA_ADPCM", 1),
        ("a.ogg", "VORBIS", 1),
        ("a.mp3", "MPEG_LAYER_III", 1),
        ("a.m4a", None, 1),
    ],
)
def test_only_what_needs_a_decoder_costs_a_process(
    tmp_path: Path, name: str, subtype: str | None, processes: int
) -> None:
    path = tmp_path / name
    write(path, tone(2.0, 44_100), 44_100, subtype) if subtype else write_by_phone(path)
    got = np.concatenate(list(stream_untrusted(path, RATE, BLOCK)))
    np.testing.assert_array_equal(got, np.concatenate(list(stream_waveform(path, RATE, BLOCK))))
    np.testing.assert_array_equal(load_untrusted(path, RATE), load_waveform(path, RATE))
    assert len(decoders()) == processes


def test_what_is_refused_here_is_refused_in_the_same_words(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "text.m4a").write_text("no sound")
    (tmp_path / "riff.wav").write_bytes(b"RIFF" + bytes(100))
    for name in ("text.wav", "text.m4a", "riff.wav", "none.ogg"):
        with pytest.raises(ClipError) as raw:
            list(stream_waveform(tmp_path / name, RATE, BLOCK))
        with pytest.raises(ClipError) as error:
            list(stream_untrusted(tmp_path / name, RATE, BLOCK))
        assert str(error.value) == str(raw.value)
    (one,) = decoders()
    with pytest.raises(ClipError):
        load_untrusted(tmp_path / "text.m4a", RATE)
    assert decoders() == [one], "a file that is refused costs no process"


@pytest.mark.slow
def test_a_file_that_kills_its_decoder_is_an_error(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from pocketear.data.decoding.untrusted import load_untrusted, stream_untrusted
killer, good = map(Path, sys.argv[1:])
for read in (load_untrusted, lambda *request: list(stream_untrusted(*request, 1 << 30))):
    try:
        read(killer, 192_000)
    except Exception as error:
        print(error)
print(len(load_untrusted(good, 16_000)))
"""
    killer = declaring(silence(tmp_path / "long.flac", 3000, 48_000, 1), 0)
    crashed = f"{killer}: its decoder crashed (SIGXCPU); convert it to WAV or FLAC, or remove it"
    good = write(tmp_path / "a.ogg")
    assert said_with_little_time(code, killer, good) == [crashed, crashed, str(RATE)]


def test_a_stream_goes_on_where_a_used_process_died(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", tone(60.0))
    load_untrusted(path, RATE)
    pieces = stream_untrusted(path, RATE, BLOCK)
    taken = list(itertools.islice(pieces, 3))
    decoders()[0].kill()
    taken += pieces
    np.testing.assert_array_equal(
        np.concatenate(taken), np.concatenate(list(stream_waveform(path, RATE, BLOCK)))
    )


def test_a_stream_that_nobody_reads_on_leaves_no_process(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ogg", tone(60.0))
    pieces = stream_untrusted(path, RATE, BLOCK)
    next(pieces)
    assert len(decoders()) == 1
    pieces.close()  # type: ignore[attr-defined]  # it is a generator
    assert decoders() == []


def test_a_listener_may_take_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is for the decoder, not for who takes the pieces."""
    monkeypatch.setattr(isolated, "_SECONDS", 0.5)
    monkeypatch.setattr(isolated, "_END_SECONDS", 1)
    pieces = stream_untrusted(write(tmp_path / "a.ogg", tone(60.0)), RATE, BLOCK)
    samples = len(next(pieces))
    time.sleep(2)
    assert samples + sum(map(len, pieces)) == 60 * RATE


def test_a_row_for_the_served_model_is_at_most_an_hour(tmp_path: Path) -> None:
    path = silence(tmp_path / "long.flac", 3700, 8000, 1)
    with pytest.raises(ClipError, match="declares 3700 s, want at most 3600 s"):
        load_untrusted(path, RATE)
