"""featurize: clips -> waveforms and librosa features in one store, and normalisation constants.

Each clip is decoded and resampled once in its life, and its features computed once for each set
of front-end parameters: both are cached by content outside DVC (data/cache), and the store
is written from there in the order of the clip table. The features are the reference: they give
normalisation and drift their baseline and parity its oracle; training uses the waveforms.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pocketear.base import process
from pocketear.base.arrays import Features
from pocketear.base.files import replacing
from pocketear.base.fingerprint import fingerprint
from pocketear.base.parallel import in_threads
from pocketear.base.progress import track
from pocketear.contracts.normalisation import Normalisation
from pocketear.contracts.report_file import write
from pocketear.data.cache import (
    ArrayCache,
    array_cache,
    clip_key,
    decode,
    decoding,
    waveform_cache,
)
from pocketear.data.clips import read_clips
from pocketear.data.decoding.int16 import from_int16
from pocketear.data.workers import Cluster, Here, open_workers
from pocketear.frontend.librosa_features import reference
from pocketear.params import FrontEndParams, load_params

_LIBRARIES = ("numpy", "scipy", "librosa")  # that make features
_LEAST_SCALE = 1e-3  # a coefficient that never changes is not blown up


def feature_cache(params: FrontEndParams) -> ArrayCache:
    """The cache of features for just these parameters."""
    relevant = params.model_dump_json(exclude={"window_length"})
    digest = hashlib.sha256(relevant.encode()).hexdigest()[:16]
    made_by = f"{decoding()} {fingerprint('frontend/librosa_features.py', _LIBRARIES)}"
    return array_cache(f"features/{digest}", "<f4", made_by)


def features_of(
    clip: Any,
    waveforms: ArrayCache,
    cache: ArrayCache,
    params: FrontEndParams,
    workers: Here | Cluster,
) -> str:
    """Have a clip's waveform and features in the caches. returns: its key"""
    decode(clip, waveforms, params.sample_rate, workers)
    key = clip_key(clip)
    if key not in cache:
        waveform = from_int16(waveforms.array(key))
        cache.add(key, workers.call(reference, waveform, params), {})
    return key


def compute(
    table: pd.DataFrame, waveforms: ArrayCache, params: FrontEndParams, workers: Here | Cluster
) -> Iterator[Features]:
    """Features of every clip, in order, from the cache where it has them."""
    cache = feature_cache(params)
    clips = list(table.itertuples(index=False))

    def work(clip: Any) -> str:
        try:
            return features_of(clip, waveforms, cache, params, workers)
        except KeyError:  # the cached waveform was damaged and is forgotten now: once more
            return features_of(clip, waveforms, cache, params, workers)

    for key in track(in_threads(work, clips, workers.threads), len(clips), "features"):
        yield cache.array(key)


class Moments:
    """Mean and standard deviation of a stream of features, in float64 (Chan et al. 1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.square = 0, np.zeros(0), np.zeros(0)

    def add(self, features: Features) -> None:
        """features: (frame, coefficient)"""
        frames = features.astype(np.float64)
        count, mean = len(frames), frames.mean(axis=0)
        square = np.square(frames - mean).sum(axis=0)
        if not self.count:
            self.count, self.mean, self.square = count, mean, square
            return
        total, delta = self.count + count, mean - self.mean
        self.square = self.square + square + delta**2 * self.count * count / total
        self.mean = self.mean + delta * count / total
        self.count = total

    def normalisation(self) -> Normalisation:
        """One mean and one scale a coefficient."""
        scale = np.maximum(np.sqrt(self.square / max(1, self.count)), _LEAST_SCALE)
        return Normalisation(mean=tuple(self.mean.tolist()), scale=tuple(scale.tolist()))


def write_store(table: pd.DataFrame, folder: Path, params: FrontEndParams) -> None:
    """Write waveforms.i16, features.f32, index.parquet and normalisation.json to `folder`."""
    waveforms, moments = waveform_cache(params.sample_rate), Moments()
    samples, frames = [], []
    with (
        open_workers() as workers,
        (folder / "waveforms.i16").open("wb") as pcm,
        (folder / "features.f32").open("wb") as raw,
    ):
        computed = compute(table, waveforms, params, workers)
        for clip, features in zip(table.itertuples(index=False), computed, strict=True):
            waveform = waveforms.array(clip_key(clip))
            pcm.write(waveform.tobytes())
            raw.write(features.tobytes())
            samples.append(len(waveform))
            frames.append(len(features))
            if clip.split == "train":
                moments.add(features)
    index = table[["path", "sha256", "label", "group", "split"]].assign(
        sample=np.cumsum([0, *samples[:-1]]), samples=samples,
        frame=np.cumsum([0, *frames[:-1]]), frames=frames,
    )  # fmt: skip
    index.to_parquet(folder / "index.parquet", index=False, compression="zstd")
    write(moments.normalisation(), folder / "normalisation.json")


def main(clips: Path, out: Path) -> None:
    """Decode every clip once and store its waveform and features."""
    params = load_params()
    table = read_clips(clips)
    with replacing(out) as fresh:
        fresh.mkdir()
        write_store(table, fresh, params.frontend)
    print(f"featurize: {len(table)} clips, {params.frontend.kind}, in {out}")


if __name__ == "__main__":
    process.run(main)
