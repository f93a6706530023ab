"""`pocketear label-errors`, from predictions as the stage and the flow write them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.report_file import write
from pocketear.report.tables import read_table

FOLDS, FLOW = Path("reports/folds"), Path("reports/crossvalidation")


def predictions() -> pd.DataFrame:
    """Sixty clips, surely recognised; the label of number 7 is wrong."""
    labels = ["=cry", "laugh"]
    truth = np.arange(60) % 2
    scores = np.where(truth[:, None] == np.arange(2), 0.9, 0.1).astype(np.float32)
    table = pd.DataFrame({"path": [f"data/{i}.wav" for i in range(60)], "sha256": "", "group": ""})
    table["label"] = [labels[i] for i in truth]
    table.loc[7, "label"] = "=cry"
    return table.assign(
        fold=1, **{f"score_{label}": scores[:, i] for i, label in enumerate(labels)}
    )


def pocketear() -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("pocketear")), "label-errors"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_suspects_are_a_table_that_loads_back(project: Path) -> None:
    FOLDS.mkdir(parents=True)
    predictions().to_parquet(FOLDS / "predictions.parquet")
    done = pocketear()
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 suspect among 60 clips of reports/folds/predictions.parquet" in done.stdout
    (row,) = read_table(Path("reports/suspects.csv"), ("path", "label")).to_dict("records")
    assert row == {"path": "data/7.wav", "label": "=cry", "suggested": "laugh", "score": 0.1}


def test_the_flows_predictions_are_those_of_keras(project: Path) -> None:
    FLOW.mkdir(parents=True)
    other = predictions().assign(runner="litert_int8")
    other[["score_=cry", "score_laugh"]] = 0.5
    both = [predictions().assign(runner="keras"), other]
    pd.concat(both).to_parquet(FLOW / "predictions.parquet")
    assert "1 suspect among 60 clips of reports/crossvalidation/" in pocketear().stdout


def test_with_nothing_to_judge_by_it_says_what_to_run(project: Path) -> None:
    folds = GroupFolds(folds=0, why="split.crossvalidate is never", metrics=None)
    write(folds, FOLDS / "folds.json")
    done = pocketear()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "(split.crossvalidate is never); set split.crossvalidate: always" in done.stderr
    assert "`python flows/crossvalidate.py`" in done.stderr
