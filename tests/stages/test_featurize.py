from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile

from pocketear.data import cache
from pocketear.data.clips import write_clips
from pocketear.data.decoding.isolated import decode_isolated
from pocketear.data.store import open_store
from pocketear.params import FrontEndParams, load_params
from pocketear.stages import featurize
from tables import clip_table


@pytest.fixture
def clips(project: Path) -> pd.DataFrame:
    """Twelve short clips on disk, at three sample rates, and their table."""
    table = clip_table({"a": 6, "b": 6}).assign(split=["train", "train", "val", "test"] * 3)
    rng = np.random.default_rng(0)
    for number, path in enumerate(table["path"]):
        rate = (8000, 16000, 44100)[number % 3]
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.uniform(-0.5, 0.5, rate + 100 * number), rate)
    write_clips(table, project / "clips.parquet")
    return table


def by_librosa(path: str, p: FrontEndParams) -> np.ndarray:
    waveform, _ = librosa.load(path, sr=p.sample_rate, res_type="soxr_hq")
    mel = librosa.feature.melspectrogram(
        y=waveform, sr=p.sample_rate, n_fft=p.n_fft, hop_length=p.hop_length,
        win_length=p.win_length, center=p.center, n_mels=p.n_mels, fmin=p.fmin, fmax=p.fmax,
    )  # fmt: skip
    return np.asarray(10 * np.log10(np.maximum(mel, p.floor)).T)


def test_stored_features_are_librosas(project: Path, clips: pd.DataFrame) -> None:
    featurize.main(project / "clips.parquet", project / "out")
    store, p = open_store(project / "out"), load_params().frontend
    assert len(store) == len(clips)
    for row, path in enumerate(clips["path"]):
        expected = by_librosa(path, p)
        frames = len(store.features(row))  # librosa.load appends a zero where lengths are odd
        assert len(expected) - frames in (0, 1)
        # the store keeps 16 bits, librosa.load floats: compare well above that noise
        stored = np.maximum(store.features(row), -70)  # dB; below, 16 bits have rounded it
        np.testing.assert_allclose(stored, np.maximum(expected[:frames], -70), atol=0.05)
        waveform, _ = librosa.load(path, sr=p.sample_rate, res_type="soxr_hq")
        ours = store.waveform(row)
        np.testing.assert_allclose(ours, waveform[: len(ours)], atol=1 / 32768)


def test_normalisation_is_of_training_clips_alone(project: Path, clips: pd.DataFrame) -> None:
    featurize.main(project / "clips.parquet", project / "out")
    store = open_store(project / "out")
    rows = np.flatnonzero(clips["split"] == "train").tolist()
    frames = np.concatenate([store.features(row) for row in rows])
    np.testing.assert_allclose(store.normalisation.mean, frames.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(store.normalisation.scale, frames.std(axis=0), rtol=1e-4)


def test_a_new_clip_costs_only_itself(
    project: Path, clips: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clips(clips.iloc[:11], project / "fewer.parquet")
    featurize.main(project / "fewer.parquet", project / "out")
    opened: list[str] = []

    def decode(path: Path, *rest: Any) -> Any:
        opened.append(str(path))
        return decode_isolated(path, *rest)

    monkeypatch.setattr(cache, "decode_isolated", decode)
    featurize.main(project / "clips.parquet", project / "out")
    assert opened == [clips["path"].iloc[11]]


def test_the_store_is_the_same_bytes_with_and_without_a_cache(
    project: Path, clips: pd.DataFrame
) -> None:
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (project / "out").iterdir()}

    featurize.main(project / "clips.parquet", project / "out")
    cached, first = project / ".pocketear", content()
    featurize.main(project / "clips.parquet", project / "out")
    assert content() == first
    cached.rename(project / "elsewhere")
    featurize.main(project / "clips.parquet", project / "out")
    assert content() == first
