"""player: a clip as a page shows it: what was said of it, its picture, and its sound to play."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Features, Waveform

SECONDS = 6.0  # of each clip, from its start: bounds the page
_SCORES_SHOWN = 3
_WIDEST = 800  # px of a spectrogram; longer clips are thinned


@dataclass(frozen=True)
class Judged:
    """What was said of a clip. label: as given; predicted: another that is likelier, or the same

    scores: the likeliest labels and the given one, the highest first
    """

    path: str
    label: str
    predicted: str
    scores: list[tuple[str, float]]

    @property
    def correct(self) -> bool:
        """Whether the prediction is right after all."""
        return self.label == self.predicted


@dataclass(frozen=True)
class ShownClip:
    """One clip. picture, sound: data URIs of the first `shown_seconds`"""

    judged: Judged
    seconds: float
    shown_seconds: float
    picture: str
    sound: str


def likeliest(
    scores: NDArray[np.float64], labels: list[str], given: str
) -> list[tuple[str, float]]:
    """The highest scores of a clip, and that of the label as given. scores: (label,)"""
    first = np.argsort(-scores, kind="stable")[:_SCORES_SHOWN]
    places = sorted({*first.tolist(), labels.index(given)}, key=lambda i: -scores[i])
    return [(labels[i], round(float(scores[i]), 3)) for i in places]


def show(judged: Judged, waveform: Waveform, features: Features, sample_rate: int) -> ShownClip:
    """The first SECONDS of a clip. features: (frame, coefficient), of the whole"""
    seconds = len(waveform) / sample_rate
    share = min(1.0, SECONDS / seconds)
    return ShownClip(
        judged=judged,
        seconds=seconds,
        shown_seconds=seconds * share,
        picture=spectrogram(features[: max(1, round(len(features) * share))]),
        sound=sound(waveform[: round(len(waveform) * share)], sample_rate),
    )


def spectrogram(features: Features) -> str:
    """Features (frame, coefficient) as a PNG: low frequencies at the bottom, loud is bright."""
    import matplotlib
    from PIL import Image

    every = -(-len(features) // _WIDEST)
    low, high = np.percentile(features, [5, 99.8])
    scaled = np.clip((features[::every] - low) / max(float(high - low), 1e-6), 0, 1)
    image = Image.fromarray(np.rint(255 * scaled).astype(np.uint8).T[::-1])
    colours = matplotlib.colormaps["magma"](np.arange(256), bytes=True)[:, :3]
    image.putpalette(colours.tobytes())
    content = io.BytesIO()
    image.save(content, "PNG", optimize=True)
    return _uri("image/png", content)


def sound(waveform: Waveform, sample_rate: int) -> str:
    """A waveform as 16-bit FLAC: lossless, and every browser plays it."""
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, waveform, sample_rate, format="FLAC", subtype="PCM_16")
    return _uri("audio/flac", content)


def _uri(kind: str, content: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
