"""A decoder that dies, swells or does not end costs one clip, and the next one is decoded."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from decoder_processes import (  # noqa: F401  a fixture
    decoders,
    no_decoders,
    said_with_little_time,
)
from pocketear.base.errors import ClipError, DataError
from pocketear.data.decoding import isolated
from pocketear.data.decoding.isolated import decode_isolated
from pocketear.data.decoding.measure import decode_clip
from sounds import silence, tone, write, write_by_phone

pytestmark = pytest.mark.usefixtures("no_decoders")
RATE = 16_000


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A clip that takes seconds to decode."""
    return silence(tmp_path / "long.flac", 3000, 48_000, 1)


def test_what_comes_back_is_what_is_decoded_here(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", np.stack([tone(2.0, 44_100), tone(2.0, 44_100, 300)], 1), 44_100)
    write_by_phone(tmp_path / "größer\n\udce9.m4a")
    for path in tmp_path.iterdir():
        for part in ((0.0, 0.0), (0.25, 0.75)):
            samples, measured = decode_isolated(path, *part, RATE)
            expected, same = decode_clip(path, *part, RATE)
            np.testing.assert_array_equal(samples, expected)
            assert (samples.dtype, measured) == (expected.dtype, same)
    assert len(decoders()) == 1, "one process takes clip after clip"


def test_what_is_refused_here_is_refused_there_in_the_same_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.wav").write_text("no sound")
    write(Path("a.wav"))
    for path, start in ((Path("text.wav"), 0.0), (Path("none.wav"), 0.0), (Path("a.wav"), 9.0)):
        with pytest.raises(ClipError) as here:
            decode_clip(path, start, 0, RATE)
        with pytest.raises(ClipError) as there:
            decode_isolated(path, start, 0, RATE)
        assert str(there.value) == str(here.value)


@pytest.mark.slow
def test_a_decoder_that_crashes_costs_one_clip(tmp_path: Path, long: Path) -> None:
    """In a fresh process, and in one that has decoded another."""
    code = """
import sys
from pathlib import Path
from pocketear.data.decoding.isolated import decode_isolated
for name in 2 * sys.argv[1:]:
    try:
        print(len(decode_isolated(Path(name), 0, 0, 16_000)[0]))
    except Exception as error:
        print(error)
"""
    crashed = f"{long}: its decoder crashed (SIGXCPU); convert it to WAV or FLAC, or remove it"
    good = write(tmp_path / "a.wav")
    assert said_with_little_time(code, long, good) == 2 * [crashed, str(RATE)]


@pytest.mark.slow
def test_a_process_that_is_killed_while_it_decodes_costs_one_clip(
    tmp_path: Path, long: Path
) -> None:
    errors: list[str] = []

    def decode() -> None:
        try:
            decode_isolated(long, 0, 0, RATE)
        except ClipError as error:
            errors.append(str(error))

    decoding = threading.Thread(target=decode)
    decoding.start()
    while not [one for one in decoders() if one.cpu_times().user > 1]:
        time.sleep(0.01)
    decoders()[0].kill()
    decoding.join()
    assert errors == [
        f"{long}: its decoder crashed (SIGKILL); convert it to WAV or FLAC, or remove it"
    ]
    assert len(decode_isolated(write(tmp_path / "a.wav"), 0, 0, RATE)[0]) == RATE


def test_a_process_that_an_earlier_file_has_damaged_costs_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    decode_isolated(path, 0, 0, RATE)
    decoders()[0].kill()
    assert len(decode_isolated(path, 0, 0, RATE)[0]) == RATE


@pytest.mark.slow
def test_a_decoder_that_does_not_end_costs_one_clip(
    tmp_path: Path, long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "_SECONDS", 0.3)
    with pytest.raises(ClipError, match=r"long.flac: not decoded within 0.3 s; cut it into parts"):
        decode_isolated(long, 0, 0, RATE)
    assert decoders() == []
    monkeypatch.undo()
    assert len(decode_isolated(write(tmp_path / "a.wav"), 0, 0, RATE)[0]) == RATE


def test_a_decoder_that_takes_too_much_memory_costs_one_clip(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(60, 8000), 8000)
    with pytest.raises(ClipError, match=r"a.wav: needs more than 2 GiB to decode"):
        decode_isolated(path, 0, 0, 10_000_000)
    assert len(decode_isolated(path, 0, 0, RATE)[0]) == 60 * RATE


def test_no_process_stays_behind_one_that_is_killed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    code = (
        "import os, sys, time; from pathlib import Path\n"
        "from pocketear.data.decoding import isolated\n"
        "isolated.decode_isolated(Path(sys.argv[1]), 0, 0, 16_000)\n"
        "print(isolated._idle[0].process.pid, flush=True); time.sleep(99)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout
        decoder = psutil.Process(int(killed.stdout.readline()))
        assert decoder.is_running()
        os.kill(killed.pid, signal.SIGKILL)
    decoder.wait(20)


def test_decoders_that_do_not_start_end_the_run_and_blame_no_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.wav")
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(DataError, match=r"does not start \(exit status 1\); see what"):
        decode_isolated(path, 0, 0, RATE)


def test_a_decoder_loads_nothing_of_the_stage(tmp_path: Path) -> None:
    decode_isolated(write(tmp_path / "a.wav"), 0, 0, RATE)
    mapped = {Path(one.path).name for one in decoders()[0].memory_maps()}
    assert any("sndfile" in name for name in mapped)
    assert not [name for name in mapped if "arrow" in name or "avcodec" in name or "pandas" in name]
