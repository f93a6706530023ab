"""feature_speed: cost of the feature store against decoding alone and against a librosa loop.

python benchmarks/feature_speed.py [--clips 400]

On real recordings (ESC-10, Ogg at 44.1 kHz), side by side in one process, after a warm-up:

first_pass_limit_ratio: decode, resample, measure, cache and librosa's features, by the code of
  ingest and featurize, over decode + resample + windowed FFT measured apart.
refeature_ratio_to_librosa: features by other parameters from the stored waveforms, over a loop of
  librosa.load and librosa.feature over the files. Below 1 is faster.
parity_max_rel: the largest relative difference in mel power to that loop, before the waveform is
  stored; stored_max_rel: after, with 16-bit rounding and clipping at full scale, in mels above the
  floor of the log; stored_unclipped_max_rel: in clips that stay within full scale.

Ratios are of processor seconds, which other work on the machine hardly affects. So they do not show
that the loop runs on one core and the stages on all.
"""

import argparse
import csv
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the stages have it

import librosa
import numpy as np
import soundfile
import soxr

from claim import publish
from pocketear.base.arrays import Features
from pocketear.base.parallel import in_threads
from pocketear.data.cache import clip_key, decode, waveform_cache
from pocketear.data.decoding.audio import load_waveform
from pocketear.data.workers import Here
from pocketear.frontend.librosa_features import reference
from pocketear.params import FrontEndParams, load_params
from pocketear.stages.featurize import feature_cache, features_of
from project import ESC10, need_esc10, scratch_project


def limit(path: str, p: FrontEndParams) -> None:
    """The least work from a file to a spectrum."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    waveform = soxr.resample(samples.mean(axis=1), rate, p.sample_rate, quality="HQ")
    frames = np.lib.stride_tricks.sliding_window_view(waveform, p.n_fft)[:: p.hop_length]
    np.fft.rfft(frames * np.hanning(p.n_fft).astype(np.float32), axis=1)


def by_librosa(path: str, p: FrontEndParams) -> np.ndarray:
    """As in a typical notebook. returns: (frame, mel) power"""
    waveform, _ = librosa.load(path, sr=p.sample_rate, res_type="soxr_hq")
    mel = librosa.feature.melspectrogram(
        y=waveform, sr=p.sample_rate, n_fft=p.n_fft, hop_length=p.hop_length, center=p.center,
        win_length=p.win_length, n_mels=p.n_mels, fmin=p.fmin, fmax=p.fmax, power=2.0,
        htk=p.mel_scale == "htk", norm=None if p.mel_norm == "none" else p.mel_norm,
    )  # fmt: skip
    return np.asarray(np.maximum(mel, p.floor).T)


def spent(work: Iterator[object]) -> tuple[float, float]:
    """Processor and wall seconds to exhaust an iterator."""
    processor, wall = time.process_time(), time.perf_counter()
    for _ in work:
        pass
    return time.process_time() - processor, time.perf_counter() - wall


def power(features: Features, p: FrontEndParams) -> np.ndarray:
    """Mel power of log-mel features."""
    return 10 ** (features / 10) if p.log == "db" else np.exp(features)


def difference(ours: np.ndarray, expected: np.ndarray, above: float) -> float:
    """The largest relative one where `expected` > `above`; librosa.load may append a sample."""
    there = min(len(ours), len(expected))
    loud = expected[:there] > above
    return float(np.max(np.abs(ours[:there] / expected[:there] - 1)[loud], initial=0.0))


def measure(paths: list[str]) -> dict[str, float]:
    """All figures, in an empty project."""
    p = load_params().frontend
    clips = [SimpleNamespace(path=path, sha256=path, start=0.0, end=0.0) for path in paths]
    for path in paths[:4]:  # libraries load, NumPy's plans are made
        limit(path, p)
        by_librosa(path, p)
    waveforms, cache = waveform_cache(p.sample_rate), feature_cache(p)

    def first(clip: SimpleNamespace) -> None:
        decode(clip, waveforms, p.sample_rate)
        features_of(clip, waveforms, cache, p, Here())

    least = spent(in_threads(lambda path: limit(path, p), paths))
    first_pass = spent(in_threads(first, clips))
    other = p.model_copy(update={"hop_length": p.hop_length // 2})
    again = feature_cache(other)
    refeature = spent(in_threads(lambda c: features_of(c, waveforms, again, other, Here()), clips))
    loop = spent(by_librosa(path, other) for path in paths)
    worst = np.zeros(3)
    for clip in clips:
        expected = by_librosa(clip.path, p)
        waveform = load_waveform(Path(clip.path), p.sample_rate)
        fresh = difference(power(reference(waveform, p), p), expected, p.floor)
        stored = difference(power(cache.array(clip_key(clip)), p), expected, p.floor)
        unclipped = stored if np.abs(waveform).max() <= 1 else 0.0
        worst = np.maximum(worst, [fresh, stored, unclipped])
    return {
        "first_pass_limit_ratio": round(first_pass[0] / least[0], 3),
        "refeature_ratio_to_librosa": round(refeature[0] / loop[0], 3),
        "parity_max_rel": float(f"{worst[0]:.3g}"),
        "stored_max_rel": float(f"{worst[1]:.3g}"),
        "stored_unclipped_max_rel": float(f"{worst[2]:.3g}"),
        "clips": len(clips),
        "first_pass_clips_per_second": round(len(clips) / first_pass[1], 1),
        "refeature_clips_per_second": round(len(clips) / refeature[1], 1),
        "librosa_loop_clips_per_second": round(len(clips) / loop[1], 1),
    }


def main() -> None:
    """Measure on recordings; publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=400)
    asked = parser.parse_args()
    need_esc10()
    with (ESC10 / "clips.csv").open(encoding="utf-8") as table:
        paths = [str(ESC10 / row["file"]) for row in csv.DictReader(table)]
    with scratch_project({"frontend": {"kind": "log_mel"}}):
        figures = measure(paths[:: max(1, len(paths) // asked.clips)])
    publish("feature_speed", figures)


if __name__ == "__main__":
    main()
