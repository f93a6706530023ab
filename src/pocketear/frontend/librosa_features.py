"""librosa_features: the reference of layer.py, and the constants of both.

As librosa.feature.melspectrogram: a periodic Hann window centred in n_fft, zero padding where
frames are centred, magnitudes or their squares, HTK or Slaney mels, 10 log10 or ln above a floor,
an orthonormal DCT-II with sinusoidal liftering. Keras is not imported here.
"""

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Features, Waveform
from pocketear.params import FrontEndParams

Matrix = NDArray[np.float64]


def reference(waveform: Waveform, frontend: FrontEndParams) -> Features:
    """librosa's features of a waveform; one shorter than a frame is zero-padded at its end.

    returns: (frame, coefficient) float32, dB or nepers
    """
    return reference_steps(waveform, frontend)["features"]


def reference_steps(waveform: Waveform, frontend: FrontEndParams) -> dict[str, Features]:
    """librosa's way to the features, step by step, float32.

    returns: power (frame, bin), mel (frame, mel), features (frame, coefficient)
    """
    import librosa

    p = frontend
    spectrum = librosa.stft(
        _whole(waveform, p), n_fft=p.n_fft, hop_length=p.hop_length, win_length=p.win_length,
        window="hann", center=p.center, pad_mode="constant",
    )  # fmt: skip
    power = np.abs(spectrum) ** 2
    summed = power if p.spectrum == "power" else np.sqrt(power)
    mel = librosa.feature.melspectrogram(
        S=summed, sr=p.sample_rate, n_fft=p.n_fft, n_mels=p.n_mels, fmin=p.fmin, fmax=p.fmax,
        htk=p.mel_scale == "htk", norm=_norm(p),
    )  # fmt: skip
    floored = np.maximum(mel, p.floor) if p.floor_mode == "clip" else mel + p.floor
    log_mel = 10 * np.log10(floored) if p.log == "db" else np.log(floored)
    if p.kind == "mfcc":
        log_mel = librosa.feature.mfcc(S=log_mel, n_mfcc=p.n_mfcc, norm="ortho", lifter=p.lifter)
    steps = {"power": power, "mel": mel, "features": log_mel}
    return {name: np.asarray(step.T, np.float32) for name, step in steps.items()}


def reference_frames(waveform: Waveform, frontend: FrontEndParams) -> Features:
    """The frames that librosa transforms, windowed. returns: (frame, n_fft) float32"""
    import librosa

    p = frontend
    offset, window = hann(p.win_length, p.n_fft)
    padded = np.pad(_whole(waveform, p), p.n_fft // 2 if p.center else 0)
    framed = librosa.util.frame(padded, frame_length=p.n_fft, hop_length=p.hop_length, axis=0)
    return np.asarray(framed * np.pad(window, (offset, p.n_fft - offset - len(window))), np.float32)


def hann(win_length: int, n_fft: int) -> tuple[int, Matrix]:
    """librosa's window without its zeros. returns: where it starts in a frame, (sample,)"""
    from scipy.signal import get_window

    window = get_window("hann", win_length)  # periodic
    first = int(np.flatnonzero(window)[0])
    return (n_fft - win_length) // 2 + first, window[first:]


def mel_matrix(frontend: FrontEndParams) -> Matrix:
    """librosa's filterbank. returns: (bin, mel)"""
    from librosa.filters import mel

    p = frontend
    filters = mel(
        sr=p.sample_rate, n_fft=p.n_fft, n_mels=p.n_mels, fmin=p.fmin, fmax=p.fmax,
        htk=p.mel_scale == "htk", norm=_norm(p), dtype=np.float64,
    )  # fmt: skip
    if p.n_fft % 2 == 0:
        filters[:, -1] = 0  # all filters have ended at half the sample rate; no rounding beyond it
    return np.asarray(filters.T)


def dct_matrix(frontend: FrontEndParams) -> Matrix:
    """DCT-II, orthonormal, liftered as by librosa.feature.mfcc. returns: (mel, coefficient)"""
    from scipy.fft import dct

    p = frontend
    matrix = dct(np.eye(p.n_mels), norm="ortho", axis=1)[:, : p.n_mfcc]
    if p.lifter:
        number = np.arange(1, p.n_mfcc + 1)
        matrix = matrix * (1 + p.lifter / 2 * np.sin(np.pi * number / p.lifter))
    return np.asarray(matrix)


def _whole(waveform: Waveform, frontend: FrontEndParams) -> Waveform:
    """At least one frame."""
    return np.pad(waveform, (0, max(0, frontend.n_fft - len(waveform))))


def _norm(frontend: FrontEndParams) -> str | None:
    return "slaney" if frontend.mel_norm == "slaney" else None
