"""spans: where in a file its sounds lie, whatever its headers say of their length.

A file may hold several sounds, one behind the other, or something before the first. A header may
count too few samples, where a recorder lost power or a size of 32 bits has wrapped.

source: Multimedia Programming Interface and Data Specifications 1.0 (RIFF); EBU Tech 3306 (RF64);
Audio Interchange File Format 1.3 (AIFF); Apple Core Audio Format 1.0 (CAF); RFC 3533 (Ogg); RFC
8794 (EBML), RFC 9559 (Matroska); RFC 9639 (FLAC); ISO/IEC 14496-12 (MP4); WavPack 4 & 5 Binary
File/Block Format
"""

import io
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any, Literal

from pocketear.data.decoding import frames

_AT_ONCE = 1 << 22  # bytes of a file that are searched at once
_LONGEST_START = 64  # bytes
_MOST_CHUNKS = 1000  # before the samples
_GUARD = 1 << 16  # bytes of something else that may lie before a sound
_SHORTEST = 0.1  # s that a header does not count, below which they are not looked at
_LEAST_RATE = 16_000  # bytes a second of a sound whose header was not asked
_MISCOUNTED = 64  # bytes by which a size is too large that counts its header, too, or twice
_PLACEHOLDER = 0x7FFF0000  # bytes: sizes from here on are written where none is known yet
_LONGEST_OGG_PAGE, _OGG_END = 65307, 4  # bytes; the flag of a stream's last page
_OGG_GOES_ON = 255  # bytes of a packet's last piece in a page, if it goes on in the next
_NIST_HEADER = 1024  # bytes
_NIST_COUNTS = (b"sample_count", b"channel_count", b"sample_n_bytes")
_NIST = re.compile(rb"(?m)^(%s) -(?:i|s\d+) (\d{1,15})$" % b"|".join(_NIST_COUNTS))
_ASF_PROPERTIES = re.compile(re.escape(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")))
_BOX, _LEAST_BOX = re.compile(rb"[\w \xa9]{4}"), 8
_SEGMENT = re.compile(rb"\x18\x53\x80\x67")
_UNKNOWN, _WIDEST = 1 << 62, 8  # a size of CAF; bytes of a number of Matroska
# frames of MPEG, AAC or AC-3, or packets of MPEG-TS, before which FFmpeg passes by what is none
_FRAMES = re.compile(rb"ID3|\xff[\xe0-\xff]|\x0b\x77|G@")
_MPEG = re.compile(rb"ID3|\xff[\xe0-\xff]")
_ID3_V1, _APE_FOOTER = 128, 32  # bytes
# What a sound of each kind begins with. Those that FFmpeg reads on by itself are not among them.
_STARTS = {
    "wav": re.compile(rb"RIFF.{4}WAVE", re.DOTALL),
    "rf64": re.compile(rb"RF64.{4}WAVEds64", re.DOTALL),
    "w64": re.compile(rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb", re.DOTALL),
    "aiff": re.compile(rb"FORM.{4}AIFF", re.DOTALL),
    "form": re.compile(rb"FORM.{4}(?:AIFC|8SVX|16SV)", re.DOTALL),
    "nist": re.compile(rb"NIST_1A\n   1024\n"),
    "au": re.compile(rb"\.snd\x00\x00.{2}", re.DOTALL),
    "caf": re.compile(rb"caff\x00\x01\x00\x00desc"),
    "flac": re.compile(rb"fLaC[\x00\x80]\x00\x00\x22"),
    "ogg": re.compile(rb"OggS\x00\x02"),
    "mov": re.compile(rb"\x00\x00\x00.ftyp[\w ]{4}", re.DOTALL),
    "asf": re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"),
    "flv": re.compile(rb"FLV\x01[\x01\x04\x05]\x00\x00\x00\x09"),
    "amr": re.compile(rb"#!AMR(?:-WB)?\n"),
    "tta": re.compile(rb"TTA1[\x01\x02]\x00"),
    "voc": re.compile(rb"Creative Voice File\x1a"),
    "matroska": re.compile(rb"\x1aE\xdf\xa3"),
    "wv": re.compile(
        rb"wvpk.{4}.\x04\0.{5}\0{4}(?!\0{4}).{5}[%s]"
        % re.escape(bytes(flags for flags in range(256) if flags & 8)),
        re.DOTALL,
    ),  # a block with samples, from the first one on, of the first channels
    "avi": re.compile(rb"RIFF.{4}AVI ", re.DOTALL),
}
_CHAINED = frozenset(_STARTS) - {"matroska", "avi"}  # FFmpeg goes on to their next segment
_NOTHING = slice(0, 0)
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICSBEGIN")  # what lies behind sounds of any kind


@dataclass(frozen=True)
class Span:
    """A sound in a file. start, end: bytes

    samples_from: where bare samples begin that the header before them does not count, 0: it does
    is_ended: whether its last page says so, if it is an Ogg
    """

    start: int
    end: int
    kind: str = ""
    samples_from: int = 0
    truncated: bool = False
    is_ended: bool = True


class Window(io.RawIOBase):
    """The bytes of a file from `start` to `end`, as a file."""

    def __init__(self, path: Path, start: int, end: int, zeros: slice = _NOTHING) -> None:
        """zeros: bytes of it that read as 0"""
        self._file = path.open("rb")
        self._start, self._size, self._at = start, end - start, 0
        self._zeros = zeros

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        self._file.seek(self._start + self._at)
        count = self._file.readinto(view[: max(0, self._size - self._at)])
        for at in range(max(self._zeros.start, self._at), min(self._zeros.stop, self._at + count)):
            view[at - self._at] = 0
        self._at += count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _Content:
    """The bytes of an open file, which may be larger than memory."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.size = file.seek(0, os.SEEK_END)

    def get(self, at: int, count: int) -> bytes:
        self._file.seek(at)
        return bytes(self._file.read(count))

    def number(self, at: int, count: int, order: Literal["little", "big"]) -> int:
        return int.from_bytes(self.get(at, count), order)

    def search(self, pattern: re.Pattern[bytes], start: int, end: int) -> Iterator[int]:
        """Where what begins before `end` matches."""
        for at in range(start, end, _AT_ONCE):
            size = min(_AT_ONCE, end - at)
            for one in pattern.finditer(self.get(at, size + _LONGEST_START)):
                if one.start() < size:
                    yield at + one.start()


def spans_of(path: Path) -> tuple[Span, ...]:
    """The sounds of a file in their order; one of no known kind is a span over all of it."""
    status = path.stat()
    return _spans(path.absolute(), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)  # a long recording is asked for part after part
def _spans(path: Path, size: int, time: int) -> tuple[Span, ...]:
    """size, time: of the file as it is now"""
    with path.open("rb") as file:
        content = _Content(file)
        kind, start = _kind(content)
        starts = [start]
        if kind in _CHAINED:
            found = content.search(_STARTS[kind], start + 4, content.size)
            starts = [start, *found]
            starts = _links(content, starts) if kind == "ogg" else starts
        return tuple(_span(content, kind, *edges) for edges in pairwise([*starts, content.size]))


def _kind(content: _Content) -> tuple[str, int]:
    """The kind of the first sound and where it begins. "", 0: one of no kind that is known"""
    head = content.get(0, _LONGEST_START)
    for kind, sign in _STARTS.items():
        if sign.match(head):
            return kind, 0
    for kind, sign in frames.STARTS.items():
        if sign.match(head):
            return kind, 0
    if _FRAMES.match(head):
        return "", 0
    found = [
        (at, kind)
        for kind, sign in _STARTS.items()
        for at in content.search(sign, 0, min(_GUARD, content.size))
    ]
    at, kind = min(found, default=(0, ""))
    return kind, at


def _links(content: _Content, starts: list[int]) -> list[int]:
    """Where each link of a chain of Ogg begins: streams that begin together are one link."""
    pages = re.compile(rb"OggS\x00")
    return starts[:1] + [
        start
        for before, start in pairwise(starts)
        if next(content.search(pages, before + 4, start), start) != start
    ]


def _span(content: _Content, kind: str, start: int, end: int) -> Span:
    if kind in ("wav", "aiff"):
        return _chunks(content, kind, start, end)
    if kind in frames.KINDS:
        end, is_cut = frames.end_of_frames(content.get, kind, start, end)
        return Span(start, end, kind, truncated=is_cut)
    if not kind and _MPEG.match(content.get(start, 3)):
        return Span(start, _before_ape(content, start, end))
    if kind == "ogg":
        is_ended, is_cut = _ogg_end(content, start, end)
        return Span(start, end, kind, truncated=is_cut, is_ended=is_ended)
    declared = _DECLARED[kind](content, start, end) if kind in _DECLARED else 0
    cut = bool(declared) and start + declared > end
    if kind in ("w64", "au", "nist") and declared and not cut:
        end = start + declared
    return Span(start, end, kind, truncated=cut)


def _of_rf64(content: _Content, start: int, end: int) -> int:
    return content.number(start + 20, 8, "little") + 8


def _of_w64(content: _Content, start: int, end: int) -> int:
    return content.number(start + 16, 8, "little")


def _of_au(content: _Content, start: int, end: int) -> int:
    size = content.number(start + 8, 4, "big")
    return content.number(start + 4, 4, "big") + size if 0 < size < _PLACEHOLDER else 0


def _of_caf(content: _Content, start: int, end: int) -> int:
    at = start + 8
    for _ in range(_MOST_CHUNKS):
        name, size = content.get(at, 4), content.number(at + 4, 8, "big")
        if name == b"data":
            return at + 12 + size - start if size < _UNKNOWN else 0
        at += 12 + size
        if at > end:
            break
    return 0


def _of_matroska(content: _Content, start: int, end: int) -> int:
    """Where the first segment ends; its size is a number of 1 to 8 bytes, all ones: unknown."""
    at = next(content.search(_SEGMENT, start, min(end, start + _GUARD)), -4) + 4
    width = 9 - content.number(at, 1, "big").bit_length()
    unknown = (1 << 7 * width) - 1
    size = content.number(at, width, "big") & unknown
    return at + width + size - start if at and width <= _WIDEST and size != unknown else 0


def _of_mov(content: _Content, start: int, end: int) -> int:
    """Where the last of the boxes ends, each with its size in 4 bytes or, behind a 1, in 8."""
    at = start
    for _ in range(_MOST_CHUNKS):
        size, name = content.number(at, 4, "big"), content.get(at + 4, 4)
        if not _BOX.fullmatch(name):
            break
        size = content.number(at + 8, 8, "big") if size == 1 else size
        if size < _LEAST_BOX:  # 0: to the end of the file
            return 0
        at += size
        if at >= end:
            break
    return at - start


def _of_form(content: _Content, start: int, end: int) -> int:
    size = content.number(start + 4, 4, "big")
    return size + 7 if size < _PLACEHOLDER else 0  # a pad byte may lack


def _of_nist(content: _Content, start: int, end: int) -> int:
    """1024 bytes of text, then samples, where they are not compressed."""
    said = {name: int(value) for name, value in _NIST.findall(content.get(start, _NIST_HEADER))}
    return _NIST_HEADER + prod(said.values()) if len(said) == len(_NIST_COUNTS) else 0


def _of_asf(content: _Content, start: int, end: int) -> int:
    """The file's size in the object of the file's properties; a live stream has none."""
    at = next(content.search(_ASF_PROPERTIES, start, min(end, start + _GUARD)), 0)
    return content.number(at + 40, 8, "little") if at else 0


def _of_avi(content: _Content, start: int, end: int) -> int:
    size = content.number(start + 4, 4, "little")
    return size + 7 if size < _PLACEHOLDER else 0  # a pad byte may lack


_DECLARED = {
    "mov": _of_mov,
    "avi": _of_avi,
    "asf": _of_asf,
    "form": _of_form,
    "nist": _of_nist,
    "rf64": _of_rf64,
    "w64": _of_w64,
    "au": _of_au,
    "caf": _of_caf,
    "matroska": _of_matroska,
}  # the bytes of a sound that begins at a byte, by its header; 0: it does not say


def _before_ape(content: _Content, start: int, end: int) -> int:
    """Where the APE tag begins that ends an MP3: a picture in it may hold what looks like frames.

    An ID3v1 tag may lie behind it.
    """
    behind = end - _ID3_V1 if content.get(max(start, end - _ID3_V1), 3) == b"TAG" else end
    footer = content.get(max(start, behind - _APE_FOOTER), _APE_FOOTER)
    if not footer.startswith(b"APETAGEX"):
        return end
    header = _APE_FOOTER if footer[23] & 0x80 else 0  # the highest flag
    before = behind - int.from_bytes(footer[12:16], "little") - header
    return before if before > start else end


def _ogg_end(content: _Content, start: int, end: int) -> tuple[bool, bool]:
    """Whether the last page says that it is the last, and whether it is cut.

    Some recorders do not say so. libsndfile reads what is cut without a word.
    """
    first = max(start, end - 2 * _LONGEST_OGG_PAGE)
    last = content.get(first, end - first).rpartition(b"OggS")[2]
    if len(last) < 2 or last[1] & _OGG_END:
        return True, False
    count = last[22] if len(last) > 22 else 0
    packets = last[23 : 23 + count]
    whole = count and len(last) >= 23 + count + sum(packets) and packets[-1] < _OGG_GOES_ON
    return False, not whole


def _chunks(content: _Content, kind: str, start: int, end: int) -> Span:
    """A WAV or an AIFF: is it cut, or does it go on where its header says that it ends?"""
    order: Literal["little", "big"] = "little" if kind == "wav" else "big"
    declared = content.number(start + 4, 4, order)
    if 0 < declared < _PLACEHOLDER and start + declared + 8 > end + _MISCOUNTED:
        return Span(start, end, kind, truncated=True)
    is_wav, at, rate = kind == "wav", start + 12, _LEAST_RATE
    body, skip = (b"data", 8) if is_wav else (b"SSND", 16)
    for _ in range(_MOST_CHUNKS):
        name, size = content.get(at, 4), content.number(at + 4, 4, order)
        if name == b"fmt ":
            rate = content.number(at + 16, 4, order)
        behind = at + 8 + size + size % 2
        if name == body:
            more = end - behind > _SHORTEST * rate
            if more and not _is_something_else(content, behind, end, order):
                return Span(start, end, kind, samples_from=at + skip)
        if name == body or behind > end:
            break
        at = behind
    return Span(start, end, kind)  # the decoders say what is wrong with it


def _is_something_else(
    content: _Content, at: int, end: int, order: Literal["little", "big"]
) -> bool:
    """Whether what begins behind the samples is a chunk, a tag, or nothing but zeros."""
    name = content.get(at, _LONGEST_START)
    fits = at + 8 + content.number(at + 4, 4, order) <= end
    is_chunk = fits and name[:4].isascii() and name[:4].decode().isprintable()
    return is_chunk or name.startswith(_TAGS) or not any(content.get(at, _AT_ONCE))
