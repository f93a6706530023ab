"""int16: waveforms as 16-bit samples and back.

Apart from what reads files, so that another way to read them trains no model again.
"""

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Waveform

_INT16 = 32768


def to_int16(waveform: Waveform) -> NDArray[np.int16]:
    """Round to 16 bits; beyond full scale is cut off."""
    scaled = np.rint(waveform * _INT16)
    return np.clip(scaled, -_INT16, _INT16 - 1).astype("<i2")


def from_int16(samples: NDArray[np.int16]) -> Waveform:
    """16-bit samples -> [-1, 1)"""
    return np.asarray(samples / np.float32(_INT16), np.float32)
