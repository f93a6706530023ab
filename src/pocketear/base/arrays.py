"""arrays: the arrays that modules pass each other, and functions of them. All are float32."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Waveform: TypeAlias = NDArray[np.float32]  # (sample,) mono, [-1, 1]
WindowBatch: TypeAlias = NDArray[np.float32]  # (window, sample) mono, [-1, 1]
Features: TypeAlias = NDArray[np.float32]  # (frame, coefficient) log-mel or MFCC
FeatureBatch: TypeAlias = NDArray[np.float32]  # (window, frame, coefficient)
Scores: TypeAlias = NDArray[np.float32]  # (window, label) probabilities, each row sums to 1
Runner: TypeAlias = Callable[[WindowBatch], Scores]  # a model that can be run
TensorRunner: TypeAlias = Callable[[WindowBatch], dict[str, FeatureBatch]]  # and its steps, by name
