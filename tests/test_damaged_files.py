"""Whatever the bytes of a file from elsewhere, it is read, or refused by one short line."""

import random
import zipfile
from pathlib import Path

import pytest

from mutations import mutated, recordings, zipped_card
from places import ROOT
from pocketear.base.errors import ClipError, ParamsError, RunnerError
from pocketear.base.yaml_text import read_yaml
from pocketear.data.decoding.untrusted import stream_untrusted
from pocketear.params import load_params
from pocketear.runtimes.card import read_card


def one_line(error: Exception) -> None:
    assert "\n" not in str(error)
    assert len(str(error)) < 4000


def test_yaml(tmp_path: Path) -> None:
    content = (ROOT / "params.yaml").read_bytes()
    path = tmp_path / "params.yaml"
    refused = 0
    for number in range(60):
        path.write_bytes(mutated(content, random.Random(number)))
        try:
            load_params(path)
        except ParamsError as error:
            one_line(error)
            refused += 1
    assert 20 < refused < 60


@pytest.mark.parametrize("text", ["a: \x00", "a: \x7f", "a: \ud800", "\ufffe", "a: b\x1b[2J"])
def test_characters_that_are_not_yaml(text: str) -> None:
    with pytest.raises(ValueError, match=r"x\.yaml: not valid YAML") as refused:
        read_yaml(text, "x.yaml")
    one_line(refused.value)


def test_model_cards(tmp_path: Path) -> None:
    content = zipped_card(tmp_path, zipfile.ZIP_DEFLATED)
    path = tmp_path / "m.tflite"
    head = content.index(b"PK\x03\x04")  # the graph before it is not read
    refused = 0
    for number in range(400):
        damaged = mutated(content[head:], random.Random(number), 10_000)
        path.write_bytes(content[:head] + damaged)
        try:
            read_card(path)
        except RunnerError as error:
            one_line(error)
            refused += 1
    assert 200 < refused <= 400


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_card_that_is_compressed_in_another_way(tmp_path: Path, method: int) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(zipped_card(tmp_path, method))
    with pytest.raises(RunnerError, match="neither stored nor deflated; export it again"):
        read_card(path)


def test_a_number_in_a_card_beyond_any_float(tmp_path: Path) -> None:
    listener = {"hop_length": 1, "smoothing": 1, "hysteresis": 10**400}
    path = tmp_path / "m.tflite"
    path.write_bytes(zipped_card(tmp_path, zipfile.ZIP_STORED, listener=listener))
    with pytest.raises(RunnerError, match="too large"):
        read_card(path)


def test_recordings(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    for name, content in recordings(tmp_path / "seeds").items():
        path = tmp_path / name
        for number in range(3):
            path.write_bytes(mutated(content, random.Random(number)))
            try:
                samples = sum(map(len, stream_untrusted(path, 16_000, 1 << 16)))
            except ClipError as error:
                one_line(error)
                assert "its decoder crashed" not in str(error)
            else:
                assert samples < 10 * 16_000, "much of half a second"


def test_a_stream_without_a_decoder_is_no_crash(tmp_path: Path) -> None:
    """FFmpeg names a stream of sound that it has no decoder for; found by benchmarks/fuzz.py."""
    (tmp_path / "seeds").mkdir()
    content = bytearray(recordings(tmp_path / "seeds")["adpcm.wav"])
    content[20:22] = b"\x34\x12"  # no codec has this number
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(ClipError, match="without a decoder; convert it to WAV or FLAC"):
        list(stream_untrusted(path, 16_000, 1 << 16))
