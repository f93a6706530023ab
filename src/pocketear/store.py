"""store: waveforms and features on disk, as one flat memory-mapped file each.

`ArrayCache` keeps what was once computed, by content, across runs and outside DVC, so that a new
clip costs only itself. `Store` is what `featurize` writes and the later stages read: the arrays of
one clip table, in its order, the same bytes every time.
"""

import fcntl
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear import audio
from pocketear.arrays import Features, Waveform
from pocketear.errors import DataError

CACHE = Path(".pocketear/cache")
_INT16 = 32768
_IN_FLIGHT = 64  # results that may wait in memory, over all workers

Key = TypeVar("Key")
Result = TypeVar("Result")


class ArrayCache:
    """Arrays by key in an append-only file, with a line of JSON each beside it.

    Samples are written before their line, so a kill leaves at worst samples without a line, which
    the next writer overwrites; a line that is torn is not there. Two processes may write at once.
    """

    def __init__(self, folder: Path, dtype: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._data, self._index = folder / "arrays.bin", folder / "index.jsonl"
        self._dtype = np.dtype(dtype)
        self._entries: dict[str, dict[str, Any]] = {}
        self._data.touch()
        self._index.touch()
        self._entries = {entry["key"]: entry for entry in self._lines()}

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def note(self, key: str) -> dict[str, Any]:
        """What was noted with the array."""
        return dict(self._entries[key]["note"])

    def array(self, key: str) -> NDArray[Any]:
        """The array of `key`, checked against its checksum.

        raises: KeyError if it is not there, or is damaged (and then it is forgotten)
        """
        entry = self._entries[key]
        with self._data.open("rb") as file:
            file.seek(entry["offset"])
            raw = file.read(entry["bytes"])
        if len(raw) != entry["bytes"] or zlib.crc32(raw) != entry["crc32"]:
            del self._entries[key]
            raise KeyError(key)
        return np.frombuffer(raw, self._dtype).reshape(entry["shape"])

    def add(self, key: str, array: NDArray[Any], note: dict[str, Any]) -> None:
        """Keep `array` under `key`."""
        raw = np.ascontiguousarray(array, self._dtype).tobytes()
        with self._locked() as index:
            offset = self._end()
            with self._data.open("r+b") as data:
                data.seek(offset)
                data.write(raw)
            entry = {
                "key": key,
                "offset": offset,
                "bytes": len(raw),
                "crc32": zlib.crc32(raw),
                "shape": array.shape,
                "note": note,
            }
            index.write(json.dumps(entry) + "\n")
        self._entries[key] = entry

    @contextmanager
    def _locked(self) -> Iterator[Any]:
        with self._index.open("r+") as index:
            fcntl.flock(index, fcntl.LOCK_EX)
            index.seek(0, os.SEEK_END)
            if index.tell() and not self._ends_whole():
                index.write("\n")
            yield index

    def _ends_whole(self) -> bool:
        with self._index.open("rb") as index:
            index.seek(-1, os.SEEK_END)
            return index.read(1) == b"\n"

    def _lines(self) -> Iterator[dict[str, Any]]:
        with self._index.open(encoding="utf-8", errors="replace") as index:
            yield from _whole_lines(index)

    def _end(self) -> int:
        """Where the samples end: where those of the last whole line do, for offsets only grow."""
        with self._index.open("rb") as index:
            size = index.seek(0, os.SEEK_END)
            index.seek(max(0, size - (1 << 16)))
            lines = index.read().decode(errors="replace").splitlines()
        last = next(_whole_lines(reversed(lines)), {"offset": 0, "bytes": 0})
        return int(last["offset"] + last["bytes"])


def _whole_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict) and "offset" in entry:
            yield entry


def clip_key(clip: Any) -> str:
    """The content that a row of the clip table stands for."""
    return f"{clip.sha256}:{float(clip.start)!r}:{float(clip.end)!r}"


def waveform_cache(sample_rate: int) -> ArrayCache:
    """The cache of decoded clips: int16, noted with their audio.Measurement."""
    return ArrayCache(CACHE / f"waveforms-{sample_rate}", "<i2")


def on_this_machine(function: Callable[..., Result], path: Path, *arguments: Any) -> Result:
    """Call a function whose first argument is a file."""
    return function(path, *arguments)


def decode(
    clip: Any, cache: ArrayCache, sample_rate: int, on_file: Callable[..., Any] = on_this_machine
) -> dict[str, Any]:
    """Have the waveform of a clip in the cache. returns: the fields of its audio.Measurement

    on_file: calls `hear`, here or elsewhere
    raises: ClipError if the file cannot be decoded
    """
    key = clip_key(clip)
    if key not in cache:
        if clip.start or clip.end:  # a long recording would travel once for each of its parts
            on_file = on_this_machine
        waveform, measured = on_file(hear, Path(clip.path), clip.start, clip.end, sample_rate)
        cache.add(key, waveform, measured)
    return cache.note(key)


def hear(
    path: Path, start: float, end: float, sample_rate: int
) -> tuple[NDArray[np.int16], dict[str, Any]]:
    """Decode a file, or a part of it. returns: (sample,), the fields of its audio.Measurement

    raises: ClipError if it cannot be decoded
    """
    recording = audio.read_recording(path, start, end)
    waveform = audio.to_waveform(recording, sample_rate)
    return to_int16(waveform), asdict(audio.measure(recording))


def to_int16(waveform: Waveform) -> NDArray[np.int16]:
    """Round to 16 bits; beyond full scale is cut off."""
    scaled = np.rint(waveform * _INT16)
    return np.clip(scaled, -_INT16, _INT16 - 1).astype("<i2")


def in_threads(
    work: Callable[[Key], Result], items: list[Key], workers: int | None = None
) -> Iterator[Result]:
    """`map` over a few threads, in order, with a bounded number of results waiting."""
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        rest = iter(items)
        waiting: list[Future[Result]] = [pool.submit(work, i) for i in islice(rest, _IN_FLIGHT)]
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting.extend(pool.submit(work, item) for item in islice(rest, 1))
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class Store:
    """Waveforms and features of a clip table, memory-mapped, by row number."""

    def __init__(self, folder: Path) -> None:
        try:
            self.index = pd.read_parquet(folder / "index.parquet")
            self._waveforms = np.memmap(folder / "waveforms.i16", "<i2", "r")
            self._features = np.memmap(folder / "features.f32", "<f4", "r")
        except (OSError, ValueError) as error:
            raise DataError(
                f"{folder}: not a feature store; `dvc repro featurize` makes it"
            ) from error
        meta = json.loads((folder / "normalisation.json").read_text())
        self.mean = np.asarray(meta["mean"], np.float32)  # (coefficient,)
        self.scale = np.asarray(meta["scale"], np.float32)  # (coefficient,)

    def __len__(self) -> int:
        return len(self.index)

    def waveform(self, row: int) -> Waveform:
        """(sample,) float32, [-1, 1)"""
        clip = self.index.iloc[row]
        raw = self._waveforms[clip["sample"] : clip["sample"] + clip["samples"]]
        return np.asarray(raw / np.float32(_INT16), np.float32)

    def features(self, row: int) -> Features:
        """(frame, coefficient) float32, before normalisation"""
        clip = self.index.iloc[row]
        width = len(self.mean)
        raw = self._features[clip["frame"] * width : (clip["frame"] + clip["frames"]) * width]
        return np.asarray(raw).reshape(-1, width)


def open_store(folder: Path) -> Store:
    """Open what `featurize` wrote.

    raises: DataError if it is not there
    """
    return Store(folder)
