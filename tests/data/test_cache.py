"""What was decoded or computed is kept, found again, and thrown away when it would differ."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from copied_package import append, copy_package, forget
from pocketear.base import fingerprint
from pocketear.data.cache import CACHE, ArrayCache, array_cache, waveform_cache
from pocketear.params import load_params
from pocketear.stages.featurize import feature_cache


def test_what_was_kept_is_there_for_the_next_process(tmp_path: Path) -> None:
    first = ArrayCache(tmp_path, "<f4")
    first.add("a", np.arange(6, dtype=np.float32).reshape(2, 3), {"rate": 8000})
    second = ArrayCache(tmp_path, "<f4")
    np.testing.assert_array_equal(second.array("a"), [[0, 1, 2], [3, 4, 5]])
    assert second.note("a") == {"rate": 8000}
    assert "b" not in second


def test_a_torn_line_is_not_there_and_harms_nothing(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path, "<i2")
    cache.add("a", np.ones(5, np.int16), {})
    cache.add("b", np.ones(5, np.int16), {})
    index = tmp_path / "index.jsonl"
    index.write_bytes(index.read_bytes()[:-9])
    torn = ArrayCache(tmp_path, "<i2")
    assert "a" in torn
    assert "b" not in torn
    torn.add("c", np.full(5, 7, np.int16), {})
    again = ArrayCache(tmp_path, "<i2")
    np.testing.assert_array_equal(again.array("a"), np.ones(5))
    np.testing.assert_array_equal(again.array("c"), np.full(5, 7))


def test_a_damaged_array_is_forgotten_not_served(tmp_path: Path) -> None:
    ArrayCache(tmp_path, "<i2").add("a", np.arange(100, dtype=np.int16), {})
    data = tmp_path / "arrays.bin"
    data.write_bytes(data.read_bytes()[:50] + b"\xff" + data.read_bytes()[51:])
    cache = ArrayCache(tmp_path, "<i2")
    with pytest.raises(KeyError):
        cache.array("a")
    assert "a" not in cache


def _write(folder: Path, name: str, count: int) -> None:
    cache = ArrayCache(folder, "<i4")
    for number in range(count):
        cache.add(f"{name}{number}", np.full(50, hash((name, number)) % 1000, np.int32), {})


def test_two_processes_may_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write, args=(tmp_path, name, 100)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    cache = ArrayCache(tmp_path, "<i4")
    for name in "ab":
        for number in range(100):
            assert set(cache.array(f"{name}{number}")) == {hash((name, number)) % 1000}


def test_a_kill_while_writing_loses_only_what_was_not_finished(tmp_path: Path) -> None:
    writer = multiprocessing.get_context("fork").Process(target=_write, args=(tmp_path, "a", 10**6))
    writer.start()
    while not (tmp_path / "index.jsonl").exists() or not (tmp_path / "index.jsonl").stat().st_size:
        pass
    os.kill(writer.pid or 0, signal.SIGKILL)
    writer.join()
    cache = ArrayCache(tmp_path, "<i4")
    kept = [n for n in range(10**6) if f"a{n}" in cache]
    assert kept == list(range(len(kept)))
    assert kept
    for number in kept:
        assert set(cache.array(f"a{number}")) == {hash(("a", number)) % 1000}


def test_what_other_code_computed_is_not_taken_and_does_not_stay(project: Path) -> None:
    """It may be rounded otherwise, and the same commit and data must give the same bytes."""
    array_cache("features/a", "<f4", "librosa=1").add("x", np.ones(3), {})
    array_cache("features/b", "<f4", "librosa=1").add("x", np.ones(3), {})
    assert "x" in array_cache("features/a", "<f4", "librosa=1")
    assert "x" not in array_cache("features/a", "<f4", "librosa=2")
    assert "x" not in array_cache("features/b", "<f4", "librosa=1")
    assert len(list(CACHE.glob("features/*"))) == 1


def test_what_an_earlier_version_kept_in_one_folder_goes(project: Path) -> None:
    former = CACHE / "0123456789abcdef" / "waveforms"
    former.mkdir(parents=True)
    array_cache("waveforms/16000", "<i2", "soxr=1").add("x", np.ones(3), {})
    assert [path.name for path in CACHE.iterdir()] == ["waveforms"]


@pytest.fixture
def own_code(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield copy_package(project, monkeypatch)
    forget()


def kept() -> tuple[bool, bool]:
    """Whether the waveform and the features of "clip" are still there."""
    frontend = load_params().frontend
    return "clip" in waveform_cache(frontend.sample_rate), "clip" in feature_cache(frontend)


@pytest.fixture
def filled(own_code: Path) -> Path:
    """Both caches hold "clip"."""
    frontend = load_params().frontend
    waveform_cache(frontend.sample_rate).add("clip", np.ones(3), {})
    feature_cache(frontend).add("clip", np.ones((2, 3)), {})
    forget()
    assert kept() == (True, True)
    return own_code


def another_version(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setattr(
        fingerprint, "version", lambda name: "99.9" if name == library else version(name)
    )
    forget()


@pytest.mark.parametrize("library", ["librosa"])
def test_another_version_of_what_makes_features_decodes_nothing_again(
    filled: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    another_version(monkeypatch, library)
    assert kept() == (True, False)


@pytest.mark.parametrize("library", ["soxr", "soundfile", "av", "numpy", "scipy"])
def test_another_version_of_what_decodes_keeps_nothing(
    filled: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    another_version(monkeypatch, library)
    assert kept() == (False, False)


@pytest.mark.parametrize(
    ("module", "left"),
    [
        ("frontend/librosa_features.py", (True, False)),
        ("data/decoding/audio.py", (False, False)),
        ("data/decoding/measure.py", (False, False)),
        ("stages/featurize.py", (True, True)),
        ("training/network.py", (True, True)),
    ],
)
def test_a_change_of_code_drops_what_that_code_made(
    filled: Path, module: str, left: tuple[bool, bool]
) -> None:
    append(filled / module, "# a remark\n")
    assert kept() == (True, True)
    append(filled / module, "CHANGED = True\n")
    assert kept() == left


def test_features_of_other_parameters_lie_side_by_side(filled: Path) -> None:
    other = load_params().frontend.model_copy(update={"n_mels": 7})
    assert "clip" not in feature_cache(other)
    assert kept() == (True, True)
    longer = load_params().frontend.model_copy(update={"window_length": 48_000})
    assert "clip" in feature_cache(longer)  # a clip's features know no window
