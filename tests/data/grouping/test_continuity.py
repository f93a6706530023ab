"""continuity: which clip goes on where another stops."""

from pathlib import Path

import numpy as np
import pytest

from pocketear.data.decoding.audio import load_waveform
from pocketear.data.grouping.continuity import RATE, continuations, ends


def test_tones_are_predicted_across_the_cut() -> None:
    """The reference is the formula of the sound itself."""
    time = np.arange(2 * RATE) / RATE
    sound = np.sum([np.sin(2 * np.pi * hz * time) / 10 for hz in (440, 1230, 3100)], axis=0)
    before, after = ends(sound[:RATE].astype(np.float32)), ends(sound[RATE:].astype(np.float32))
    assert before
    assert after
    np.testing.assert_allclose(before.after, after.begins, atol=2e-3)
    np.testing.assert_allclose(after.before, before.stops, atol=2e-3)


def test_pieces_of_a_real_cry_go_on_in_each_other_and_in_no_other(esc10: Path) -> None:
    clips, of = [], []
    for path in sorted((esc10 / "004 - Baby cry").glob("*.ogg"))[:12]:
        cry = load_waveform(path, RATE)
        for start in range(0, len(cry) - RATE + 1, RATE):
            clips.append(ends(cry[start : start + RATE]))
            of.append((path.name, start // RATE))
    found = list(continuations(clips))
    assert len(found) >= 3  # about one cut in ten is through a tone
    for join in found:
        (a, first), (b, then) = of[join.a], of[join.b]
        assert (a, first + 1) == (b, then)


@pytest.mark.parametrize("samples", [0, 1, 17, 1000])
def test_a_clip_that_is_too_short_has_no_ends(samples: int) -> None:
    assert ends(np.ones(samples, np.float32)) is None
    assert list(continuations([None, None])) == []


def test_silences_do_not_go_on_in_each_other() -> None:
    silence = ends(np.zeros(RATE, np.float32))
    assert list(continuations([silence, silence, None])) == []
