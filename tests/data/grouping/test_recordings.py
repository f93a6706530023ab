"""recordings: joins -> groups. What must hold whatever the joins are."""

from itertools import pairwise

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketear.data.grouping.recordings import Join, findings, names_of, with_groups

GROUPS = st.lists(st.sampled_from(["", "", "anna", "ben"]), min_size=2, max_size=12)
PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=12)


def table(groups: list[str]) -> pd.DataFrame:
    numbers = range(len(groups))
    return pd.DataFrame(
        {
            "path": [f"{number}.wav" for number in numbers],
            "group": [group or f"hash{number:02}" for number, group in enumerate(groups)],
            "group_from": ["given" if group else "unknown" for group in groups],
            "label": "cry", "fold": 0, "start": 0.0, "end": 0.0,
        }
    )  # fmt: skip


def joins(pairs: list[tuple[int, int]], count: int) -> list[Join]:
    ordered = sorted({(min(p), max(p)) for p in pairs if max(p) < count and p[0] != p[1]})
    return [Join(a, b, "same_sound", share=0.5) for a, b in ordered]


@given(GROUPS, PAIRS)
@settings(max_examples=60, deadline=None)
def test_no_recording_without_a_group_is_parted_and_no_given_group_is_changed(
    groups: list[str], pairs: list[tuple[int, int]]
) -> None:
    clips, found = table(groups), joins(pairs, len(groups))
    out = with_groups(clips, found, "auto")
    given_rows = clips["group_from"] == "given"
    assert out["group"][given_rows].equals(clips["group"][given_rows])
    for join in found:
        kinds = {clips["group_from"][join.a], clips["group_from"][join.b]}
        a, b = out["group"][join.a], out["group"][join.b]
        assert a == b or "given" in kinds
        assert (out["group_from"][[join.a, join.b]] != "unknown").all()
    report = findings(clips, out, found, "auto")
    assert report.given + report.found + report.unknown == len(clips)
    assert len(report.recordings) <= report.found


@given(GROUPS, PAIRS)
@settings(max_examples=60, deadline=None)
def test_always_joins_given_groups_whole(groups: list[str], pairs: list[tuple[int, int]]) -> None:
    clips, found = table(groups), joins(pairs, len(groups))
    out = with_groups(clips, found, "always")
    assert all(out["group"][join.a] == out["group"][join.b] for join in found)
    for _, rows in clips[clips["group_from"] == "given"].groupby("group").groups.items():
        assert all(out["group"][a] == out["group"][b] for a, b in pairwise(rows))


def test_a_part_of_a_file_is_named_with_its_times() -> None:
    clips = table(["", ""]).assign(start=[0.0, 12.5], end=[12.5, 0.0])
    assert names_of(clips) == ["0.wav (0 to 12.5 s)", "1.wav (12.5 to the end)"]
