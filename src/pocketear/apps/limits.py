"""limits: what a model cannot know of the sound it gets, printed beside its scores."""

import sys
from collections.abc import Iterator

from pocketear.base.arrays import Waveform
from pocketear.data.decoding.bandwidth import Spectrum
from pocketear.runtimes.card import ModelCard


def print_limits(card: ModelCard) -> None:
    """A line on standard error, if the model is a demonstration."""
    if card.rendered:
        _note(
            f"{card.name} {card.version} is a demonstration: it was trained on rendered sounds "
            "only, so it is often wrong about real recordings"
        )


def measured(pieces: Iterator[Waveform], spectrum: Spectrum) -> Iterator[Waveform]:
    """The same pieces, added to `spectrum`."""
    for piece in pieces:
        spectrum.add(piece)
        yield piece


def print_narrow(name: str, bandwidth: float, card: ModelCard) -> None:
    """A line on standard error, if a sound is narrower than what the model was trained on.

    bandwidth: up to where the sound reaches, in Hz
    """
    if bandwidth < card.bandwidth:
        _note(
            f"{name}: holds nothing above {bandwidth / 1000:.1f} kHz, and the model was trained on "
            f"sounds up to {card.bandwidth / 1000:.1f} kHz and more: do not rely on its scores; "
            "record at a higher rate, or train on such recordings"
        )


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)
