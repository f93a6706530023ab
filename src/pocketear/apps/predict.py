"""predict: sound files -> the labels of the .tflite that ships, and when each sounds.

It runs on what a phone's runtime needs, LiteRT and a decoder: no TensorFlow, librosa, pandas or
MLflow, so that it starts at once.
"""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from pocketear.apps.default_model import shipped_model
from pocketear.apps.limits import measured, print_limits, print_narrow
from pocketear.base.arrays import Scores, Waveform
from pocketear.base.errors import ClipError, PocketearError, RunnerError
from pocketear.data.decoding.audio import no_samples
from pocketear.data.decoding.bandwidth import Spectrum, cutoff
from pocketear.data.decoding.recording import WHOLE
from pocketear.data.decoding.untrusted import stream_untrusted
from pocketear.data.windows import stream_windows
from pocketear.runtimes.litert import Model, open_model

_BLOCK = 1 << 18  # samples of a file in memory at once: 6 s of 44.1 kHz


@dataclass(frozen=True)
class Segment:
    """A stretch of a file where one label is the likeliest. start, end: s; score: mean there."""

    start: float
    end: float
    label: str
    score: float


@dataclass(frozen=True)
class Prediction:
    """What a file holds: the mean of its windows' scores, as `evaluate` judges a clip."""

    path: str
    label: str
    score: float
    scores: dict[str, float]
    seconds: float
    real_time_factor: float  # seconds of work a second of sound
    segments: list[Segment]
    bandwidth_hz: float  # up to where it holds sound, at most half of the model's sample rate


def predict(path: Path, model: Model) -> Prediction:
    """Classify one file of any format, rate and length, in little memory.

    raises: ClipError if it is not sound that can be read
    """
    if path.is_dir():
        raise ClipError(f"{path}: is a folder; give the files in it, such as {path}/*.wav")
    began = time.perf_counter()
    card, samples, spectrum = model.card, 0, Spectrum()

    def pieces() -> Iterator[Waveform]:
        nonlocal samples
        for piece in stream_untrusted(path, card.sample_rate, _BLOCK):
            samples += len(piece)
            yield piece

    starts, rows = [], []
    for start, window in stream_windows(
        measured(pieces(), spectrum), card.window_length, card.hop_length
    ):
        starts.append(start)
        rows.append(model.run(window[np.newaxis])[0])
    if not samples:
        raise no_samples(path, WHOLE)
    scores = np.stack(rows)
    if not np.isfinite(scores).all():
        raise RunnerError(f"{model.path}: gives NaN for {path}; check the model with `dvc repro`")
    mean, seconds = scores.mean(axis=0), samples / card.sample_rate
    centres = [(start + card.window_length / 2) / card.sample_rate for start in starts]
    return Prediction(
        path=str(path),
        label=card.labels[int(mean.argmax())],
        score=float(mean.max()),
        scores=dict(zip(card.labels, mean.tolist(), strict=True)),
        seconds=seconds,
        real_time_factor=(time.perf_counter() - began) / seconds,
        segments=segments(scores, centres, seconds, card.labels),
        bandwidth_hz=cutoff(spectrum.power(), card.sample_rate),
    )


def segments(
    scores: Scores, centres: list[float], seconds: float, labels: tuple[str, ...]
) -> list[Segment]:
    """Merge neighbouring windows of one label. The segments tile the file without a gap.

    scores: (window, label); centres: of the windows, s. A boundary lies half-way between the
    centres of the two windows that disagree.
    """
    best = scores.argmax(axis=1)
    cuts = [i for i in range(1, len(best)) if best[i] != best[i - 1]]
    edges = [0.0, *((centres[i - 1] + centres[i]) / 2 for i in cuts), seconds]
    rows = [0, *cuts, len(best)]
    return [
        Segment(start, end, labels[best[first]], float(scores[first:last, best[first]].mean()))
        for (first, last), (start, end) in zip(pairwise(rows), pairwise(edges), strict=True)
    ]


def run(files: list[Path], model_path: Path | None, *, as_json: bool) -> bool:
    """Predict every file that can be read and print it. returns: whether all could be"""
    model = open_model(model_path or shipped_model())
    print_limits(model.card)
    if as_json:
        found = [_attempt(path, model) for path in files]
        entries = [asdict(one) if isinstance(one, Prediction) else one for one in found]
        print(
            json.dumps({"model": str(model.path), "files": entries}, indent=2, ensure_ascii=False)
        )
    else:
        found = list(_table(files, model))
    return all(isinstance(one, Prediction) for one in found)


def _attempt(path: Path, model: Model) -> Prediction | dict[str, str]:
    try:
        found = predict(path, model)
        print_narrow(found.path, found.bandwidth_hz, model.card)
        return found
    except (PocketearError, OSError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return {"path": str(path), "error": str(error)}


def _table(files: list[Path], model: Model) -> Iterator[Prediction | dict[str, str]]:
    """Print each file's rows as soon as it is classified."""
    first = max(len("file"), len(f"  {0:8.1f}–{0:.1f} s"), *(len(str(path)) for path in files))
    second = max(len("label"), *(len(label) for label in model.card.labels))
    print(f"{'file':{first}}  {'label':{second}}  score  seconds")
    sound = work = 0.0
    for path in files:
        one = _attempt(path, model)
        if isinstance(one, Prediction):
            sound, work = sound + one.seconds, work + one.real_time_factor * one.seconds
            print(f"{one.path:{first}}  {one.label:{second}}  {one.score:5.2f}  {one.seconds:7.1f}")
            for line in _segment_lines(one.segments, first, second):
                print(line)
            sys.stdout.flush()
        yield one
    if sound:
        print(f"{sound:.1f} s of sound in {work:.2f} s: real-time factor {work / sound:.4f}")


def _segment_lines(found: list[Segment], first: int, second: int) -> Iterable[str]:
    """One line a segment where there is more than one."""
    if len(found) == 1:
        return
    for one in found:
        span = f"  {one.start:.1f}–{one.end:.1f} s"
        yield f"{span:{first}}  {one.label:{second}}  {one.score:5.2f}"
