"""fooled_sets: sets of real clips as a user may have them, and what the project says of each.

A way to fool the verdict needs no training: the model is taken to be right about every clip, as one
that learnt a shortcut is. So what is left to refuse the set is the set itself.
"""

import contextlib
import csv
import functools
import hashlib
import io
import json
import runpy
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import yaml
from numpy.typing import NDArray

from planted_labels import mfcc_features, scores_out_of_fold
from pocketear.apps.label_errors import run
from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.latency import LatencyReport, ModelCost
from pocketear.contracts.metrics import Alarms, Metrics, MetricsReport
from pocketear.contracts.names import KERAS, SCORE_COLUMN, shipped_runners
from pocketear.contracts.parity import ParityReport
from pocketear.contracts.report_file import write
from pocketear.contracts.robustness import RobustnessReport
from pocketear.data.clips import known_labels, read_clips
from pocketear.data.grouping.folds import possible_folds
from pocketear.evaluation.metrics import score
from pocketear.params import Params, load_params
from pocketear.stages.crossvalidate import needed
from project import ESC10, ROOT
from sounds import write_by_phone

Sound = NDArray[np.float32]
Changes = dict[str, dict[str, Any]]  # of params.yaml, by section

LABELS = ("baby_cry", "dog_bark", "rooster")
CRY_LAUGH = ROOT.parent / "shared/data/cry_laugh"
RATE = 44_100  # Hz, of ESC-10
SECONDS, GROUPS = 2.0, 12
_STEP = 1 / 32768  # a 16-bit step: below it, digital silence
_PHONE = ".m4a"


@dataclass(frozen=True)
class Clip:
    """A clip to be written. sound: (sample,) or (sample, channel), full scale = 1

    group: as the user gives it, "" where not; recording: the truth; name: "" for one that says
        nothing; start, end: s, of a clip that is a part of a file
    """

    label: str
    group: str
    recording: str
    sound: Sound
    rate: int = RATE
    ending: str = ".wav"
    subtype: str | None = "PCM_16"
    fold: int = 0
    name: str = ""
    start: float = 0.0
    end: float = 0.0


