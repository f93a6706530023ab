"""same_sound: two waveforms and an offset -> whether they are the same sound where they overlap.

Spectra are whitened before they are correlated, so that all frequencies count alike: two hums, or
two cries of one pitch, do not correlate, the same cry after another codec does.
Source: C. Knapp, G. Carter, "The generalized correlation method for estimation of time delay",
IEEE Trans. ASSP 24 (4), 1976 (the phase transform).
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from pocketear.base.arrays import Waveform
from pocketear.data.grouping.landmarks import HOP, RATE

_LONGEST = 32 * RATE  # samples compared: more make a sure answer no surer
_SHORTEST = RATE // 4  # samples: in less, chance is as good
_NEAR = 4 * HOP  # samples by which a landmark's offset may be wrong
_BAND = (100.0, 3500.0)  # Hz
_SURE = 20.0  # times the median of the correlation elsewhere; chance gave 13 in ESC-10, copies 35
_TINY = 1e-12


@dataclass(frozen=True)
class Overlap:
    """Of two clips that hold the same sound.

    correlation: 0 to 1, of the whitened spectra; share: of the longer clip that overlaps
    """

    correlation: float
    share: float


def overlap(a: Waveform, b: Waveform, offset: int) -> Overlap | None:
    """The overlap of two clips, None where they are not the same sound.

    a, b: (sample,) at landmarks.RATE; offset: samples from the start of a to that of b
    """
    start, end = max(0, offset), min(len(a), offset + len(b))
    if end - start < _SHORTEST:
        return None
    stop = min(end, start + _LONGEST)
    correlation, sure = _whitened(a[start:stop], b[start - offset : stop - offset])
    share = (end - start) / max(len(a), len(b))
    return Overlap(min(1.0, correlation), share) if sure else None


def _whitened(a: Waveform, b: Waveform) -> tuple[float, bool]:
    """The highest correlation near no shift, and whether it stands out from that at all shifts."""
    size = fft.next_fast_len(len(a) + 2 * _NEAR, real=True)
    cross = fft.rfft(a, size) * np.conj(fft.rfft(b, size))
    hertz = np.linspace(0, RATE / 2, len(cross))
    counts = (hertz >= _BAND[0]) & (hertz <= _BAND[1]) & (np.abs(cross) > _TINY)
    whitened = np.where(counts, cross / np.maximum(np.abs(cross), _TINY), 0)
    everywhere = np.abs(fft.irfft(whitened, size)) * size / (2 * max(1, counts.sum()))
    highest = float(max(everywhere[:_NEAR].max(), everywhere[-_NEAR:].max()))
    usual = float(np.median(everywhere)) / 0.6745  # a standard deviation, if it were normal
    return highest, highest > _SURE * max(usual, _TINY)
