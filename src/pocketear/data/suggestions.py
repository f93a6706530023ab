"""suggestions: a clip table -> settings in params.yaml that fit its clips, each with its reason.

A window longer than a label's clips is filled up with zeros, by which a network can tell the label.
What lies above the band of the narrowest label's recordings tells it the recorder.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from pocketear.params import FrontEndParams, Params

_MOST_SECONDS = 5.0  # a longer window adds delay and no accuracy that was measured
_CHUNK_SECONDS = 1.0  # of long windows: decision 18 measured one, three and five a window
_CHUNKS = 3  # of short windows, as by default
_FITS = (0.75, 1.5)  # of the window that there is: between these it stays
_POOLED = 16  # networks halve the frames of a chunk four times, so it needs as many
_NARROW = 0.75  # of fmax: a label's recordings that end below it are narrow
_TELEPHONE = 8000  # Hz, the least sample rate that `validate` accepts by default
_REACH = 0.475  # of the sample rate: where an anti-aliasing filter begins, as 7600 of 16000 Hz


class Suggestion(NamedTuple):
    """Values of one or more parameters, by name as `frontend.fmax`, and why."""

    values: dict[str, int | float]
    why: str


def suggest(clips: pd.DataFrame, params: Params) -> list[Suggestion]:
    """What of the front-end should be otherwise for these clips; nothing where all fits.

    clips: the table that `validate` writes; columns as in clips.COLUMNS
    """
    p, found = params.frontend, []
    if not params.model.pretrained:  # which has one band that it knows
        found += _sample_rate(clips, p)
    values = {name.removeprefix("frontend."): v for one in found for name, v in one.values.items()}
    return [*found, *_window(clips, p, p.model_copy(update=values))]


def _sample_rate(clips: pd.DataFrame, p: FrontEndParams) -> list[Suggestion]:
    """Telephone band for all, where the recordings of one label hold no more."""
    reach = clips.groupby("label")["bandwidth"].median()
    label, narrowest = str(reach.idxmin()), float(reach.min())
    if narrowest > min(_NARROW * p.fmax, _TELEPHONE / 2):
        return []
    factor = _TELEPHONE / p.sample_rate
    lengths = {name: round(getattr(p, name) * factor) for name in ("win_length", "hop_length")}
    values = {
        "sample_rate": _TELEPHONE,
        "fmax": round(_REACH * _TELEPHONE),
        "n_fft": 2 ** math.ceil(math.log2(lengths["win_length"])),
        **lengths,
    }
    why = (
        f"half of the clips of {label} hold nothing above {narrowest / 1000:.1f} kHz: "
        "what lies above tells the recorder, and a phone call or a codec takes it away"
    )
    return [Suggestion({f"frontend.{name}": value for name, value in values.items()}, why)]


def _window(clips: pd.DataFrame, p: FrontEndParams, changed: FrontEndParams) -> list[Suggestion]:
    """A window that the clips of every label fill, in whole chunks.

    p: the front-end as it is; changed: as the other suggestions make it
    """
    lengths = clips.groupby("label")["duration"].median()
    label, shortest = str(lengths.idxmin()), float(lengths.min())
    values = window_of(min(shortest, _MOST_SECONDS), changed)
    seconds = p.window_length / p.sample_rate
    ratio = values["frontend.window_length"] / changed.sample_rate / seconds
    if _FITS[0] < ratio < _FITS[1]:  # the same lengths in seconds, at another rate
        if changed.sample_rate == p.sample_rate:
            return []
        values = window_of(seconds, changed)
    why = f"the median clip of {label} is {shortest:.2g} s, the window {seconds:.2g} s"
    if ratio <= _FITS[0]:
        why += ": what is missing is filled up with zeros, and they tell the label"
    elif ratio >= _FITS[1]:
        why += ": a longer one has more of each clip to decide by"
    return [Suggestion(values, why)]


def window_of(seconds: float, p: FrontEndParams) -> dict[str, int | float]:
    """A window of at most so many seconds, in chunks of whole frames that the networks can halve.

    It is longer only where one chunk is: the least has _POOLED frames.
    """
    least = _multiple(p.n_fft + (_POOLED - 1) * p.hop_length, p.hop_length, math.ceil)
    samples = seconds * p.sample_rate
    chunks = max(_CHUNKS, math.ceil(seconds / _CHUNK_SECONDS))
    chunks = max(1, min(chunks, int(samples // least)))
    hop = max(least, _multiple(samples / chunks, p.hop_length, math.floor))
    return {"frontend.window_length": chunks * hop, "listener.hop_length": hop}


def _multiple(value: float, step: int, rounded: Callable[[float], int]) -> int:
    return rounded(value / step) * step
