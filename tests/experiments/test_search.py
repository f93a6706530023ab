"""`pocketear search`: recipes tried by Optuna, on real clips of a small store."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from places import ROOT
from pocketear import cli
from pocketear.base.errors import DataError, ParamsError
from pocketear.experiments import search, search_results
from pocketear.experiments.client import connect, experiment_id
from pocketear.experiments.search import SPACES, Found, Plan, front
from pocketear.experiments.trial import Figures
from pocketear.params import Params, load_params, value_of, with_values
from small_store import make_store


def trial(number: int, accuracy: float, instructions: int) -> Found:
    return Found(number, {"model.width": 1.0}, Figures(accuracy, instructions))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=12))
def test_the_front_is_what_optuna_says(figures: list[tuple[int, int]]) -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for values in figures:
        study.add_trial(optuna.trial.create_trial(values=values))
    ours = front([trial(number, *values) for number, values in enumerate(figures)])
    theirs = {tuple(map(float, one.values)) for one in study.best_trials}
    assert {(one.figures.accuracy, float(one.figures.instructions)) for one in ours} == theirs
    costs = [one.figures.instructions for one in ours]
    assert costs == sorted(costs)


def test_every_choice_is_one_that_params_take() -> None:
    plain = (ROOT / "params.yaml").read_text()
    for architecture, space in SPACES.items():
        content = yaml.safe_load(plain)
        content["model"]["architecture"] = architecture
        if architecture == "yamnet":
            content["frontend"]["preset"] = "yamnet"
            content["model"]["start"] = "data/backbone/yamnet.tflite"
        if architecture == "mfcc_cnn":
            content["frontend"]["kind"] = "mfcc"
        params = Params.model_validate(content)
        for name, choices in space.items():
            for choice in choices:
                assert value_of(with_values(params, {name: choice}), name) == choice


def test_the_best_is_within_the_budget(tmp_path: Path) -> None:
    trials = [trial(0, 0.9, 4_000_000), trial(1, 0.95, 9_000_000), trial(2, 0.8, 5_000_000)]
    shown = search_results.text(trials, 6e6, tmp_path)
    assert "the best within 6 M is trial 0: dvc exp run -S model.width=1" in shown
    assert "all 3 trials" in shown and "80.0 %" not in shown
    assert "none keeps to 1 M" in search_results.text(trials, 1e6, tmp_path)
    search_results.write(trials, 6e6, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out/trials.csv")
    assert list(table["on_front"]) == [True, True, False]
    assert (tmp_path / "out/front.png").read_bytes().startswith(b"\x89PNG")


def test_a_storage_that_is_none_is_one_line_without_its_password() -> None:
    plan = Plan(1, 2, "a53", "postgresql://ann:secret@127.0.0.1:1/studies")
    with pytest.raises(DataError, match=r"--storage .*cannot be opened") as error:
        search._study("key", load_params(ROOT / "params.yaml"), plan)
    assert "secret" not in str(error.value)


@pytest.fixture
def project_with_store(project: Path) -> Path:
    make_store(project, clips_per_group=2)
    (project / ".pocketear").mkdir(exist_ok=True)
    (project / ".pocketear/phone").symlink_to(ROOT / ".pocketear/phone")
    (project / "data").mkdir(exist_ok=True)
    (project / "features").rename(project / "data/features")
    return project


@pytest.mark.slow
def test_a_search_goes_on_where_it_stopped(
    project_with_store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def repeatable(seed: int) -> None:  # threads cannot be set once TensorFlow has computed
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()

    monkeypatch.setattr(search, "make_repeatable", repeatable)
    for _ in range(2):
        cli.main(["search", "--trials", "1", "--folds", "2"])
    printed = capsys.readouterr()
    table = pd.read_csv("reports/search/trials.csv")
    assert list(table["trial"]) == [0, 1], "the second call adds to the first"
    assert table["model.width"].iloc[0] == 0.25, "the present recipe is tried first"
    assert not table.duplicated(["model.width", "model.dropout", "augment.mix_share"]).any()
    assert ((table["accuracy"] >= 0) & (table["accuracy"] <= 1)).all()
    by_width = table.groupby("model.width")["instructions"]
    assert (by_width.nunique() == 1).all() and by_width.first().is_monotonic_increasing
    assert "the best within 12 M is trial" in printed.out
    with connect() as client:
        found = client.search_runs([experiment_id(client)])
    children = [one for one in found if "mlflow.parentRunId" in one.data.tags]
    parents = {one.info.run_id for one in found if one not in children}
    assert len(parents) == 2 and len(children) == len(table)
    assert {one.data.tags["mlflow.parentRunId"] for one in children} <= parents
    logged = sorted(one.data.metrics["instructions"] for one in children)
    assert np.allclose(logged, sorted(table["instructions"]))


def test_a_phone_without_a_budget_is_one_line(project: Path) -> None:
    command = [str(Path(sys.executable).with_name("pocketear")), "search", "--phone", "a99"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: --phone a99: gate.budgets in params.yaml has a53, a76"
    ]


def test_values_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(ParamsError, match=r"params.yaml: model.width"):
        with_values(load_params(ROOT / "params.yaml"), {"model.width": -1})
