import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocketear.contracts.unseen import SetAside
from pocketear.evaluation.intervals import share_interval
from pocketear.evaluation.unseen import by_property, reasons_against, sides_of, summed_up
from tables import clip_table


@pytest.mark.parametrize(
    ("sides", "counts_as"),
    [(["test", "train"], "train"), (["val", "test"], "val"), (["test"], "test"), ([], "")],
)
def test_a_file_on_two_sides_counts_as_of_the_one_nearest_to_training(
    sides: list[str], counts_as: str
) -> None:
    known = pd.DataFrame({"sha256": ["a"] * len(sides), "split": sides}, dtype="str")
    table = clip_table({"x": 2}).assign(sha256=["a", "b"])
    assert sides_of(table, known).tolist() == [counts_as, ""]


def test_a_copy_in_another_file_is_known_by_its_samples() -> None:
    known = pd.DataFrame({"sha256": ["wav", "gone"], "sound": ["s", ""], "split": "train"})
    table = clip_table({"x": 3}).assign(sha256=["flac", "wav", "new"], sound=["s", "t", ""])
    assert sides_of(table, known).tolist() == ["train", "train", ""]


def test_a_clip_that_cannot_be_decoded_says_so_first() -> None:
    table = clip_table({"x": 8}).assign(error=["", "truncated"] + [""] * 6)
    sides = pd.Series(["", "train"] + ["train"] * 6)
    reasons = reasons_against(table, sides).tolist()
    assert reasons == ["", "truncated"] + ["the model was trained on it"] * 6
    aside = [SetAside(path="a", reason=reason) for reason in reasons[1:]]
    assert summed_up(aside).endswith(" and 1 more: the model was trained on it")


@given(st.lists(st.floats(-90, 0), min_size=1, max_size=60), st.integers(0, 9))
def test_ranges_of_a_property_hold_every_clip_once(levels: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    correct = rng.random(len(levels)) < 0.5
    table = clip_table({"x": len(levels)}).assign(level_dbfs=levels)
    rows = by_property(table, correct).get("level_dbfs", ())
    if rows:
        assert sum(row.clips for row in rows) == len(levels)
        assert sum(row.clips * row.accuracy for row in rows) == pytest.approx(correct.sum())
    else:
        assert pd.Series(levels).round(1).nunique() <= 2  # too alike to be told apart


def test_a_column_of_anybodys_is_a_property_unless_it_parts_clips_too_finely() -> None:
    table = clip_table({"x": 30}).assign(
        codec=["mp3", "aac"] * 15, title=[f"{i}" for i in range(30)]
    )
    correct = (table["codec"] == "mp3").to_numpy()
    found = by_property(table, correct)
    assert list(found) == ["codec"]
    aac, mp3 = found["codec"]
    assert (aac.name, aac.accuracy, mp3.name, mp3.accuracy) == ("aac", 0.0, "mp3", 1.0)
    groups = table.loc[correct, "group"].to_numpy(object)
    assert (mp3.low, mp3.high) == share_interval(np.ones(15, bool), groups)
