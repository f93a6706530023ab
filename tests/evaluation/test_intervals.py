import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from pocketear.evaluation.intervals import share_interval


def of(hits: list[int], clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Groups of `clips` clips each, of which so many are hits."""
    rows = [np.arange(clips) < hit for hit in hits]
    return np.concatenate(rows), np.repeat(np.arange(len(hits)), clips).astype(object)


@pytest.mark.parametrize("groups", [1, 2, 5, 20])
@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.parametrize("likeness", [0.05, 0.5])
def test_it_covers_the_share_among_people_never_tested(
    groups: int, share: float, likeness: float
) -> None:
    """People differ: each has a rate of their own, drawn from a beta distribution."""
    rng = np.random.default_rng(groups)
    a, b = share * (1 - likeness) / likeness, (1 - share) * (1 - likeness) / likeness
    draws, missed, too_high = 40, 0, 0
    for _ in range(draws):
        clips = rng.integers(1, 30, groups)
        member = np.repeat(np.arange(groups), clips)
        hits = rng.random(len(member)) < rng.beta(a, b, groups)[member]
        low, high = share_interval(hits, member.astype(object))
        missed += not low <= share <= high
        too_high += low > share
    assert missed <= 0.2 * draws  # wanted 5 %; one or two groups reach 12 %, plus chance
    assert too_high <= 0.1 * draws  # what gates rely on: wanted 2.5 %


@given(wrong=st.integers(0, 60))
def test_independent_clips_are_nearly_those_of_jeffreys(wrong: int) -> None:
    """A little wider: that they are independent is not known."""
    hits = np.arange(60) >= wrong
    low, high = share_interval(hits, np.arange(60).astype(object))
    theirs = beta.ppf([0.025, 0.975], 60.5 - wrong, wrong + 0.5)
    np.testing.assert_allclose((low, high), theirs, atol=0.01)


def test_one_person_says_little_of_others() -> None:
    for right in (75, 69):  # 100 % and 92 % of their clips
        hits = np.arange(75) < right
        low, _ = share_interval(hits, np.full(75, "one", object))
        assert low < 0.35


def test_all_right_leaves_room_for_what_was_not_seen() -> None:
    low, high = share_interval(np.ones(74, bool), np.arange(74).astype(object))
    assert 0.95 < low < 0.98
    assert high == 1.0
    assert share_interval(np.zeros(0, bool), np.zeros(0, object)) == (0.0, 1.0)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=12))
def test_the_measured_share_lies_within(hits: list[int]) -> None:
    low, high = share_interval(*of(hits, 8))
    assert 0 <= low <= sum(hits) / (8 * len(hits)) <= high <= 1


def test_groups_that_differ_widen_it_and_more_of_them_narrow_it() -> None:
    alike, unlike = share_interval(*of([8] * 10, 10)), share_interval(*of([10] * 8 + [0] * 2, 10))
    assert unlike[1] - unlike[0] > 1.5 * (alike[1] - alike[0])
    many = share_interval(*of([8] * 40, 10))
    assert many[1] - many[0] < 0.7 * (alike[1] - alike[0])


def test_one_error_more_never_makes_it_better() -> None:
    """Of twenty groups that are all right but for a few clips."""
    lows = [share_interval(*of([10 - wrong] + [10] * 19, 10))[0] for wrong in range(4)]
    assert lows == sorted(lows, reverse=True)