@functools.cache
def recordings() -> tuple[Clip, ...]:
    """One clip of each Freesound id of LABELS, without digital silence, SECONDS and longer."""
    found: dict[str, Clip] = {}
    with (ESC10 / "clips.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["label"] in LABELS]
    for row in rows:
        sound, rate = soundfile.read(ESC10 / row["file"], dtype="float32")
        sounding = _longest_sound(sound, rate)
        if rate == RATE and len(sounding) >= SECONDS * RATE and row["freesound_id"] not in found:
            number = row["freesound_id"]
            found[number] = Clip(row["label"], number, number, sounding)
    return tuple(found.values())


def _longest_sound(sound: Sound, rate: int) -> Sound:
    """The longest part without 10 ms of digital silence."""
    size = rate // 100
    blocks = np.abs(sound[: len(sound) // size * size]).reshape(-1, size).max(axis=1) >= _STEP
    edges = np.flatnonzero(np.diff(np.concatenate([[0], blocks.astype(int), [0]])))
    start, stop = max(edges.reshape(-1, 2), key=lambda ends: ends[1] - ends[0], default=(0, 0))
    return sound[start * size : stop * size]


def clean(groups: int = GROUPS) -> list[Clip]:
    """`groups` clips of each label, as alike as real ones are: rate, codec, depth, length."""
    size = int(SECONDS * RATE)
    return [
        replace(one, sound=one.sound[:size])
        for label in LABELS
        for one in [one for one in recordings() if one.label == label][:groups]
    ]


def write_set(clips: list[Clip]) -> Changes:
    """Write the clips and their table below sounds/. returns: where the project finds them"""
    folder = Path("sounds")
    folder.mkdir()
    with (folder / "clips.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "group", "fold", "start", "end"])
        for number, clip in enumerate(clips):
            digest = hashlib.sha256(f"{number}".encode()).hexdigest()[:12]
            path = folder / ((clip.name or digest) + clip.ending)
            _write(path, clip)
            place = [clip.start or "", clip.end or ""]
            table.writerow([path.name, clip.label, clip.group, clip.fold or "", *place])
    return {"data": {"source": "csv", "path": "sounds"}}


def _write(path: Path, clip: Clip) -> None:
    if clip.ending == _PHONE:
        write_by_phone(path, "aac", clip.rate, clip.sound)
    elif not path.exists():  # parts of one file share it
        soundfile.write(path, clip.sound, clip.rate, clip.subtype)


def coded(sound: Sound, rate: int, kind: str) -> Sound:
    """The sound as a lossy format gives it back. kind: of soundfile, such as MP3"""
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=kind)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    return np.asarray(decoded)


def set_params(changes: Changes) -> None:
    """Change params.yaml in the working folder."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    for section, values in changes.items():
        params[section] |= values
    Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def journey() -> str:
    """Run the stages that judge a set, in the working folder.

    returns: what a user sees: the terminal, and what the reports say of clips
    """
    text = ""
    for name in ("ingest", "group", "validate", "split"):
        status, said = run_stage(name)
        text += said
        if status:
            return text + "".join(_reported())
    write_all_right(load_params(), read_clips(Path("data/split/clips.parquet")))
    return text + run_stage("gate")[1] + "".join(_reported())


def run_stage(name: str) -> tuple[int, str]:
    """Run a command of dvc.yaml as `python -m` does, but with the libraries loaded already.

    returns: its exit status, and what it wrote to the terminal
    """
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    _, _, module, *words = shlex.split(stages[name]["cmd"])
    terminal, before = io.StringIO(), sys.argv
    sys.argv = [module, *words]
    try:
        with contextlib.redirect_stdout(terminal), contextlib.redirect_stderr(terminal):
            runpy.run_module(module, run_name="__main__", alter_sys=False)
    except SystemExit as ended:
        return int(ended.code or 0), terminal.getvalue()
    finally:
        sys.argv = before
    return 0, terminal.getvalue()


def _reported() -> Iterator[str]:
    """What the reports say of single clips: leaks, recordings, clips set aside."""
    groups = Path("reports/groups.json")
    found = json.loads(groups.read_text(encoding="utf-8")) if groups.exists() else {}
    for leak in found.get("leaks", ()):
        yield f"groups.json: leak by {leak['what']}: {' = '.join(leak['clips'])}\n"
    for one in found.get("recordings", ()):
        kinds = ", ".join(each["kind"] for each in one["evidence"])
        yield f"groups.json: {len(one['clips'])} clips are one recording by {kinds}\n"
    aside = Path("reports/validation/set_aside.csv")
    if aside.exists():
        yield from (f"set aside: {reason}\n" for reason in pd.read_csv(aside)["reason"])


def parted(clips: list[Clip]) -> list[str]:
    """The recordings that lie on two sides of the split."""
    table = Path("data/split/clips.parquet")
    if not table.exists():
        return []
    sides = read_clips(table).set_index(["path", "start"])["split"]
    by_recording: dict[str, set[str]] = {}
    written = pd.read_csv("sounds/clips.csv")["path"]
    for clip, name in zip(clips, written, strict=True):
        side = sides.get((f"sounds/{name}", clip.start))
        if side is not None:  # None: set aside
            by_recording.setdefault(clip.recording, set()).add(str(side))
    return [name for name, found in by_recording.items() if len(found) > 1]


def label_errors() -> str:
    """What `pocketear label-errors` prints of the set in the working folder.

    A plain classifier stands for the models of `crossvalidate`: one that is right about every
    clip, as in `journey`, would have learnt no label that is wrong.
    """
    clips = read_clips(Path("data/split/clips.parquet"))
    labels = known_labels(clips, ())
    features = mfcc_features([Path(path) for path in clips["path"]])
    scores = scores_out_of_fold(features, clips["label"], clips["group"])
    columns = {SCORE_COLUMN + label: scores[:, i] for i, label in enumerate(labels)}
    folds = Path("reports/folds/predictions.parquet")
    clips[["path", "label"]].assign(**columns).to_parquet(folds)
    terminal = io.StringIO()
    with contextlib.redirect_stdout(terminal):
        run(Path("reports"), Path("reports/label_errors.csv"))
    return terminal.getvalue()


def write_all_right(params: Params, split: pd.DataFrame) -> None:
    """Write the reports that `gate` reads, of a model that is right about every clip."""
    labels = known_labels(split, params.data.labels)
    own = _all_right(split[split["split"] == "test"], labels)
    wanted, why = needed(split, params.split)
    folds = possible_folds(split, params.split.folds) if wanted else 0
    every = _all_right(split, labels) if folds else None
    shipped = f"{params.package.name}_{params.export.android}.tflite"
    reports = Path("reports")
    (reports / "folds").mkdir(exist_ok=True)
    names = dict.fromkeys((KERAS, *shipped_runners(params.export)), own)
    write(MetricsReport(names), reports / "metrics.json")
    write(GroupFolds(folds=folds, why=why, metrics=every), reports / "folds/folds.json")
    write(RobustnessReport({}), reports / "robustness.json")
    write(ParityReport(windows=(), entries=()), reports / "parity.json")
    cost = {shipped: ModelCost(bytes=1)}
    write(LatencyReport(shipped=shipped, models=cost), reports / "latency.json")


def _all_right(clips: pd.DataFrame, labels: tuple[str, ...]) -> Metrics:
    truth = clips["label"].to_numpy()[:, None] == np.array(labels)
    figures = score(clips, truth.astype(np.float32), labels, 10)
    misses = dict.fromkeys(labels, 0.0)
    quiet = Alarms(misses=misses, false_alarms=0, quiet_hours=0.0, false_alarms_per_hour_high=None)
    return Metrics(bytes=1, **figures, alarms=quiet)


# what the assumed model is not asked: there is no file that could be slow or differ from Keras
NOT_ASKED: Changes = {"gate": {"budgets": {}, "robust": {}}}
