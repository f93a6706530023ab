import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from pocketear.data import cache as cache_
from pocketear.data.cache import ArrayCache


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


def test_what_other_code_computed_is_not_taken_and_does_not_stay(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be rounded otherwise, and the same commit and data must give the same bytes."""
    cache_.array_cache("features", "<f4").add("a", np.ones(3), {})
    assert "a" in cache_.array_cache("features", "<f4")
    monkeypatch.setattr(cache_, "fingerprint", lambda: "a library in another version")
    assert "a" not in cache_.array_cache("features", "<f4")
    assert len(list(cache_.CACHE.iterdir())) == 1
