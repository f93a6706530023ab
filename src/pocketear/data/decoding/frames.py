"""frames: where a stream of frames ends, and whether its last one is whole.

AMR, AC-3 and MPEG layer II are frames and nothing else: no header counts them, and FFmpeg makes up
what the last one lacks and takes what lies behind them for more. But each says how long it is.

source: RFC 4867 (AMR); ETSI TS 102 366 (AC-3); ISO/IEC 11172-3, 13818-3 (MPEG)
"""

import re
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice

# What a stream of each kind begins with. Two bytes are too few to look for them elsewhere.
STARTS = {
    "ac3": re.compile(rb"\x0b\x77"),
    "mp2": re.compile(rb"\xff[\xfc\xfd\xf4\xf5\xe4\xe5]"),
}
KINDS = frozenset({"amr", *STARTS})
Get = Callable[[int, int], bytes]  # bytes of a file: from where, how many; fewer at its end
_HEAD = 6  # bytes that say how long a frame is
_IN_A_ROW = 4  # frames that are no accident
_SEARCHED = 1 << 16  # bytes behind something that is no frame
# bytes of a frame of AMR by its type; 0: none has it
_NARROW = (13, 14, 16, 18, 20, 21, 27, 32, 6, 0, 0, 0, 0, 0, 0, 1)
_WIDE = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 0, 0, 0, 0, 1, 1)
_AMR_WIDE = b"#!AMR-WB\n"
_AMR_NARROW = b"#!AMR\n"
_AC3_KBITS = (
    *(32, 40, 48, 56, 64, 80, 96, 112, 128, 160),
    *(192, 224, 256, 320, 384, 448, 512, 576, 640),
)  # by the frame's index
_LAST_AC3, _ENHANCED = 10, 16  # bsid: up to the first AC-3, from there to the second E-AC-3
_LAYER_2 = (
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),  # MPEG 2 and 2.5, kbit/s
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 0),  # MPEG 1
)
_MPEG_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8000)}


def end_of_frames(get: Get, kind: str, start: int, end: int) -> tuple[int, bool]:
    """Where the frames that begin at `start` end, and whether the last of them is cut.

    Where frames go on behind something that is none, all up to `end` is left to the decoder.
    """
    size_of, first = _ac3 if kind == "ac3" else _mp2, start
    if kind == "amr":
        is_wide = get(start, len(_AMR_WIDE)) == _AMR_WIDE
        size_of = _amr_wide if is_wide else _amr_narrow
        first += len(_AMR_WIDE if is_wide else _AMR_NARROW)
    at = deque(_walk(get, size_of, first, end), 1).pop()
    if at in (first, end):  # no frame that is known, or nothing but frames
        return end, False
    if size_of(get(at, _HEAD)):
        return end, True
    behind = range(at + 1, min(end, at + _SEARCHED))
    goes_on = any(_is_row(get, size_of, one, end) for one in behind)
    return (end, False) if goes_on else (at, False)


def _walk(get: Get, size_of: Callable[[bytes], int], at: int, end: int) -> Iterator[int]:
    """Where each whole frame ends."""
    yield at
    while (size := size_of(get(at, _HEAD))) and at + size <= end:
        at += size
        yield at


def _is_row(get: Get, size_of: Callable[[bytes], int], at: int, end: int) -> bool:
    """Whether as many frames follow each other as are no accident."""
    return sum(1 for _ in islice(_walk(get, size_of, at, end), _IN_A_ROW + 1)) > _IN_A_ROW


def _amr(sizes: tuple[int, ...], head: bytes) -> int:
    """A zero would be a bad frame of the first type, and is what files are filled up with."""
    return sizes[head[0] >> 3] if head and head[0] and not head[0] & 0x83 else 0


def _amr_narrow(head: bytes) -> int:
    return _amr(_NARROW, head)


def _amr_wide(head: bytes) -> int:
    return _amr(_WIDE, head)


def _ac3(head: bytes) -> int:
    if len(head) < _HEAD or not head.startswith(b"\x0b\x77"):
        return 0
    if _LAST_AC3 < head[5] >> 3 <= _ENHANCED:
        return 2 * (int.from_bytes(head[2:4], "big") % 2048 + 1)
    rate, code = head[4] >> 6, head[4] & 0x3F
    if code // 2 >= len(_AC3_KBITS) or rate == 3 or head[5] >> 3 > _LAST_AC3:
        return 0
    kbits = _AC3_KBITS[code // 2]
    return (4 * kbits, 2 * (320 * kbits // 147 + code % 2), 6 * kbits)[rate]


def _mp2(head: bytes) -> int:
    if len(head) < 4 or not STARTS["mp2"].match(head):
        return 0
    version, rate, padding = head[1] >> 3 & 3, head[2] >> 2 & 3, head[2] >> 1 & 1
    kbits = _LAYER_2[version == 3][head[2] >> 4]
    return 144_000 * kbits // _MPEG_RATES[version][rate] + padding if kbits and rate != 3 else 0
