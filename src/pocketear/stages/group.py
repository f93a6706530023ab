"""group: the clip table -> the same with groups that nobody wrote down, and what says so.

Clips cut from one recording must not lie on two sides of the split. Where the dataset has no group,
names, the sounds themselves and what goes on at a cut are asked. What was given is not changed,
unless groups.find is `always`; a sound that is in two given groups or folds is reported.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pocketear.base import process
from pocketear.base.arrays import Waveform
from pocketear.base.files import replacing
from pocketear.base.parallel import in_threads
from pocketear.base.progress import track
from pocketear.base.tables import write_csv
from pocketear.contracts.groups import Groups
from pocketear.contracts.report_file import write
from pocketear.data.cache import waveform_cache, waveform_of
from pocketear.data.clips import UNKNOWN, read_clips, write_clips
from pocketear.data.grouping import landmarks
from pocketear.data.grouping.evidence import Traits, find_joins, resampled, traits
from pocketear.data.grouping.recordings import (
    Join,
    evidence_by_clip,
    findings,
    with_groups,
    with_sounds,
)
from pocketear.data.workers import open_workers
from pocketear.params import load_params

_FOR_PEOPLE = ["path", "label", "group", "fold", "start", "end", "group_from", "evidence"]


def joins_of(table: pd.DataFrame, sample_rate: int) -> list[Join]:
    """Look at every clip that can be decoded. returns: joins by row"""
    decoded = np.flatnonzero(table["error"] == "")
    usable = table.iloc[decoded]
    rows = list(usable.itertuples(index=False))
    waveforms = waveform_cache(sample_rate)
    with open_workers() as workers:

        def samples(clip: Any) -> NDArray[np.int16]:
            return waveform_of(clip, waveforms, sample_rate, workers)

        def look(clip: Any) -> Traits:
            return traits(samples(clip), sample_rate)

        def read(number: int) -> Waveform:
            return resampled(samples(rows[number]), sample_rate, landmarks.RATE)

        clips = list(track(in_threads(look, rows), len(rows), "clips compared"))
        joins = find_joins(usable, clips, read)
    return [join.renumbered(decoded) for join in joins]


def for_people(grouped: pd.DataFrame, joins: list[Join]) -> pd.DataFrame:
    """A row a clip, as source `csv` reads it: `group` is empty where nothing is known."""
    group = grouped["group"].mask(grouped["group_from"] == UNKNOWN, "")
    shown = grouped.assign(group=group, evidence=evidence_by_clip(joins, len(grouped)))
    return shown[_FOR_PEOPLE]


def summary(found: Groups) -> str:
    """What was found, in a line or two."""
    lines = [
        f"{found.given} clips with a given group, {found.found} joined into "
        f"{len(found.recordings)} recordings, {found.unknown} alone"
    ]
    if found.leaks:
        lines.append(
            f"{len(found.leaks)} sounds are on two sides of what was given (reports/groups.json)"
        )
    return "\n".join(f"group: {line}" for line in [*lines, *filter(None, [found.warning])])


def main(clips: Path, out: Path, report: Path, table: Path) -> None:
    """Find the clips of one recording and give them one group."""
    params = load_params()
    given = read_clips(clips)
    searched = params.groups.find != "never"
    joins = joins_of(given, params.frontend.sample_rate) if searched else []
    grouped = with_sounds(with_groups(given, joins, params.groups.find), joins)
    found = findings(given, grouped, joins, params.groups.find)
    write_clips(grouped, out)
    write(found, report)
    with replacing(table) as fresh:
        write_csv(for_people(grouped, joins), fresh, index=False)
    print(summary(found))


if __name__ == "__main__":
    process.run(main)
