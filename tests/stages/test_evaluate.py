import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score

from exported_project import working_in
from pocketear.params import load_params
from pocketear.runner import open_runner
from pocketear.stages import evaluate
from pocketear.store import open_store

RUNNERS = ["keras", "litert_fp32", "litert_int8", "coreml_fp16"]


@pytest.fixture(scope="module")
def evaluated(exported: Path) -> Path:
    with working_in(exported):
        evaluate.main(
            Path("data/features"), Path("models"), Path("reports/metrics.json"),
            Path("reports/evaluation"),
        )  # fmt: skip
    return exported / "reports"


def test_every_runner_is_scored_on_the_test_side_alone(evaluated: Path, exported: Path) -> None:
    metrics = json.loads((evaluated / "metrics.json").read_text())
    assert list(metrics) == RUNNERS
    table = pd.read_parquet(evaluated / "evaluation" / "predictions.parquet")
    index = open_store(exported / "data" / "features").index
    test = set(index.loc[index["split"] == "test", "path"])
    for name in RUNNERS:
        own = table[table["runner"] == name]
        assert set(own["path"]) == test
        assert metrics[name]["clips"] == len(test)
        assert metrics[name]["accuracy"] == accuracy_score(own["label"], own["predicted"])


def test_a_clips_scores_are_the_mean_over_its_windows(evaluated: Path, exported: Path) -> None:
    table = pd.read_parquet(evaluated / "evaluation" / "predictions.parquet")
    row = table[table["runner"] == "litert_fp32"].iloc[0]
    store = open_store(exported / "data" / "features")
    waveform = store.waveform(int(np.flatnonzero(store.index["path"] == row["path"])[0]))
    with working_in(exported):
        hop = load_params().evaluate.hop_length
    run = open_runner(exported / "models" / "litert" / "cry_laugh_fp32.tflite")
    starts = [*range(0, len(waveform) - 24000 + 1, hop)]
    assert starts[-1] + 24000 == len(waveform)
    expected = run(np.stack([waveform[s : s + 24000] for s in starts])).mean(axis=0)
    scores = row[[f"score_{label}" for label in ("background", "cry", "laugh")]]
    np.testing.assert_allclose(scores.to_numpy(float), expected, atol=1e-6)


def test_plots_are_what_dvc_can_draw(evaluated: Path) -> None:
    confusion = pd.read_csv(evaluated / "evaluation" / "confusion.csv")
    assert list(confusion) == ["actual", "predicted"]
    calibration = pd.read_csv(evaluated / "evaluation" / "calibration.csv")
    assert {"confidence", "accuracy"} <= set(calibration)
