import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from pocketear.evaluation.intervals import effective_number, share_interval


def of(hits: list[int], clips: int) -> tuple[np.ndarray, np.ndarray]:
    """Groups of `clips` clips each, of which so many are hits."""
    rows = [np.arange(clips) < hit for hit in hits]
    return np.concatenate(rows), np.repeat(np.arange(len(hits)), clips).astype(object)


@pytest.mark.parametrize("groups", [1, 2, 5, 10, 40])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("likeness", [0.05, 0.5])
def test_it_covers_the_share_among_people_never_tested(
    groups: int, share: float, likeness: float
) -> None:
    """People differ: each has a rate of their own, drawn from a beta distribution."""
    rng = np.random.default_rng(groups)
    a, b = share * (1 - likeness) / likeness, (1 - share) * (1 - likeness) / likeness
    missed = 0
    for _ in range(200):
        clips = rng.integers(1, 30, groups)
        member = np.repeat(np.arange(groups), clips)
        hits = rng.random(len(member)) < rng.beta(a, b, groups)[member]
        low, high = share_interval(hits, member.astype(object))
        missed += not low <= share <= high
    assert missed <= 14  # 5 % of 200, and three standard deviations of chance


@given(wrong=st.integers(0, 60))
def test_many_independent_clips_are_clopper_and_pearsons(wrong: int) -> None:
    hits = np.arange(60) >= wrong
    ours = share_interval(hits, np.arange(60).astype(object))
    theirs = binomtest(60 - wrong, 60).proportion_ci(0.95, "exact")
    np.testing.assert_allclose(ours, (theirs.low, theirs.high), atol=0.005)


def test_one_person_says_next_to_nothing_of_others() -> None:
    for right in (75, 69):  # 100 % and 92 % of their clips
        hits = np.arange(75) < right
        low, _ = share_interval(hits, np.full(75, "one", object))
        assert low < 0.05


def test_all_right_leaves_room_for_what_was_not_seen() -> None:
    low, high = share_interval(np.ones(74, bool), np.arange(74).astype(object))
    assert low == pytest.approx(0.025 ** (1 / 74), abs=0.002)
    assert high == 1.0
    assert share_interval(np.zeros(0, bool), np.zeros(0, object)) == (0.0, 1.0)


@given(st.lists(st.integers(0, 8), min_size=2, max_size=12))
def test_the_measured_share_lies_within(hits: list[int]) -> None:
    low, high = share_interval(*of(hits, 8))
    assert 0 <= low <= sum(hits) / (8 * len(hits)) <= high <= 1
    assert 1 <= effective_number(*of(hits, 8)) <= 8 * len(hits)


def test_groups_that_differ_widen_it() -> None:
    alike, unlike = of([8] * 10, 10), of([10] * 8 + [0] * 2, 10)
    narrow, wide = share_interval(*alike), share_interval(*unlike)
    assert wide[1] - wide[0] > 1.5 * (narrow[1] - narrow[0])
