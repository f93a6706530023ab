"""groups_found: how many recordings that were cut in pieces are found where nobody wrote groups.

Two sets of real sounds, without their group column, names of files as they are and hashed:
cry_laugh, whose recordings were cut into overlapping pieces, and ESC-10, whose clips of one
Freesound id do not overlap. And one clip of each recording of both, cut in pieces that follow each
other without overlap or gap, names hashed.
The thresholds of landmarks were looked at on both sets, the others on ESC-10 alone.
"""

import csv
import hashlib
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile

import claim
from pocketear.base.errors import ClipError
from pocketear.contracts.groups import Groups
from pocketear.contracts.report_file import read
from pocketear.data.clips import read_clips
from pocketear.data.decoding.isolated import decode_isolated
from pocketear.stages import group, ingest
from project import ESC10, ROOT, need_esc10, scratch_project

CRY_LAUGH = ROOT.parent / "shared/data/cry_laugh"
# Recordings cut in pieces, by the names of their sources. Other groups of cry_laugh are persons,
# installations of an app or authors, with several recordings each.
CUT = ("giulbia-", "tamcrooz-one-recording")
PIECE_SECONDS, PIECES = 1.37, 5


@dataclass(frozen=True)
class Clip:
    """truth: the group that the set has; cut: whether it is a recording that was cut."""

    path: Path
    label: str
    truth: str
    cut: bool


def cry_laugh() -> list[Clip]:
    return [
        Clip(CRY_LAUGH / row["path"], row["label"], row["group"], row["group"].startswith(CUT))
        for row in rows(CRY_LAUGH)
    ]


def esc10() -> list[Clip]:
    return [
        Clip(ESC10 / row["file"], row["label"], row["freesound_id"], cut=True)
        for row in rows(ESC10)
    ]


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "clips.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def pieces(clips: list[Clip], folder: Path) -> Iterator[Clip]:
    """One clip of each recording, cut at its own sample rate, as WAV of 16 bits."""
    folder.mkdir()
    one_each = {clip.truth: clip for clip in clips}
    for number, clip in enumerate(one_each.values()):
        try:
            _, measured = decode_isolated(clip.path, 0, 0, 16000)
            rate = measured["sample_rate"]
            samples, _ = decode_isolated(clip.path, 0, 0, rate)
        except ClipError:
            continue
        size = int(PIECE_SECONDS * rate)
        for at in range(0, min(PIECES, len(samples) // size) * size, size):
            path = folder / f"{number}x{at}.wav"
            soundfile.write(path, samples[at : at + size], rate, "PCM_16")
            yield Clip(path, clip.label, clip.truth, cut=True)


def laid_out(clips: list[Clip], folder: Path, *, hashed: bool) -> pd.DataFrame:
    """Copy the clips to `folder`/LABEL and list them. returns: truth and cut, by path"""
    listed = []
    for number, clip in enumerate(clips):
        name = clip.path.name
        if hashed:
            name = hashlib.sha256(f"{number} {name}".encode()).hexdigest()[:16] + clip.path.suffix
        path = folder / clip.label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip.path, path)
        listed.append((path.as_posix(), clip.truth, clip.cut))
    return pd.DataFrame(listed, columns=["path", "truth", "cut"]).set_index("path")


def figures(clips: pd.DataFrame) -> dict[str, Any]:
    """clips: group, group_from, truth, cut

    recall: mean over recordings that were cut of the share of their pairs that are in one group
    false: share of the clips in found groups that are not of the truth most of their group are
    """
    cut = clips[clips["cut"]].groupby("truth")["group"]
    recalls = [together(groups) for _, groups in cut if len(groups) > 1]
    found = clips[clips["group_from"] == "found"].groupby("group")["truth"]
    strangers = sum(len(truth) - truth.value_counts().iloc[0] for _, truth in found)
    joined = int((clips["group_from"] == "found").sum())
    return {
        "recordings_cut": len(recalls),
        "recall": round(float(np.mean(recalls)), 4),
        "clips_joined": joined,
        "false": round(strangers / max(1, joined), 4),
        "groups_mixed": int(sum(truth.nunique() > 1 for _, truth in found)),
    }


def together(groups: pd.Series) -> float:
    sizes = groups.value_counts()
    return float((sizes * (sizes - 1)).sum() / (len(groups) * (len(groups) - 1)))


def measured(clips: list[Clip], *, hashed: bool) -> tuple[dict[str, Any], Groups]:
    """Run ingest and group on the clips in the scratch project that is the working folder."""
    shutil.rmtree("sounds", ignore_errors=True)
    truth = laid_out(clips, Path("sounds"), hashed=hashed)
    ingest.main(Path("data/clips"))
    began = time.monotonic()
    group.main(
        Path("data/clips/clips.parquet"), Path("groups.parquet"), Path("groups.json"), Path("g.csv")
    )
    seconds = time.monotonic() - began
    table = read_clips(Path("groups.parquet"))
    usable = table[table["silence_share"] < 0.999].join(truth, on="path")  # decoded, not silent
    cost = {"seconds_per_clip": round(seconds / len(usable), 4)}
    return figures(usable) | cost, read(Path("groups.json"), Groups)


def main() -> None:
    """Measure both sets, both ways, and publish."""
    need_esc10()
    if not (CRY_LAUGH / "clips.csv").is_file():
        sys.exit(f"error: {CRY_LAUGH}: not found; put the set with its clips.csv there")
    found: dict[str, Any] = {}
    with scratch_project({"data": {"source": "folder", "path": "sounds"}}):
        for name, clips in {"cry_laugh": cry_laugh(), "esc10": esc10()}.items():
            for names in ("plain", "hashed"):
                found[f"{name}_{names}"], _ = measured(clips, hashed=names == "hashed")
            cut = list(pieces(clips, Path(f"pieces_{name}")))
            found[f"{name}_cut_without_overlap"], _ = measured(cut, hashed=True)
    claim.publish("groups_found", found)


if __name__ == "__main__":
    main()
