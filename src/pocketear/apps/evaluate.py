"""evaluate: labelled sounds that a model never saw -> a page and a JSON file of how good it is.

Clips that the model was trained on, or chosen with, are not judged. Waveforms wait on disk: one is
in memory at a time, however many clips there are.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from pydantic import ValidationError

from pocketear.apps.default_model import shipped_model
from pocketear.apps.limits import print_limits
from pocketear.base.archive import sha256
from pocketear.base.arrays import Scores, Waveform
from pocketear.base.errors import DataError, RunnerError
from pocketear.base.files import replacing
from pocketear.base.progress import track
from pocketear.base.tables import write_csv
from pocketear.contracts.metrics import Alarms, Metrics
from pocketear.contracts.report_file import write
from pocketear.contracts.unseen import SetAside, Unseen
from pocketear.data.cache import ArrayCache, clip_key
from pocketear.data.clip_table import measure_all, normalised
from pocketear.data.decoding.int16 import from_int16
from pocketear.data.sources import SOURCES
from pocketear.data.sources.csv import TABLE
from pocketear.data.sources.row import Row
from pocketear.data.windows import stream_windows
from pocketear.evaluation import unseen
from pocketear.evaluation.metrics import predictions
from pocketear.frontend.librosa_features import reference
from pocketear.listening import thresholds
from pocketear.params import FrontEndParams
from pocketear.report import unseen as report
from pocketear.report.player import ShownClip, show
from pocketear.report.tables import read_table
from pocketear.report.worst import worst_first
from pocketear.runtimes.card import ModelCard
from pocketear.runtimes.litert import Model, open_model

_SPLIT, _INDEX = Path("data/split/clips.parquet"), Path("data/features/index.parquet")
_SEED = 0  # of the order in which clips are joined
_KNOWN = "what the model was trained on, or chosen with, is known by content, and not judged"
_CHANGED = (
    f"{_KNOWN}; but its project's data changed since it was made, or were not kept, so clips that "
    "were removed there are not known"
)
_UNKNOWN = (
    "nothing is known of the clips that this model was trained on, so make sure that none of "
    "these is one of them"
)


@dataclass(frozen=True)
class Renaming:
    """Labels of the sounds that the model has under another name.

    other: those that are background to it; named: label of the sounds -> label of the model
    """

    other: list[str]
    named: Mapping[str, str]


@dataclass(frozen=True)
class Material:
    """The clips that are judged, decoded on disk, one in memory at a time, and what is not judged.

    table: a clip table; sides: of the split of the model's own project, "" for none
    training: what is known of the clips that the model was trained on
    """

    table: pd.DataFrame
    sides: "pd.Series[str]"
    training: str
    set_aside: list[SetAside]
    waveforms: ArrayCache

    def waveform(self, place: int) -> Waveform:
        """(sample,) float32, [-1, 1)"""
        return from_int16(self.waveforms.array(clip_key(self.table.iloc[place])))

    def all(self, doing: str) -> Iterator[Waveform]:
        """Every waveform in the table's order. doing: for the terminal"""
        places = range(len(self.table))
        return track(map(self.waveform, places), len(self.table), doing)


def run(
    data: Path, model_path: Path | None, out: Path, renaming: Renaming, *, as_json: bool
) -> None:
    """Judge a model on the sounds at `data`; write a page, JSON and predictions to `out`."""
    model = open_model(model_path or shipped_model())
    print_limits(model.card)
    rows, renamed = listed(data, model.card, renaming)
    out.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out, prefix=".waveforms-") as folder:
        material = gather(rows, data, model, ArrayCache(Path(folder), "<i2"))
        scores = clip_scores(material, model)
        table = predictions(material.table, scores, model.card.labels)
        figures = unseen.judged(table, scores, model.card.labels)
        own = {**figures.pop("metrics"), "bytes": model.path.stat().st_size}
        grouped = any(row.group for row in rows)
        found = Unseen(
            model=f"{model.card.name} {model.card.version} {model.card.variant}",
            model_sha256=sha256(model.path.read_bytes()),
            data=data.resolve().name,
            training=material.training,
            test_clips=int((material.sides == "test").sum()),
            grouped=grouped,
            renamed=renamed,
            metrics=Metrics(**own, alarms=alarms(material, model)),
            by_group=unseen.by_group(table) if grouped else (),
            set_aside=tuple(material.set_aside),
            **figures,
        )
        page = report.page(found, table, worst_clips(material, table, model))
    write(found, out / "evaluation.json")
    with replacing(out / "evaluation.html") as fresh:
        fresh.write_text(page, encoding="utf-8")
    with replacing(out / "clips.csv") as fresh:
        write_csv(table, fresh)
    shown = f"{report.text(found)}\n{out / 'evaluation.html'}"
    print(found.model_dump_json(indent=2) if as_json else shown)


