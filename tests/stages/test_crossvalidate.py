"""Cross-validation by group: each clip scored once by a model that never saw its group."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.report_file import read
from pocketear.data.store import Store
from pocketear.evaluation.out_of_fold import sides_of_fold
from pocketear.params import load_params
from pocketear.stages import crossvalidate
from pocketear.training import fitting
from small_store import LABELS, make_store
from tables import clip_table


def index(groups_on_test: int) -> pd.DataFrame:
    table = clip_table({"a": 60, "b": 60})
    table["split"] = ["test" if i % 60 < groups_on_test else "train" for i in range(120)]
    return table


def test_it_is_done_where_one_person_would_decide() -> None:
    p = load_params().split
    assert crossvalidate.needed(index(5), p)[0] is False
    wanted, why = crossvalidate.needed(index(3), p)
    assert wanted and why == "fewer than 5 groups on the test side: a (3), b (3)"
    official, why = crossvalidate.needed(index(3), p.model_copy(update={"by": "fold"}))
    assert not official and "`crossvalidate/folds`" in why
    for choice, done in {"always": True, "never": False}.items():
        asked = p.model_copy(update={"crossvalidate": choice})
        assert crossvalidate.needed(index(3), asked)[0] is done


def test_no_group_is_on_two_sides_of_a_fold() -> None:
    table = clip_table({"a": 60, "b": 40}, clips_per_group=5)
    tested: list[str] = []
    for fold in range(1, 6):
        sides = sides_of_fold(table, 5, fold, seed=1)
        assert (sides.groupby(table["group"]).nunique() == 1).all()
        assert set(sides) == {"train", "val", "test"}
        tested += list(table.loc[sides == "test", "path"])
    assert sorted(tested) == sorted(table["path"])


@pytest.fixture
def store(project: Path) -> Store:
    made = make_store(project, clips_per_group=2)
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["split"]["test_share"] = 0.5
    params["train"]["epochs"] = 1
    Path("params.yaml").write_text(yaml.safe_dump(params))
    return made


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_and_gives_the_same(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def repeatable(seed: int) -> None:  # threads cannot be set once TensorFlow has computed
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        fitting.start_afresh(seed)

    monkeypatch.setattr(fitting, "make_repeatable", repeatable)
    crossvalidate.main(Path("features"), Path("whole"))
    found = read(Path("whole/folds.json"), GroupFolds)
    table = pd.read_parquet("whole/predictions.parquet")
    assert found.folds == 2 and found.metrics and found.metrics.groups == 15
    assert sorted(table["path"]) == sorted(store.index["path"])
    assert list(table.filter(like="score_")) == [f"score_{label}" for label in LABELS]

    kept = sorted(Path(".pocketear/folds").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert [path.suffix for path in kept] == [".parquet"] * 2
    kept[1].unlink()  # as a kill in the second fold leaves it
    crossvalidate.main(Path("features"), Path("again"))
    assert Path("again/predictions.parquet").read_bytes() == (
        Path("whole/predictions.parquet").read_bytes()
    )

    def fail(*_: object) -> None:
        raise AssertionError("a fold that is kept was trained again")

    monkeypatch.setattr(crossvalidate, "score_fold", fail)
    crossvalidate.main(Path("features"), Path("kept"))
    with pytest.raises(AssertionError):  # another recipe: nothing kept is of use
        params = Path("params.yaml").read_text().replace("epochs: 1", "epochs: 2")
        Path("params.yaml").write_text(params)
        crossvalidate.main(Path("features"), Path("other"))
