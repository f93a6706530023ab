"""recordings: what says that clips are of one recording -> groups, and leaks between given groups.

Pure: clips are rows of the clip table, by number. data/grouping/evidence finds the joins.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pocketear.contracts.groups import Evidence, Find, FoundRecording, Groups, Kind, Leak
from pocketear.data.clips import FOUND, GIVEN, UNKNOWN

_WHOLE = 0.9  # share of the longer clip that overlaps: then it is one clip with two labels


@dataclass(frozen=True)
class Join:
    """Clips a and b are of one recording. strength: as contracts.groups.Evidence has it.

    share: of the longer clip that both hold, 0 where no sound is in both
    copy: all of both is one sound, but for its level and rounding
    """

    a: int
    b: int
    kind: Kind
    strength: float = 1.0
    share: float = 0.0
    copy: bool = False

    def renumbered(self, rows: NDArray[np.int64]) -> Self:
        """The same join where clip n is row `rows[n]`."""
        return replace(self, a=int(rows[self.a]), b=int(rows[self.b]))


def with_groups(table: pd.DataFrame, joins: list[Join], find: Find) -> pd.DataFrame:
    """The clip table with its final `group` and `group_from`.

    auto: clips without a group join each other, or a given group; always: given groups are joined
    too. A recording that touches several given groups goes by the first of their names.
    """
    if find == "never" or table.empty:
        return table
    known = (table["group_from"] == GIVEN).to_numpy()
    groups = table["group"].to_list()
    links = [(join.a, join.b) for join in joins]
    if find == "always":
        links += pairs_of_equal(
            [group if is_known else "" for group, is_known in zip(groups, known, strict=True)]
        )
    else:
        links = [(a, b) for a, b in links if not (known[a] and known[b])]
    recording = _connected(len(table), links)
    # the first name of a recording is its own: given groups sort before others
    names = pd.Series(
        [f"{1 - is_known}{group}" for group, is_known in zip(groups, known, strict=True)]
    )
    first = names.groupby(recording).transform("min").str.slice(1).to_numpy()
    several = names.groupby(recording).transform("size").to_numpy() > 1
    changed = several & (~known | (find == "always"))
    return table.assign(
        group=table["group"].mask(changed, first),
        group_from=table["group_from"].mask(several & ~known, FOUND),
    )


def with_sounds(table: pd.DataFrame, joins: list[Join]) -> pd.DataFrame:
    """The clip table with one `sound` for all copies: validate judges by it."""
    which = _connected(len(table), [(join.a, join.b) for join in joins if join.copy])
    return table.assign(sound=table["sound"].groupby(which).transform("min"))


def pairs_of_equal(keys: list[str]) -> list[tuple[int, int]]:
    """Numbers of equal keys, each with the next; those of "" with none."""
    by_key: dict[str, list[int]] = defaultdict(list)
    for number, key in enumerate(keys):
        by_key[key].append(number)
    return [pair for key, numbers in by_key.items() if key for pair in pairwise(numbers)]


def findings(table: pd.DataFrame, grouped: pd.DataFrame, joins: list[Join], find: Find) -> Groups:
    """What was found. table: as it was given; grouped: what `with_groups` made of it"""
    counts = grouped["group_from"].value_counts()
    return Groups(
        find=find,
        given=int(counts.get(GIVEN, 0)),
        found=int(counts.get(FOUND, 0)),
        unknown=int(counts.get(UNKNOWN, 0)),
        recordings=tuple(_recordings(grouped, joins)),
        leaks=tuple(leaks(table, joins)),
    )


def leaks(table: pd.DataFrame, joins: Iterable[Join]) -> list[Leak]:
    """Sounds that are in two given groups, in two folds or, whole, under two labels."""
    names = names_of(table)
    found = []
    rows = table[["group", "fold", "label", "group_from"]].to_dict("records")
    for join in (join for join in joins if join.kind == "same_sound"):
        a, b = rows[join.a], rows[join.b]
        differ: list[tuple[Literal["group", "fold", "label"], bool]] = [
            ("group", a["group_from"] == b["group_from"] == GIVEN),
            ("fold", bool(a["fold"] and b["fold"])),
            ("label", join.share >= _WHOLE),
        ]
        found += [
            Leak(
                what=what,
                clips=(names[join.a], names[join.b]),
                values=(str(a[what]), str(b[what])),
                correlation=join.strength,
            )
            for what, counts in differ
            if counts and a[what] != b[what]
        ]
    return sorted(found, key=lambda leak: (leak.what, leak.clips))


def names_of(table: pd.DataFrame) -> list[str]:
    """How a report names each clip: its path, and its part of the file where it is one."""
    return [
        f"{path} ({start:g} to {f'{end:g} s' if end else 'the end'})" if start or end else path
        for path, start, end in zip(table["path"], table["start"], table["end"], strict=True)
    ]


def evidence_by_clip(joins: Iterable[Join], count: int) -> list[str]:
    """The kinds of evidence that each of `count` clips was joined by, as text."""
    kinds: dict[int, set[str]] = defaultdict(set)
    for join in joins:
        kinds[join.a].add(join.kind)
        kinds[join.b].add(join.kind)
    return [", ".join(sorted(kinds[row])) for row in range(count)]


def _connected(count: int, links: list[tuple[int, int]]) -> NDArray[np.int32]:
    rows = np.array(links, int).reshape(-1, 2)
    graph = coo_array((np.ones(len(rows)), (rows[:, 0], rows[:, 1])), (count, count))
    return np.asarray(connected_components(graph, directed=False)[1])


def _recordings(grouped: pd.DataFrame, joins: list[Join]) -> Iterable[FoundRecording]:
    names = names_of(grouped)
    groups = grouped["group"].to_list()
    by_group: dict[str, dict[Kind, list[float]]] = defaultdict(lambda: defaultdict(list))
    for join in joins:
        if groups[join.a] == groups[join.b]:
            by_group[groups[join.a]][join.kind].append(join.strength)
    touched = set(grouped.loc[grouped["group_from"] == FOUND, "group"])
    for group in sorted(touched):
        kinds = by_group[group]
        yield FoundRecording(
            group=group,
            clips=tuple(n for n, g in zip(names, groups, strict=True) if g == group),
            evidence=tuple(
                Evidence(kind=kind, joins=len(strengths), weakest=min(strengths))
                for kind, strengths in sorted(kinds.items())
            ),
        )
