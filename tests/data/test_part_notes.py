"""Parts of recordings whose times contradict the file, or each other."""

import pandas as pd
import pytest

from pocketear.data.part_notes import part_notes


def table(*rows: tuple[str, str, float, float, float]) -> pd.DataFrame:
    """path, label, start, end, duration"""
    columns = ["path", "label", "start", "end", "duration"]
    return pd.DataFrame(rows, columns=columns).assign(error="")


def test_parts_that_fit_are_not_mentioned() -> None:
    fits = table(("a", "cry", 0, 2, 2), ("a", "laugh", 2, 4, 2), ("a", "cry", 4, 0, 9.3))
    assert part_notes(fits) == []
    assert part_notes(table(("a", "cry", 0, 0, 2), ("a", "laugh", 0, 0, 2))) == []  # whole files
    assert part_notes(table(("a", "cry", 0, 2, 1.98), ("a", "laugh", 1.96, 4, 2.04))) == []


def test_a_part_that_ends_behind_its_file() -> None:
    (line,) = part_notes(table(("a", "cry", 12.5, 15, 1.2), ("a", "cry", 0, 2, 2)))
    assert line == ("1 parts end behind their file; correct end: a from 12.5 to 15 s holds 1.2 s")


@pytest.mark.parametrize("second", [1.0, 1.9])
def test_parts_that_overlap_under_two_labels(second: float) -> None:
    rows = [("a", "cry", 0.0, 2.0, 2.0), ("a", "laugh", second, 4.0, 4 - second)]
    (line,) = part_notes(table(*rows, ("b", "laugh", 1.0, 2.0, 1.0)))
    assert line.endswith(f"a: cry from 0 s and laugh from {second:g} s")
    assert part_notes(table(*rows).assign(label="cry")) == []


def test_a_part_within_a_longer_one_is_found_behind_others() -> None:
    rows = [("a", "night", 0, 60, 60), ("a", "night", 5, 6, 1), ("a", "cry", 30, 31, 1)]
    (line,) = part_notes(table(*rows))
    assert line.startswith("1 parts overlap under two labels; correct start and end: a: night")


def test_many_are_counted_and_a_few_named() -> None:
    rows = [(f"{number}", "cry", 1, 9, 1) for number in range(7)]
    (line,) = part_notes(table(*rows))
    assert line.startswith("7 parts end")
    assert line.endswith("; and 4 more")
