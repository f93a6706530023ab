"""What a clip counts."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketear.training.sides import Side


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
