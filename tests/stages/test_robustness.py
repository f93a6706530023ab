from pathlib import Path

import numpy as np
import pytest

from exported_project import working_in
from pocketear.base.errors import ParamsError
from pocketear.contracts.report_file import read
from pocketear.contracts.robustness import RobustnessReport
from pocketear.data.store import open_store
from pocketear.evaluation.conditions import CONDITIONS
from pocketear.params import load_params
from pocketear.runtimes.clip_scores import clip_scores
from pocketear.runtimes.litert import open_model
from pocketear.stages import robustness


def test_every_condition_is_scored_on_the_test_side(exported: Path) -> None:
    with working_in(exported):
        robustness.main(Path("data/features"), Path("models"), Path("reports/robustness.json"))
        found = read(Path("reports/robustness.json"), RobustnessReport)
        assert list(found.root) == list(load_params().gate.robust)

        store, model = open_store(Path("data/features")), open_model(shipped())
        rows = np.flatnonzero(store.index["split"] == "test")
        changed = [CONDITIONS["noise_0"](store.waveform(int(row)), 16_000) for row in rows]
        scores = clip_scores(model.run, changed, model.card.window_length, model.card.hop_length)
        right = np.asarray(model.card.labels)[scores.argmax(axis=1)] == (
            store.index["label"].iloc[rows].to_numpy()
        )
        assert found.root["noise_0"].accuracy == right.mean()
        assert found.root["noise_0"].clips == len(rows)


def shipped() -> Path:
    return Path("models/litert/cry_laugh_int8.tflite")


def test_a_condition_that_does_not_exist_is_named() -> None:
    with pytest.raises(ParamsError, match=r"no condition rain; there are phone_band, amr"):
        robustness.chosen({"phone_band": 0.5, "rain": 0.1})
