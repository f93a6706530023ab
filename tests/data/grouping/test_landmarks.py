"""landmarks and same_sound: offsets and overlaps of real sounds, and none where there is none."""

from pathlib import Path

import librosa
import numpy as np
import pytest

from pocketear.data.decoding.audio import load_waveform
from pocketear.data.grouping.landmarks import HOP, RATE, Candidate, candidates, landmarks
from pocketear.data.grouping.same_sound import overlap


@pytest.mark.parametrize("start", [0, 1, 777, 8000, 20_001])
def test_the_offset_of_a_part_is_found(esc10: Path, start: int) -> None:
    whole = load_waveform(esc10 / "001 - Dog bark/1-30226-A.ogg", RATE)
    part = 0.2 * whole[start : start + 3 * RATE]
    (pair,) = candidates([landmarks(whole), landmarks(part)])
    assert (pair.a, pair.b) == (0, 1)
    assert abs(pair.offset - start) <= 2 * HOP
    found = overlap(whole, part, pair.offset)
    assert found
    assert found.correlation > 0.9
    assert found.share == pytest.approx(min(len(part), len(whole)) / len(whole), abs=0.02)


def test_two_recordings_of_one_kind_of_sound_are_no_overlap(esc10: Path) -> None:
    """Rain is rain, and two chainsaws hum alike: nothing in them is the same sound."""
    for label in ("002 - Rain", "008 - Chainsaw"):
        clips = [load_waveform(path, RATE) for path in sorted((esc10 / label).glob("1-*.ogg"))[:6]]
        for pair in candidates([landmarks(clip) for clip in clips]):
            assert overlap(clips[pair.a], clips[pair.b], pair.offset) is None


def test_a_hum_that_two_recordings_share_is_no_overlap() -> None:
    rng = np.random.default_rng(1)
    hum = 0.3 * librosa.tone(100, sr=RATE, duration=4.0)
    a, b = (hum + 0.01 * rng.standard_normal(len(hum)) for _ in range(2))
    assert overlap(a.astype(np.float32), b.astype(np.float32), 0) is None


@pytest.mark.parametrize("samples", [0, 1, 511, 512, 5000])
def test_silence_of_any_length_has_no_landmarks(samples: int) -> None:
    clip = landmarks(np.zeros(samples, np.float32))
    assert len(clip.codes) == 0
    assert list(candidates([clip, clip])) == []


def test_noise_is_found_once_at_its_offset() -> None:
    noise = np.random.default_rng(2).standard_normal(6 * RATE).astype(np.float32) * 0.1
    clips = [landmarks(noise[: 4 * RATE]), landmarks(noise[20 * HOP :])]
    assert list(candidates(clips)) == [Candidate(0, 1, 20 * HOP)]
