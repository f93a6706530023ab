"""windows: a waveform -> the windows that are the model's input."""

from collections.abc import Iterable, Iterator

import numpy as np

from pocketear.base.arrays import Waveform, WindowBatch


def window_starts(samples: int, window_length: int, hop_length: int) -> list[int]:
    """Where the windows of a waveform of `samples` samples start.

    At 0, hop, 2 hop … as long as the window fits, and one more at the very end where samples
    would be left over. A waveform shorter than a window has one, at 0.
    """
    last = samples - window_length
    if last <= 0:
        return [0]
    starts = list(range(0, last + 1, hop_length))
    return starts if starts[-1] == last else [*starts, last]


def cut_windows(waveform: Waveform, window_length: int, hop_length: int) -> WindowBatch:
    """Cut `waveform` at `window_starts`; a shorter one is zero-padded at its end.

    returns: (window, window_length) float32
    """
    starts = window_starts(len(waveform), window_length, hop_length)
    windows = np.zeros((len(starts), window_length), np.float32)
    for row, start in zip(windows, starts, strict=True):
        piece = waveform[start : start + window_length]
        row[: len(piece)] = piece
    return windows


def stream_windows(
    pieces: Iterable[Waveform], window_length: int, hop_length: int
) -> Iterator[tuple[int, Waveform]]:
    """The windows of `cut_windows`, of a waveform that comes in pieces and may not fit in memory.

    yields: where a window starts, in samples, and the window, (window_length,) float32
    """
    held = np.zeros(0, np.float32)  # the samples from `first` on
    first = start = 0
    for piece in pieces:
        held = np.concatenate([held, piece])
        while first + len(held) >= start + window_length:
            yield start, held[start - first : start - first + window_length]
            start += hop_length
        spare = min(start - first, len(held) - window_length)  # the last window may need the rest
        held, first = held[max(0, spare) :], first + max(0, spare)
    last = first + len(held) - window_length
    if last < 0:
        yield 0, np.pad(held, (0, -last))
    elif last != start - hop_length:
        yield last, held[-window_length:]
