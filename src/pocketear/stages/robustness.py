"""robustness: the file that ships, on test clips as other phones, rooms and channels give them.

Only the conditions of gate.robust are tried. A clip's scores are the mean of its windows' scores,
as in `evaluate`.
"""

from pathlib import Path

import numpy as np

from pocketear.base import process
from pocketear.base.errors import ParamsError
from pocketear.base.progress import track
from pocketear.contracts.names import ModelFiles, shipped_runners
from pocketear.contracts.report_file import write
from pocketear.contracts.robustness import Robustness, RobustnessReport
from pocketear.data.clips import read_labels
from pocketear.data.store import Store, open_store
from pocketear.evaluation.conditions import CONDITIONS, Change
from pocketear.params import load_params
from pocketear.runtimes.clip_scores import clip_scores
from pocketear.runtimes.litert import Model, open_model


def judge(model: Model, store: Store, labels: tuple[str, ...], change: Change) -> Robustness:
    """Score the test side under one condition."""
    rows = np.flatnonzero(store.index["split"] == "test").tolist()
    card = model.card
    waveforms = [change(store.waveform(row), card.sample_rate) for row in rows]
    scores = clip_scores(model.run, waveforms, card.window_length, card.hop_length)
    truth = store.index["label"].iloc[rows].to_numpy(object)
    right = np.asarray(labels, object)[scores.argmax(axis=1)] == truth
    return Robustness(
        clips=len(rows),
        accuracy=float(right.mean()),
        recall={label: float(right[truth == label].mean()) for label in labels},
    )


def chosen(names: dict[str, float]) -> dict[str, Change]:
    """The conditions that params.yaml names.

    raises: ParamsError naming those that do not exist
    """
    if unknown := sorted(set(names) - set(CONDITIONS)):
        known = ", ".join(CONDITIONS)
        raise ParamsError(f"gate.robust: no condition {', '.join(unknown)}; there are {known}")
    return {name: CONDITIONS[name] for name in names}


def main(features: Path, models: Path, out: Path) -> None:
    """Score the file that ships on Android under every condition."""
    params, store = load_params(), open_store(features)
    files = ModelFiles(models, params.package.name)
    path = files.by_runner()[shipped_runners(params.export)[0]]
    model, labels = open_model(path), read_labels(files.labels)
    conditions = chosen(params.gate.robust)
    found = {
        name: judge(model, store, labels, change)
        for name, change in track(conditions.items(), len(conditions), "robustness")
    }
    write(RobustnessReport(found), out)
    for name, one in found.items():
        print(
            f"robustness: {name}: accuracy {one.accuracy:.3f}, recall of {one.worst} "
            f"{one.recall[one.worst]:.3f}"
        )


if __name__ == "__main__":
    process.run(main)
