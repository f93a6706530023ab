from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocketear.base.errors import DataError
from pocketear.data.clips import read_clips, write_clips
from pocketear.params import SplitParams
from pocketear.stages import split
from tables import clip_table


def params(by: str = "group", test_fold: int = 1) -> SplitParams:
    return SplitParams.model_validate(
        {
            "by": by, "test_fold": test_fold, "test_share": 0.2, "val_share": 0.15,
            "min_test_groups": 10, "crossvalidate": "auto",
        }
    )  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(
    counts=st.lists(st.integers(60, 90), min_size=2, max_size=4),
    per_group=st.integers(1, 4),
    folds=st.sampled_from([0, 5]),
    seed=st.integers(0, 100),
)
def test_no_group_is_on_two_sides(counts: list[int], per_group: int, folds: int, seed: int) -> None:
    labels = {f"label{i}": count for i, count in enumerate(counts)}
    table = clip_table(labels, folds=folds, clips_per_group=per_group)
    out = split.assign(table, params("fold" if folds else "group"), seed)
    assert (out.groupby("group")["split"].nunique() == 1).all()
    assert set(out["split"]) == {"train", "val", "test"}
    assert 0.1 < (out["split"] == "test").mean() < 0.35


def test_the_official_fold_is_the_whole_test_side() -> None:
    out = split.assign(clip_table({"a": 50, "b": 50}, folds=5), params("fold", 3), 0)
    assert set(out.loc[out["split"] == "test", "fold"]) == {3}
    assert set(out.loc[out["split"] != "test", "fold"]) == {1, 2, 4, 5}


def test_the_same_seed_gives_the_same_split() -> None:
    table = clip_table({"a": 50, "b": 50})
    first, second = (split.assign(table, params(), 4) for _ in range(2))
    assert first.equals(second)
    assert not first.equals(split.assign(table, params(), 5))


@pytest.mark.parametrize("groups", [3, 4, 8])
def test_a_few_equal_groups_can_be_split_and_the_seed_moves_them(groups: int) -> None:
    table = clip_table({"a": 10 * groups, "b": 10 * groups}, clips_per_group=10)
    tested = set()
    for seed in range(30):
        out = split.assign(table, params(), seed)
        counts = out.groupby(["label", "split"]).size()
        assert len(counts) == 6
        tested |= set(out.loc[(out["split"] == "test") & (out["label"] == "a"), "group"])
    assert len(tested) == groups


def test_every_fold_tests_other_groups_and_each_clip_once() -> None:
    table = clip_table({"a": 60, "b": 30}, clips_per_group=10)
    tested: list[str] = []
    for fold in (1, 2, 3):  # b comes from three groups
        out = split.assign(table, params(test_fold=fold), 0)
        tested += list(out.loc[out["split"] == "test", "path"])
    assert sorted(tested) == sorted(table["path"])
    with pytest.raises(DataError, match="test_fold 4 is not in the dataset; by group it divides"):
        split.assign(table, params(test_fold=4), 0)


def test_a_recording_larger_than_its_share_is_trained_on() -> None:
    """One recording with 70 of 100 clips of a label would decide the test side alone."""
    table = clip_table({"a": 100, "b": 100})
    table.loc[table.index[:70], "group"] = "one long recording"
    for seed in range(10):
        out = split.assign(table, params(), seed)
        assert set(out.loc[out["group"] == "one long recording", "split"]) == {"train"}
        counts = out[out["label"] == "a"].groupby("split")["group"].nunique()
        assert counts["test"] >= 5


def test_a_missing_fold_is_named() -> None:
    with pytest.raises(DataError, match="test_fold 9 is not in the dataset; its folds are 1, 2"):
        split.assign(clip_table({"a": 20}, folds=2), params("fold", 9), 0)
    with pytest.raises(DataError, match=r"set split\.by to group"):
        split.assign(clip_table({"a": 20}), params("fold"), 0)


def test_a_label_from_one_room_cannot_be_split() -> None:
    table = clip_table({"a": 50, "b": 50})
    table.loc[table["label"] == "b", "group"] = "one room"
    with pytest.raises(DataError, match=r"label 'b' \(1\) comes from fewer than three groups"):
        split.assign(table, params(), 0)


def test_main_keeps_every_clip(project: Path) -> None:
    write_clips(clip_table({"a": 50, "b": 50}), project / "valid.parquet")
    split.main(project / "valid.parquet", project / "out.parquet")
    out = read_clips(project / "out.parquet")
    assert len(out) == 100
    assert set(out["split"]) == {"train", "val", "test"}
