"""part_notes: what should be known of parts of recordings, whose times somebody wrote down."""

from collections.abc import Iterator

import pandas as pd

_OFF = 0.05  # s that a time may be off: an annotation is rounded
_NAMED = 3


def part_notes(table: pd.DataFrame) -> list[str]:
    """A line on parts that end behind their file, and one on those that overlap under two labels.

    table: a clip table with its measures
    """
    parts = table[(table["error"] == "") & ((table["start"] > 0) | (table["end"] > 0))]
    short = parts[(parts["end"] > 0) & (parts["duration"] < parts["end"] - parts["start"] - _OFF)]
    beyond = [
        f"{path} from {start:g} to {end:g} s holds {duration:.1f} s"
        for path, start, end, duration in short[["path", "start", "end", "duration"]].itertuples(
            index=False
        )
    ]
    ways = [
        (beyond, "parts end behind their file; correct end"),
        (list(_overlaps(parts)), "parts overlap under two labels; correct start and end"),
    ]
    return [f"{len(found)} {what}: {_named(found)}" for found, what in ways if found]


def _overlaps(parts: pd.DataFrame) -> Iterator[str]:
    for path, same in parts.sort_values("start", kind="stable").groupby("path", sort=True):
        rows = list(same[["start", "duration", "label"]].itertuples(index=False))
        for number, (start, duration, label) in enumerate(rows):
            for other_start, _, other in rows[number + 1 :]:
                if other_start > start + duration - _OFF:
                    break
                if other != label:
                    yield f"{path}: {label} from {start:g} s and {other} from {other_start:g} s"


def _named(found: list[str]) -> str:
    more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return "; ".join(found[:_NAMED]) + more
