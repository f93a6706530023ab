"""copies: which whole clips are one clip that was saved twice without loss, as WAV and FLAC are.

Hashes do not say so: writers round otherwise, and resampling differs in the last bit. Landmarks do
not either for a clip of one tone. So clips with one outline are compared as waveforms.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from pocketear.base.arrays import Waveform

_TIMES, _BANDS = 16, 8  # of an outline
_OUTLINES_ALIKE = 0.999  # cosine; one step of 16 bits changes less at any level that is usable
_SHIFT = 0.02  # s by which a copy may begin or stop elsewhere: a codec's delay
_LOSSLESS = 0.9999  # correlation: noise 37 dB below
_ROWS = 512  # clips compared with all others at a time


def outline(waveform: Waveform) -> NDArray[np.float32]:
    """The magnitude in parts of the clip and bands, in all of length 1, or 0 where it is silent.

    waveform: (sample,); returns: (part * band,)
    """
    size = max(1, len(waveform) // _TIMES)
    padded = np.pad(waveform, (0, max(0, _TIMES - len(waveform))))
    power = np.square(np.abs(fft.rfft(padded[: size * _TIMES].reshape(_TIMES, size), axis=1)))
    edges = np.geomspace(1, power.shape[1], _BANDS + 1).astype(int)  # without the mean
    cumulated = np.pad(np.cumsum(power, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
    magnitudes = np.sqrt(np.maximum(np.diff(cumulated[:, edges], axis=1), 0)).ravel()
    return np.asarray(magnitudes / max(float(np.linalg.norm(magnitudes)), 1e-12), np.float32)


def outlines_alike(
    outlines: NDArray[np.float32], seconds: NDArray[np.float64]
) -> Iterator[tuple[int, int]]:
    """Pairs a < b of clips that may be copies. outlines: (clip, value); seconds: (clip,)"""
    for at in range(0, len(outlines), _ROWS):
        rows = slice(at, at + _ROWS)
        alike = outlines[rows] @ outlines.T > _OUTLINES_ALIKE
        alike &= np.abs(seconds[rows, np.newaxis] - seconds) <= _SHIFT
        for a, b in np.argwhere(alike):
            if at + a < b:
                yield int(at + a), int(b)


def are_copies(a: Waveform, b: Waveform, sample_rate: int) -> bool:
    """Whether two clips are one, but for a gain, a shift of some milliseconds, and rounding."""
    size = fft.next_fast_len(len(a) + len(b), real=True)
    correlation = np.abs(fft.irfft(fft.rfft(a, size) * np.conj(fft.rfft(b, size)), size))
    near = int(_SHIFT * sample_rate) + 1
    highest = max(correlation[:near].max(), correlation[-near:].max())
    return bool(highest > _LOSSLESS * float(np.linalg.norm(a)) * float(np.linalg.norm(b)) > 0)
