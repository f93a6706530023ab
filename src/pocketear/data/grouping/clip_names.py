"""clip_names: names of files -> which of them say that they are parts of one recording.

`laugh_1.m4a_0.wav` is named after a file, `1-100032-A.ogg` after a number, others after a UUID:
such names are enough. `bird_01.wav` and `bird_02.wav` are one bird or two: those must sound alike.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_COUNTED = re.compile(r"(?P<stem>.*?)(?P<gap>[ _.(#-]*)(?:(?<!\d)\d{1,4}|(?<=[ _.(#-])[A-Za-z])\)?")
_FILE = re.compile(r"\.(?:wav|mp3|m4a|mp4|aac|ogg|opus|flac|aiff?|3gp|amr|webm|mov|mkv|wma)$", re.I)
_NUMBER = re.compile(r"\d{5,}")  # an id, a date or a time; what counts clips is shorter
_ALL = 0.8  # share of a folder: more clips of one name than that are only counted


@dataclass(frozen=True)
class NamedAlike:
    """Clips whose names say that they are one recording. enough: without listening to them."""

    clips: tuple[int, ...]
    enough: bool


def named_alike(paths: list[str]) -> list[NamedAlike]:
    """paths: of the clips, posix. returns: sets of two and more, none twice"""
    by_stem: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, path in enumerate(paths):
        folder, name = str(PurePosixPath(path).parent), PurePosixPath(path).stem
        known = recording_of(name)
        counted = _COUNTED.fullmatch(name)
        if known:
            by_stem["", known].append(number)
        elif counted and any(letter.isalpha() for letter in counted["stem"]):
            by_stem[folder, counted["stem"].lower()].append(number)
    sizes = Counter(str(PurePosixPath(path).parent) for path in paths)
    return [
        NamedAlike(tuple(clips), enough=not folder)
        for (folder, _), clips in by_stem.items()
        if len(clips) > 1 and (not folder or len(clips) <= _ALL * sizes[folder])
    ]


def recording_of(name: str) -> str:
    """The recording that a clip's name names, "" where it names none. name: without its ending"""
    uuid = _UUID.search(name)
    if uuid:
        return uuid[0].lower()
    counted = _COUNTED.fullmatch(name)
    if (
        counted
        and counted["gap"]
        and (_FILE.search(counted["stem"]) or _NUMBER.search(counted["stem"]))
    ):
        return counted["stem"]
    return ""
