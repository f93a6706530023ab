"""What a clip counts."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from places import ROOT
from pocketear.params import load_params
from pocketear.training.sides import Side, TrainingSide


def side(labels: list[int], groups: list[str]) -> Side:
    store: Any = SimpleNamespace(index=pd.DataFrame({"group": ["other", *groups]}))
    return Side(store, np.arange(1, len(groups) + 1), np.eye(3, dtype=np.float32)[labels])


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcde")), min_size=1, max_size=40))
def test_labels_count_the_same_and_groups_within_them(clips: list[tuple[int, str]]) -> None:
    labels, groups = map(list, zip(*clips, strict=True))
    weights = side(labels, groups).weights()
    assert weights.mean() == pytest.approx(1)
    table = pd.DataFrame({"label": labels, "group": groups, "weight": weights})
    by_label = table.groupby("label")["weight"].sum()
    assert np.allclose(by_label, len(clips) / len(by_label))
    for _, rows in table.groupby("label"):
        by_group = rows.groupby("group")["weight"].sum()
        assert np.allclose(by_group, by_group.iloc[0])
        assert (rows.groupby("group")["weight"].nunique() == 1).all()


def test_one_person_with_most_clips_is_one_of_three() -> None:
    weights = side([0] * 9 + [0, 0, 1], [*"aaaaaaaaa", *"bcd"]).weights()
    assert weights == pytest.approx([12 / 54] * 9 + [2, 2, 6])


def training_side(labels: list[int]) -> TrainingSide:
    clips = side(labels, ["a"] * len(labels))
    return TrainingSide(clips, load_params(ROOT / "params.yaml").augment, seed=7, balanced=True)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=60), st.integers(0, 1000))
def test_an_epoch_has_every_label_as_often(labels: list[int], epoch: int) -> None:
    order, clips = training_side(labels).draw(epoch)
    assert sorted(order) == list(clips) and len(clips) == len(labels)
    drawn = np.bincount(np.array(labels)[clips])
    assert np.ptp(drawn[np.unique(labels)]) <= 1
    times = np.bincount(clips, minlength=len(labels))
    for label in set(labels):
        assert np.ptp(times[np.array(labels) == label]) <= 1


def test_over_many_epochs_clips_of_a_label_are_drawn_alike() -> None:
    labels = [0] * 45 + [1] * 3
    drawn = [training_side(labels).draw(epoch)[1] for epoch in range(400)]
    times = np.bincount(np.concatenate(drawn))
    assert times[:45] / 400 == pytest.approx(24 / 45, abs=0.1)
    assert times[45:] / 400 == pytest.approx(8, abs=0.1)


def test_where_labels_have_the_same_number_each_clip_is_there_once() -> None:
    for epoch in range(20):
        _, clips = training_side([0, 1, 2] * 7).draw(epoch)
        assert list(clips) == list(range(21))
