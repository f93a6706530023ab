"""cache: what was decoded or computed of a clip, kept by content across runs, outside DVC.

So a new clip costs only itself. What other code or libraries made is thrown away: it may be rounded
otherwise, and the same commit and data give the same bytes.
"""

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from pocketear.base.fingerprint import fingerprint
from pocketear.base.home import home
from pocketear.data.decoding.isolated import decode_isolated
from pocketear.data.workers import Cluster, Here

CACHE = Path(".pocketear/cache")  # below home()
DECODERS = ("numpy", "scipy", "soundfile", "soxr", "av")
_FORMER = "[0-9a-f]" * 16  # folders of versions that kept all kinds in one
_HERE = Here()


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
        with FileLock(self._index.with_suffix(".lock")), self._index.open("r+") as index:
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


def array_cache(name: str, dtype: str, made_by: str) -> ArrayCache:
    """The cache called `name`; what was `made_by` other code or libraries is thrown away.

    name: KIND/WHICH, as features/1f0c; made_by: a fingerprint
    """
    kind, _, which = name.partition("/")
    place = home() / CACHE
    mine = place / kind / hashlib.sha256(made_by.encode()).hexdigest()[:16]
    for stale in {*place.glob(f"{kind}/*"), *place.glob(_FORMER)} - {mine}:
        shutil.rmtree(stale, ignore_errors=True)
    return ArrayCache(mine / which, dtype)


def waveform_cache(sample_rate: int) -> ArrayCache:
    """The cache of decoded clips: int16, noted with their measure.Measurement."""
    return array_cache(f"waveforms/{sample_rate}", "<i2", decoding())


def decoding() -> str:
    """The fingerprint of what makes a waveform of a file."""
    return fingerprint("data/decoding/measure.py", DECODERS)


def decode(
    clip: Any, cache: ArrayCache, sample_rate: int, workers: Here | Cluster = _HERE
) -> dict[str, Any]:
    """Have the waveform of a clip in the cache. returns: what measure.decode_clip measured

    workers: where `decode_isolated` is called
    raises: ClipError if the file cannot be decoded
    """
    key = clip_key(clip)
    if key not in cache:
        # a long recording would travel once for each of its parts
        near = _HERE if clip.start or clip.end else workers
        waveform, measured = near.on_file(
            decode_isolated, Path(clip.path), clip.start, clip.end, sample_rate
        )
        cache.add(key, waveform, measured)
    return cache.note(key)


def waveform_of(
    clip: Any, cache: ArrayCache, sample_rate: int, workers: Here | Cluster = _HERE
) -> NDArray[np.int16]:
    """The waveform of a clip: (sample,), from the cache where it has it whole.

    raises: ClipError if the file cannot be decoded
    """
    decode(clip, cache, sample_rate, workers)
    try:
        return cache.array(clip_key(clip))
    except KeyError:  # it was damaged and is forgotten now
        decode(clip, cache, sample_rate, workers)
        return cache.array(clip_key(clip))
