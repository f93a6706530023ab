"""progress: long work shows how far it is, as a bar on a terminal and as sparse lines in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_SECONDS_BETWEEN_LINES = 10.0


def track(items: Iterable[Item], total: int, doing: str) -> Iterator[Item]:
    """Yield `items`, showing on standard error what is being done and how much of it."""
    if not total:
        return
    if sys.stderr.isatty():
        yield from _bar(items, total, doing)
    else:
        yield from _lines(items, total, doing)


def _bar(items: Iterable[Item], total: int, doing: str) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import track as rich_track

    yield from rich_track(items, description=doing, total=total, console=Console(stderr=True))


def _lines(items: Iterable[Item], total: int, doing: str) -> Iterator[Item]:
    began = shown = first_done = time.monotonic()
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if done == 1:
            first_done = now
        if now - shown >= _SECONDS_BETWEEN_LINES and done < total:
            left = _time_left(done, total, now - first_done)
            print(f"{doing}: {done} of {total}{left}", file=sys.stderr, flush=True)
            shown = now
    took = time.monotonic() - began
    print(f"{doing}: {done} of {total} in {took:.1f} s", file=sys.stderr, flush=True)


def _time_left(done: int, total: int, since_first: float) -> str:
    """By the items after the first, whose time is mostly that of libraries being loaded."""
    return f", {since_first / (done - 1) * (total - done):.0f} s left" if done > 1 else ""
