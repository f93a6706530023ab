"""planted_faults: faults planted in ESC-10, and whether ingest and validate find them.

python benchmarks/planted_faults.py

The clips of ESC-10 are copied to a folder and listed in a table. A damaged clip must be set aside
for the right reason; a clip that is only unusual (another format, rate, width, name) must not, nor
any unchanged clip. Faults of the set as a whole are planted one at a time, in the table only: each
must stop validate with an error that names it.
"""

import contextlib
import csv
import io
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml

from project import ESC10, ROOT, need_esc10

sys.path.insert(0, str(ROOT / "tests/helpers"))

from claim import publish
from pocketear.base.errors import DataError
from pocketear.stages import ingest, validate
from sounds import write_by_phone

EACH = 3  # clips of each kind
Row = dict[str, str]
CLIPS, VALID = Path("data/clips"), Path("data/valid/clips.parquet")


def fill(path: Path, content: bytes) -> Path:
    """The file with other bytes in it."""
    path.write_bytes(content)
    return path


def cut(path: Path) -> Path:
    """The first half of the file's bytes."""
    return fill(path, path.read_bytes()[: path.stat().st_size // 2])


def gone(path: Path) -> Path:
    """Delete the file."""
    path.unlink()
    return path


def link(path: Path) -> Path:
    """A link to itself."""
    gone(path).symlink_to(path.name)
    return path


def rewrite(
    path: Path,
    change: Callable[[np.ndarray], np.ndarray] = lambda sound: sound,
    name: str = "{}.wav",
    rate: int | None = None,
    subtype: str | None = None,
) -> Path:
    """The clip in another form, in place of the old file."""
    sound, old = soundfile.read(path, dtype="float32", always_2d=True)
    path.unlink()
    new = path.with_name(name.format(path.stem))
    soundfile.write(new, change(sound), rate or old, subtype)
    return new


def broken(sound: np.ndarray, value: float) -> np.ndarray:
    """Set one sample to a value that is not a number."""
    sound[len(sound) // 2] = value
    return sound


def as_phone(path: Path) -> Path:
    """AAC in .m4a."""
    sound, rate = soundfile.read(path, dtype="float32")
    path.unlink()
    return write_by_phone(path.with_suffix(".m4a"), "aac", rate, sound)


# fault -> how a clip is damaged, and a part of the expected reason
FAULTS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty": (lambda p: fill(p, b""), "is empty"),
    "truncated ogg": (cut, "truncated"),
    "truncated wav": (lambda p: cut(rewrite(p)), "truncated"),
    "truncated m4a": (lambda p: cut(as_phone(p)), "truncated"),
    "text": (lambda p: fill(p, b"no sound\n" * 99), "not a sound file"),
    "missing": (gone, "no such file"),
    "link to itself": (link, "a link to nothing"),
    "NaN": (lambda p: rewrite(p, lambda s: broken(s, np.nan), subtype="FLOAT"), "is NaN"),
    "infinite": (lambda p: rewrite(p, lambda s: broken(s, np.inf), subtype="FLOAT"), "is NaN"),
    "silence": (lambda p: rewrite(p, np.zeros_like), "too quiet"),
    "too short": (lambda p: rewrite(p, lambda s: s[:999]), "lasts"),
    "clipped": (lambda p: rewrite(p, lambda s: np.clip(s * 1e4, -1, 1)), "clipped"),
    "offset": (lambda p: rewrite(p, lambda s: s / 4 + 0.5), "DC offset"),
}
UNUSUAL: dict[str, Callable[[Path], Path]] = {
    "8 bit": lambda p: rewrite(p, subtype="PCM_U8"),
    "24 bit": lambda p: rewrite(p, subtype="PCM_24"),
    "float": lambda p: rewrite(p, subtype="FLOAT"),
    "flac": lambda p: rewrite(p, name="{}.flac"),
    "mp3": lambda p: rewrite(p, name="{}.mp3"),
    "m4a": as_phone,
    "stereo": lambda p: rewrite(p, lambda s: np.hstack([s, s / 2])),
    "8 channels": lambda p: rewrite(p, lambda s: np.repeat(s, 8, axis=1)),
    "8 kHz": lambda p: rewrite(p, rate=8000),
    "192 kHz": lambda p: rewrite(p, rate=192_000),
    "odd name": lambda p: rewrite(p, name='it\'s "größer" – 泣き声 {}.wav'),
}


def run_validate(rows: list[Row]) -> tuple[dict[str, str], str]:
    """Ingest and validate a table. returns: path -> reason set aside; what stopped it, or ''"""
    with Path("sounds/clips.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["path", "label", "group", "fold"])
        writer.writeheader()
        writer.writerows(rows)
    stopped, report = "", Path("reports/validation")
    with contextlib.redirect_stdout(io.StringIO()):
        ingest.main(CLIPS)
        try:
            validate.main(CLIPS / "clips.parquet", VALID, report)
        except DataError as error:
            stopped = str(error)
    aside = pd.read_csv(report / "set_aside.csv")
    return dict(
        zip(aside["path"].str.removeprefix("sounds/"), aside["reason"], strict=True)
    ), stopped


def plant(rows: list[Row], rng: random.Random) -> dict[str, tuple[str, str]]:
    """Damage or change clips, and update their paths in `rows`. returns: path -> kind, reason"""
    drawn = iter(rng.sample(range(len(rows)), len(rows)))
    planted = {}
    makers = {**{kind: make for kind, (make, _) in FAULTS.items()}, **UNUSUAL}
    for kind, make in makers.items():
        for row in (rows[next(drawn)] for _ in range(EACH)):
            made = make(Path("sounds", row["path"]))
            row["path"] = str(made.relative_to("sounds"))
            if kind in FAULTS:
                planted[row["path"]] = (kind, FAULTS[kind][1])
    for row in (rows[next(drawn)] for _ in range(EACH)):
        row["label"] = row["label"][:-1]
        planted[row["path"]] = ("label typo", "; is it ")
    for row in (rows[next(drawn)] for _ in range(EACH)):
        rows.append(row | {"path": f"copies/{row['path']}"})
        Path("sounds/copies", row["path"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(Path("sounds", row["path"]), Path("sounds/copies", row["path"]))
        planted[rows[-1]["path"]] = ("copy", "in the set already")
    return planted


def of_the_set(rows: list[Row]) -> dict[str, tuple[list[Row], str]]:
    """Fault -> a table with this fault of the whole set, and a part of the expected error."""
    other_fold = str(int(rows[0]["fold"]) % 5 + 1)
    lone = [rows[0] | {"label": "whistle"}, *rows[1:]]
    return {
        "same recording in two folds": (
            [*rows, rows[0] | {"group": "new", "fold": other_fold}], "is in two folds"),
        "group in two folds": (
            [rows[0] | {"group": rows[-1]["group"], "fold": other_fold}, *rows[1:]],
            "group is in two folds"),
        "same recording in two groups": (
            [*rows, rows[0] | {"group": "new"}], "is in two groups"),
        "label with one clip": (lone, "label 'whistle' has 1 usable clips"),
    }  # fmt: skip


def configure(labels: list[str]) -> None:
    """params.yaml for the folder `sounds`; it continues whatever share is set aside."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["data"] |= {"source": "csv", "path": "sounds", "labels": labels}
    params["validation"]["max_set_aside_share"] = 1.0
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def measure() -> dict[str, object]:
    """Plant, run, and compare, in the working folder."""
    listed = list(csv.DictReader((ESC10 / "clips.csv").open(encoding="utf-8")))
    rows = [
        {"path": r["file"], "label": r["label"], "group": r["freesound_id"], "fold": r["fold"]}
        for r in listed
    ]
    shutil.copytree(ESC10, "sounds")
    configure([])
    whole = {
        kind: reason in run_validate(table)[1] for kind, (table, reason) in of_the_set(rows).items()
    }
    configure(sorted({row["label"] for row in rows}))
    planted = plant(rows, random.Random(1))  # noqa: S311
    aside, stopped = run_validate(rows)
    found = {path for path, (_, reason) in planted.items() if reason in aside.get(path, "")}
    missed = sorted({planted[path][0] for path in set(planted) - found})
    return {
        "planted": len(planted) + len(whole),
        "found": len(found) + sum(whole.values()),
        "false_alarms": len(set(aside) - set(planted)) + bool(stopped),
        "missed": missed + [kind for kind, seen in whole.items() if not seen],
        "kinds": sorted({kind for kind, _ in planted.values()} | set(whole)),
        "clips": len(rows),
        "unusual_clips": len(UNUSUAL) * EACH,
        "of_false_alarms": {path: aside[path] for path in sorted(set(aside) - set(planted))},
    }


def main() -> None:
    """Measure in a scratch folder; publish."""
    need_esc10()
    with tempfile.TemporaryDirectory() as scratch, contextlib.chdir(scratch):
        figures = measure()
    publish("planted_faults", figures)


if __name__ == "__main__":
    main()