def listed(data: Path, card: ModelCard, renaming: Renaming) -> tuple[list[Row], dict[str, str]]:
    """The labelled sounds at `data`, under the model's labels. returns: them, what was renamed

    raises: DataError if there are none, or labels that the model does not have
    """
    if not data.exists():
        raise DataError(f"{data}: not found; give a folder with one folder a label, or a CSV table")
    kind = "csv" if data.is_file() or (data / TABLE).is_file() else "folder"
    listing = SOURCES[kind].read(data, data)
    for note in listing.notes:
        print(f"note: {note}", file=sys.stderr)
    rows = [normalised(row) for row in listing.rows]
    usable = pd.Series([row.label for row in rows if not row.error], dtype="str")
    renamed = unseen.renamed_labels(card, renaming.other, renaming.named, set(usable))
    unseen.check_labels(usable.replace(renamed), card)
    return [replace(row, label=renamed.get(row.label, row.label)) for row in rows], renamed


def gather(rows: list[Row], data: Path, model: Model, waveforms: ArrayCache) -> Material:
    """Decode the clips, and set aside those that cannot be judged.

    raises: DataError if no clip is left
    """
    base, rate = data if data.is_dir() else data.parent, model.card.sample_rate
    named = partial(os.path.relpath, start=base)
    table = measure_all(rows, waveforms, rate, lambda path: Path(named(path)).as_posix())
    known, training = known_clips(model)
    sides = unseen.sides_of(table, known)
    reasons = unseen.reasons_against(table, sides)
    kept = reasons == ""
    aside = [
        SetAside(path=path, reason=reason)
        for path, reason in zip(table.loc[~kept, "path"], reasons[~kept], strict=True)
    ]
    if aside:
        print(f"not judged: {unseen.summed_up(aside)}", file=sys.stderr)
    if not kept.any():
        raise DataError(f"{data}: no clip is left to judge the model by; see the line above")
    return Material(table[kept].reset_index(drop=True), sides[kept], training, aside, waveforms)


def known_clips(model: Model) -> tuple[pd.DataFrame, str]:
    """The clips of the model's own project with their sides, and what is known, in a sentence.

    The project is the one that the model lies in, or the working folder, if it has the table that
    the model was made from.
    """
    home = model.path.absolute().parent.parent.parent  # of models/litert/NAME.tflite
    made_of = model.card.made_from.get("dataset", "")
    for project in (home, Path()):
        if made_of and hash_of(project / _INDEX) == made_of:
            return read_table(project / _SPLIT, ("sha256", "split")), _KNOWN
    if (home / _SPLIT).exists():
        return read_table(home / _SPLIT, ("sha256", "split")), _CHANGED
    return pd.DataFrame({"sha256": [], "split": []}, dtype="str"), _UNKNOWN


def hash_of(path: Path) -> str:
    """SHA-256 of a file; "" where there is none."""
    return sha256(path.read_bytes()) if path.is_file() else ""


def clip_scores(material: Material, model: Model) -> Scores:
    """(clip, label): the mean over each clip's windows, one window in memory at a time."""
    window, hop = model.card.window_length, model.card.hop_length
    rows = []
    for waveform in material.all("clips scored"):
        windows = stream_windows([waveform], window, hop)
        rows.append(np.mean([model.run(one[np.newaxis])[0] for _, one in windows], axis=0))
    scores = np.stack(rows)
    if not np.isfinite(scores).all():
        raise RunnerError(f"{model.path}: its scores are not numbers; export it again")
    return scores


def alarms(material: Material, model: Model) -> Alarms | None:
    """Misses and false alarms by events, on the clips joined; None if they fill no window."""
    card, places = model.card, range(len(material.table))
    lengths = [len(material.waveform(place)) for place in places]
    if sum(lengths) < card.window_length:
        return None
    labels = material.table["label"].tolist()
    order, sounds = thresholds.joined_clips(lengths, labels, card.sample_rate, _SEED)
    blocks = track(map(material.waveform, order), len(order), "clips joined and listened to")
    stream = thresholds.scored_recording(model.run, card, blocks, sounds)
    return thresholds.alarms_of([stream], card.listener)


def worst_clips(material: Material, table: pd.DataFrame, model: Model) -> list[ShownClip]:
    """The clips that the model gets most wrong, with picture and sound.

    raises: RunnerError if the model's card has no front-end that this version knows
    """
    try:
        frontend = FrontEndParams.model_validate(dict(model.card.frontend))
    except ValidationError as error:
        raise RunnerError(f"{model.path}: its card has no front-end; export it again") from error
    shown = []
    for place, judged in worst_first(table, list(model.card.labels)):
        waveform = material.waveform(place)
        shown.append(show(judged, waveform, reference(waveform, frontend), frontend.sample_rate))
    return shown
