"""numpy_fft: the front-end outside the graph, as mobile/ios has it in FrontEnd.swift.

It stands in for that file where a package takes features (export.ios_front_end: accelerate), so
that evaluate, parity and gate judge all of what ships. Same algorithm and precision: each frame
windowed, a real FFT, powers, mels, the logarithm above the floor, the DCT, all in float32. The
vectors of mobile/vectors/front_end.json, which librosa made, hold both to the same limit.
"""

import numpy as np

from pocketear.base.arrays import FeatureBatch, WindowBatch
from pocketear.base.errors import RunnerError
from pocketear.frontend.librosa_features import dct_matrix, hann, mel_matrix
from pocketear.params import FrontEndParams

FRAMES, POWER, MEL, FEATURES = STEPS = ("frames", "power", "mel", "features")


def features(windows: WindowBatch, frontend: FrontEndParams) -> FeatureBatch:
    """windows: (window, window_length). returns: (window, frame, coefficient)

    A window with a sample that is not finite has features that are all NaN.
    """
    return steps(windows, frontend)[FEATURES]


def steps(windows: WindowBatch, frontend: FrontEndParams) -> dict[str, FeatureBatch]:
    """Each of STEPS, as librosa lays it out.

    returns: frames (window, frame, n_fft); power (window, frame, bin); mel (window, frame, mel);
        features (window, frame, coefficient)
    raises: RunnerError if windows have another length than window_length
    """
    p = frontend
    if windows.shape[1] != p.window_length:
        found = windows.shape[1]
        raise RunnerError(f"front-end: a window of {found} samples, want {p.window_length}")
    offset, nonzero = hann(p.win_length, p.n_fft)
    window = np.zeros(p.n_fft, np.float32)
    window[offset : offset + len(nonzero)] = nonzero
    padded = np.pad(windows.astype(np.float32), ((0, 0), (p.n_fft // 2 * p.center,) * 2))
    framed = np.lib.stride_tricks.sliding_window_view(padded, p.n_fft, axis=1)
    frames = framed[:, :: p.hop_length] * window
    with np.errstate(invalid="ignore"):  # what is not finite makes the features NaN
        spectrum = np.fft.rfft(frames)  # of float32 in float32, since NumPy 2
        power = np.square(spectrum.real) + np.square(spectrum.imag)
        mel = power @ mel_matrix(p).astype(np.float32)
        floored = np.maximum(mel, np.float32(p.floor))
    log_mel = np.float32(10) * np.log10(floored) if p.log == "db" else np.log(floored)
    values = log_mel if p.kind == "log_mel" else log_mel @ dct_matrix(p).astype(np.float32)
    values[~np.isfinite(windows).all(axis=1)] = np.nan
    return dict(zip(STEPS, (frames, power, mel, values), strict=True))
