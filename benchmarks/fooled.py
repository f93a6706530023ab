"""fooled: ways to fool the verdict, on sets of real clips: caught of tried, and false accusations.

nice python benchmarks/fooled.py [--only WORD] [--at-once 2]

Each way is a set that a trick was played on, written to a folder of its own, and goes through
ingest, group, validate, split and gate as dvc.yaml calls them. In place of a training, the model is
taken to be right about every clip, as one that learnt the trick is (fooled_sets.py). A way is
caught where a line that a user sees names its kind; not where the set fails for something else.
The set without any trick is `accepted`, and none of the sentences may be said of it.
Sound sets must not be accused: ESC-10 in its own folds and by group, and cry_laugh made alike.
"""

import argparse
import csv
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from project import ESC10, ROOT, need_esc10, scratch_project

sys.path.insert(0, str(ROOT / "tests/helpers"))

from claim import publish
from fooled_cases import WAYS
from fooled_sets import (
    CRY_LAUGH,
    NOT_ASKED,
    Changes,
    Clip,
    clean,
    journey,
    parted,
    set_params,
    write_set,
)
from pocketear.base.errors import ClipError
from pocketear.data.decoding.isolated import decode_isolated

_QUOTED = 160  # characters of a sentence in the result
ACCUSES = (
    r"separates? .* from|will refuse this set|^error:|of one group|from one group"
    r"|leak by|in two (folds|groups)|recordings? by same_sound"
    r"|set aside: .*(not a|cannot|truncated)"
)
# True, so no false accusations: sounds of ESC-10 that two Freesound ids share, and one of cry_laugh
# that two repositories do (decision 14); and that 88 of its 125 laughs are of one recording.
TRUE = (
    ("28314", "30322"),
    ("151080", "151085"),
    ("openai__jfk", "argmaxinc__VADAudio"),
    ("label 'laugh'", "giulbia-laugh_1.m4a"),
)


def esc10_in_its_folds() -> Changes:
    own = {"split": {"by": "fold", "test_fold": 1}}
    return {"data": {"source": "esc", "path": str(ESC10)}, **own}


def esc10_by_group() -> Changes:
    return {"data": {"source": "esc", "path": str(ESC10)}}


def cry_laugh_made_alike() -> Changes:
    """Every clip as a telephone has it: 8 kHz, mono, 16 bits, WAV."""
    clips = []
    for row in csv.DictReader((CRY_LAUGH / "clips.csv").open(encoding="utf-8", newline="")):
        try:
            samples, _ = decode_isolated(CRY_LAUGH / row["path"], 0, 0, 8000)
        except ClipError:
            continue
        sound = (samples / np.float32(32768)).astype(np.float32)
        name = Path(row["path"]).stem
        clips.append(Clip(row["label"], row["group"], row["group"], sound, rate=8000, name=name))
    return write_set(clips)


def without_a_trick() -> Changes:
    return write_set(clean())


SOUND_SETS: dict[str, Callable[[], Changes]] = {
    "esc10 in its folds": esc10_in_its_folds,
    "esc10 by group": esc10_by_group,
    "cry_laugh made alike": cry_laugh_made_alike,
    "without a trick": without_a_trick,
}


def accusations(text: str) -> list[str]:
    """The lines that accuse a set that nothing is wrong with."""
    return [
        line[:_QUOTED]
        for line in text.splitlines()
        if re.search(ACCUSES, line) and not any(a in line and b in line for a, b in TRUE)
    ]


def try_one(name: str) -> dict[str, Any]:
    """Try a way, or a sound set, in a folder of its own."""
    began = time.monotonic()
    with scratch_project(NOT_ASKED):
        if name in SOUND_SETS:
            set_params(SOUND_SETS[name]())
            text = journey()
            found: dict[str, Any] = {"accusations": accusations(text), "text": text}
        else:
            found = _trick(name)
    return {**found, "seconds": round(time.monotonic() - began)}


def _trick(name: str) -> dict[str, Any]:
    way = WAYS[name]
    try:
        clips, changes = way.make()
        set_params(changes)
        text = journey() + way.asked()
    except Exception as error:  # noqa: BLE001  a traceback is no sentence
        said = f"{type(error).__name__}: {str(error)[:_QUOTED]}"
        return {"kind": way.kind, "outcome": "missed", "said": said, "text": said}
    said = way.caught(text)
    apart = parted(clips) if way.whole else []
    outcome = "caught" if said and not apart else "missed"
    found = {"kind": way.kind, "outcome": outcome, "said": said[: 2 * _QUOTED], "text": text}
    return found | ({"on_two_sides": len(apart)} if way.whole else {})


def try_all(only: str, at_once: int) -> dict[str, dict[str, Any]]:
    """Name -> how it ended, with a line each as they end."""
    kinds = {name: way.kind for name, way in WAYS.items()} | dict.fromkeys(SOUND_SETS, "sound")
    names = [name for name in (*WAYS, *SOUND_SETS) if only in f"{kinds[name]} {name}"]
    done: dict[str, dict[str, Any]] = {}
    with ProcessPoolExecutor(at_once, get_context("fork")) as pool:
        running = {pool.submit(try_one, name): name for name in names}
        for number, future in enumerate(as_completed(running), 1):
            name, found = running[future], future.result()
            done[name] = found
            outcome = found.get("outcome") or f"{len(found['accusations'])} accusations"
            line = found.get("said") or "; ".join(found.get("accusations", ()))
            place = f"{number} of {len(names)}, {found['seconds']} s"
            print(f"{place:15} {kinds[name]:8} {name:45} {outcome} {line[:120]}", flush=True)
    return {name: done[name] for name in names}


def say_nothing_of(clean_text: str) -> None:
    """Exit with an error where a sentence that catches a way is said of the set without a trick."""
    for name, way in WAYS.items():
        if way.caught(clean_text):
            sys.exit(f"error: {name}: its sentence is said of the set without a trick")


def main() -> None:
    """Print the table, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="ways with this in their kind or name")
    parser.add_argument("--at-once", type=int, default=2, help="ways (default: %(default)s)")
    parser.add_argument("--texts", type=Path, help="a folder for all that was said of each")
    asked = parser.parse_args()
    need_esc10()
    if not (CRY_LAUGH / "clips.csv").is_file():
        sys.exit(f"error: {CRY_LAUGH}: not found; put the set with its clips.csv there")
    done = try_all(asked.only, asked.at_once)
    for name, found in done.items():
        text = found.pop("text")
        if name == "without a trick":
            say_nothing_of(text)
            if "gate: accepted" not in text:
                sys.exit(
                    "error: the set without a trick is not accepted, so no way proves anything"
                )
        if asked.texts:
            asked.texts.mkdir(parents=True, exist_ok=True)
            (asked.texts / f"{name}.txt").write_text(text, encoding="utf-8")
    ways = {name: found for name, found in done.items() if name in WAYS}
    sound = {name: found for name, found in done.items() if name in SOUND_SETS}
    missed = [name for name, found in ways.items() if found["outcome"] == "missed"]
    figures = {
        "ways": len(ways),
        "caught": len(ways) - len(missed),
        "false_accusations": sum(len(found["accusations"]) for found in sound.values()),
        "missed": missed,
        "kinds": dict(Counter(found["kind"] for found in ways.values())),
        "each": ways,
        "sound_sets": sound,
    }
    print(f"{figures['caught']} of {figures['ways']} caught; missed: {', '.join(missed) or 'none'}")
    if not asked.only:
        publish("fooled", figures)


if __name__ == "__main__":
    main()
