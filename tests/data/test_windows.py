import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pocketear.data.windows import cut_windows, stream_windows, window_starts

lengths = st.integers(1, 200)


@given(samples=st.integers(0, 500), window=lengths, hop=lengths)
def test_every_sample_is_covered_unless_the_hop_skips_it(
    samples: int, window: int, hop: int
) -> None:
    starts = window_starts(samples, window, hop)
    covered = {i for start in starts for i in range(start, start + window)}
    if hop <= window:
        assert set(range(samples)) <= covered
    assert starts == sorted(set(starts))
    assert max(starts) + window <= max(samples, window)


@given(samples=st.integers(1, 500), window=lengths, hop=lengths)
def test_a_window_holds_the_samples_where_it_starts(samples: int, window: int, hop: int) -> None:
    waveform = np.arange(1, samples + 1, dtype=np.float32)
    starts, windows = window_starts(samples, window, hop), cut_windows(waveform, window, hop)
    for start, row in zip(starts, windows, strict=True):
        expected = waveform[start : start + window]
        np.testing.assert_array_equal(row[: len(expected)], expected)
        assert not row[len(expected) :].any()


@given(
    cuts=st.lists(st.integers(0, 120), max_size=8),
    window=lengths,
    hop=lengths,
    seed=st.integers(0, 9),
)
def test_a_stream_has_the_windows_of_the_whole(
    cuts: list[int], window: int, hop: int, seed: int
) -> None:
    waveform = np.random.default_rng(seed).uniform(-1, 1, sum(cuts)).astype(np.float32)
    pieces = np.split(waveform, np.cumsum(cuts)[:-1]) if cuts else []
    streamed = list(stream_windows(pieces, window, hop))
    assert [start for start, _ in streamed] == window_starts(len(waveform), window, hop)
    rows = np.stack([row for _, row in streamed])
    np.testing.assert_array_equal(rows, cut_windows(waveform, window, hop))
