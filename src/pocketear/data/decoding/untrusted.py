"""untrusted: a recording of a stranger -> a waveform, for commands that must start at once.

WAV, AIFF and FLAC are read here, within the limits of `containers`. What needs a decoder of Ogg,
MP3 or FFmpeg goes to a process that may die (`isolated`), which takes 0.3 s to start.
"""

from collections.abc import Iterator
from contextlib import suppress
from math import inf
from pathlib import Path

import numpy as np

from pocketear.base.arrays import Waveform
from pocketear.data.decoding.audio import LONGEST, no_samples, stream_plain
from pocketear.data.decoding.containers import NotPlainError
from pocketear.data.decoding.recording import MOST_AT_ONCE, WHOLE, Part


def stream_untrusted(
    path: Path, sample_rate: int, block: int, longest: float = inf
) -> Iterator[Waveform]:
    """`stream_waveform`, whatever the file does to its decoder. longest: s

    raises: ClipError as it does, and if the decoder crashes or takes too long
    """
    with suppress(NotPlainError):
        yield from stream_plain(path, sample_rate, block, Part(longest=longest))
        return
    from pocketear.data.decoding.isolated import stream_isolated  # imports what only it needs

    yield from stream_isolated(path, sample_rate, block, longest)


def load_untrusted(path: Path, sample_rate: int) -> Waveform:
    """`load_waveform` of a whole file, at most an hour, as `stream_untrusted` decodes it.

    raises: ClipError as it does, and if it holds no samples
    """
    made = list(stream_untrusted(path, sample_rate, MOST_AT_ONCE, LONGEST))
    if not sum(map(len, made)):
        raise no_samples(path, WHOLE)
    return np.concatenate(made)
