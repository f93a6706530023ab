"""front_end: THE front-end, waveform -> log-mel or MFCC, as one Keras layer of builtin ops.

librosa is the reference, `reference` calls it, and what ships computes the same in fewer steps:

- A DFT is done as two short ones (Cooley & Tukey 1965, "An algorithm for the machine calculation of
  complex Fourier series"), each a batched matmul. With n = R * tap + residue and M = n_fft / R,
  bin k needs, of each of the R residues, one value of an M-point DFT over its taps, then an R-point
  sum over the residues.
- Only power leaves the DFT, so the origin of time is free. It is put in the middle of a residue
  pair: residues r and R - 1 - r turn in opposite directions, their sum and difference halve the
  second matmul.
- The samples are real, so bins k and -k have one power and half of the M values are enough. Values
  0 and M / 2 are real and share one slot.

Where n_fft has no such factors the second matmul alone is a plain DFT (docs/decisions/0002).
Constants are scaled so that no waveform in [-1, 1] leaves the range of fp16 upwards; the scale is
taken back after the logarithm.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pocketear.arrays import Features, Waveform
from pocketear.params import FrontEndParams

Matrix = NDArray[np.float64]

_DECIBELS = 10 / np.log(10)  # of a power ratio of e
_LARGEST = 65025.0  # 255 squared: just inside fp16
_TILE = 8  # columns that a phone's matmul kernel computes at once


class Band(NamedTuple):
    """Neighbouring mels, and the only positions of the power spectrum that they hear."""

    start: int
    stop: int
    weights: Matrix  # (position, mel)


class Part(NamedTuple):
    first: Matrix | None
    second: Matrix


class Constants(NamedTuple):
    """All that the graph multiplies by.

    offset: the first sample of a frame that the window does not make zero
    window: (tap * residue,) Hann, scaled; zero beyond the frame's last sample
    first: (sum | difference, tap, value of the short DFT), or None for a plain DFT
    second: (value, sums and differences, bin), or (real | imaginary, sample, bin)
    bands: the mel filterbank; floor: (mel,) lowest power; log_scale: (mel,) what scaling added to
    the natural logarithm; dct: (mel, coefficient), liftering included
    """

    offset: int
    window: Matrix
    parts: tuple[Part, Part]
    bands: list[Band]
    floor: Matrix
    log_scale: Matrix
    dct: Matrix


def n_frames(frontend: FrontEndParams) -> int:
    """Frames of one window: whole ones only, unless they are centred."""
    padding = 2 * (frontend.n_fft // 2) if frontend.center else 0
    return 1 + (frontend.window_length + padding - frontend.n_fft) // frontend.hop_length


def n_coefficients(frontend: FrontEndParams) -> int:
    """Features of one frame."""
    return frontend.n_mels if frontend.kind == "log_mel" else frontend.n_mfcc


def reference(waveform: Waveform, frontend: FrontEndParams) -> Features:
    """librosa's features of a waveform. returns: (frame, coefficient) float32"""
    import librosa

    p = frontend
    missing = max(0, p.n_fft - len(waveform))
    mel = librosa.feature.melspectrogram(
        y=np.pad(waveform, (0, missing)),
        sr=p.sample_rate, n_fft=p.n_fft, hop_length=p.hop_length, win_length=p.win_length,
        window="hann", center=p.center, pad_mode="constant", power=2.0, n_mels=p.n_mels,
        fmin=p.fmin, fmax=p.fmax, htk=p.mel_scale == "htk",
        norm="slaney" if p.mel_norm == "slaney" else None,
    )  # fmt: skip
    floored = np.maximum(mel, p.floor)
    log_mel = 10 * np.log10(floored) if p.log == "db" else np.log(floored)
    if p.kind == "mfcc":
        log_mel = librosa.feature.mfcc(S=log_mel, n_mfcc=p.n_mfcc, norm="ortho", lifter=p.lifter)
    return np.asarray(log_mel.T, np.float32)


def hann(frontend: FrontEndParams) -> tuple[int, Matrix]:
    """The window as librosa pads it to n_fft, without the zeros. returns: offset, (sample,)"""
    from scipy.signal import get_window

    p = frontend
    window = get_window("hann", p.win_length)
    support = np.flatnonzero(window)
    offset = (p.n_fft - p.win_length) // 2 + int(support[0])
    return offset, window[support[0] : support[-1] + 1]


def mel_matrix(frontend: FrontEndParams) -> Matrix:
    """librosa's filterbank. returns: (bin, mel)"""
    import librosa

    p = frontend
    return np.asarray(
        librosa.filters.mel(
            sr=p.sample_rate, n_fft=p.n_fft, n_mels=p.n_mels, fmin=p.fmin, fmax=p.fmax,
            htk=p.mel_scale == "htk", norm="slaney" if p.mel_norm == "slaney" else None,
            dtype=np.float64,
        ).T
    )  # fmt: skip


def dct_matrix(frontend: FrontEndParams) -> Matrix:
    """DCT-II, orthonormal, liftered as in librosa.feature.mfcc. returns: (mel, coefficient)"""
    from scipy.fft import dct

    p = frontend
    matrix = dct(np.eye(p.n_mels), norm="ortho", axis=1)[:, : p.n_mfcc]
    if p.lifter:
        matrix = matrix * (1 + p.lifter / 2 * np.sin(np.pi / p.lifter * np.arange(1, p.n_mfcc + 1)))
    return np.asarray(matrix)


def choose_residues(n_fft: int, samples: int) -> int:
    """Into how many residues half a frame of `samples` samples is dealt; 1: a plain DFT.

    The cost is that of the matmuls in arm64 instructions a frame (docs/decisions/0002).
    """

    def cost(residues: int) -> float:
        values, taps = n_fft // residues, -(-samples // residues)
        first = 2 * residues * _matmul_cost(taps, values // 2)
        return first + values * _matmul_cost(residues, residues)

    possible = [r for r in range(2, n_fft // 2 + 1, 2) if n_fft % (2 * r) == 0]
    best = min(possible, key=cost, default=1)
    return best if best > 1 and cost(best) < 2 * _matmul_cost(samples, n_fft // 2) else 1


def _matmul_cost(inputs: int, outputs: int) -> float:
    return -(-outputs // _TILE) * (2.6 * inputs + 13)  # one row


def short_dft(values: int, taps: int) -> tuple[Matrix, Matrix]:
    """Cosines and sines of a DFT of `values` values, from its middle on: (tap, values / 2) each.

    The sine of value 0 is zero everywhere, as is the cosine of value `values` / 2: the sine of that
    one stands in the place of the other.
    """
    turns = np.outer(np.arange(taps) + 0.5, np.arange(values // 2)) / values
    cosine, sine = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    sine[:, 0] = np.sin(np.pi * (np.arange(taps) + 0.5))
    return cosine, sine


def long_dft(n_fft: int, residues: int, rows: range) -> tuple[Matrix, Matrix, NDArray[np.int64]]:
    """From the values of all residues to bins.

    rows: which runs of n_fft / residues / 2 bins are wanted
    returns: matrices (value, sums and differences, row) of the real and of the imaginary part; the
        bin of each (value, row)
    """
    run = n_fft // residues // 2
    row = np.array(rows)
    even = row % 2 == 0
    bins = np.arange(run)[:, None] + run * np.where(even, row, -(row + 1))  # negative: mirrored
    bins[0] = run * row  # value 0 for even rows, the one that stands in its place for odd ones
    pair = (residues - 1) / 2 - np.arange(residues // 2)  # distance from the middle
    turns = pair[:, None] * bins[:, None, :] / n_fft  # (value, pair, row)
    cosine, sine = np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)
    real = np.concatenate([cosine, -sine], axis=1)
    imaginary = np.concatenate([cosine, sine], axis=1)
    shared = np.repeat([even, ~even], residues // 2, axis=0)
    real[0] *= shared
    imaginary[0] *= ~shared
    return real, imaginary, np.abs(bins)


def bands(weights: Matrix) -> list[Band]:
    """Cut a filterbank (position, mel) into runs of mels; most of it is zero."""
    cut = []
    for mel in range(0, weights.shape[1], _TILE):
        part = weights[:, mel : mel + _TILE]
        heard = np.flatnonzero(part.any(axis=1))
        start, stop = (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, 1)
        cut.append(Band(start, stop, part[start:stop]))
    return cut


def constants(frontend: FrontEndParams) -> Constants:
    """Window, DFT, mel and DCT of a front-end, as librosa defines them."""
    p = frontend
    offset, window = hann(p)
    mel = mel_matrix(p)
    heard = np.flatnonzero(mel.any(axis=1))
    low, high = (int(heard[0]), int(heard[-1])) if len(heard) else (0, 0)
    half = -(-len(window) // 2)
    residues = choose_residues(p.n_fft, half)
    taps = -(-half // residues)
    half = taps * residues
    window = np.pad(window, (0, 2 * half - len(window)))
    if residues > 1:
        run = p.n_fft // residues // 2
        cosine, sine = short_dft(p.n_fft // residues, taps)
        real, imaginary, bins = long_dft(p.n_fft, residues, range(low // run, high // run + 1))
        real = Part(np.stack([cosine, sine]), real)
        imaginary = Part(np.stack([sine, cosine]), imaginary)
    else:
        bins = np.arange(low, high + 1)[None]
        turns = np.outer(np.arange(half) + 0.5, bins) / p.n_fft
        real = Part(None, np.cos(2 * np.pi * turns)[None])
        imaginary = Part(None, np.sin(2 * np.pi * turns)[None])
    scale = np.sqrt(_LARGEST) / window.sum()
    weights = mel[bins.T.ravel()]  # (position, mel)
    loudest = _LARGEST * np.maximum(weights.sum(axis=0), 1e-30)
    gain = np.full(p.n_mels, 40.0)
    return Constants(
        offset=offset,
        window=window * scale,
        parts=(real, imaginary),
        bands=bands(weights * gain),
        floor=p.floor * scale**2 * gain,
        log_scale=np.log(scale**2 * gain),
        dct=dct_matrix(p),
    )


@keras.saving.register_keras_serializable(package="pocketear")
class FrontEnd(keras.layers.Layer):
    """(window, sample) -> (window, frame, coefficient)"""

    def __init__(self, frontend: FrontEndParams | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**{"trainable": False, **kwargs})
        self.frontend = FrontEndParams.model_validate(frontend)
        self._constants = constants(self.frontend)

    def call(self, waveform: Any) -> Any:
        """waveform: (window, window_length) float32"""
        p, c = self.frontend, self._constants
        frames = _frames(waveform, p, c.offset, len(c.window)) * _tensor(c.window)
        power = _power(frames, c.parts)
        mel = ops.concatenate([power[:, b.start : b.stop] @ _tensor(b.weights) for b in c.bands], -1)
        log_mel = ops.log(ops.maximum(mel, _tensor(c.floor)))
        decibels = _DECIBELS if p.log == "db" else 1.0
        if p.kind == "log_mel":
            features = log_mel * decibels - _tensor(c.log_scale * decibels)
        else:
            features = ops.matmul(log_mel, _tensor(c.dct * decibels)) - _tensor(
                c.log_scale @ c.dct * decibels
            )
        return ops.reshape(features, (-1, n_frames(p), n_coefficients(p)))

    def compute_output_shape(self, input_shape: tuple[Any, ...]) -> tuple[Any, ...]:
        """(window, sample) -> (window, frame, coefficient)"""
        return (input_shape[0], n_frames(self.frontend), n_coefficients(self.frontend))

    def get_config(self) -> dict[str, Any]:
        """What rebuilds the layer."""
        return {**super().get_config(), "frontend": self.frontend.model_dump()}


def _tensor(matrix: Matrix) -> Any:
    return ops.convert_to_tensor(matrix.astype(np.float32))


def _frames(waveform: Any, p: FrontEndParams, offset: int, length: int) -> Any:
    """The windowed part of each frame, put together from runs of hop_length samples.

    Slices that are long and joined by rows copy fast; a gather or a one-channel convolution does not.
    returns: (window and frame, length)
    """
    frames, hop = n_frames(p), p.hop_length
    begin = offset - (p.n_fft // 2 if p.center else 0)
    missing = begin + (frames - 1 + -(-length // hop)) * hop - p.window_length
    before, after = max(0, -begin), max(0, missing)
    if before or after:
        waveform = ops.pad(waveform, [(0, 0), (before, after)])
    pieces = []
    for start in range(0, length, hop):
        first = begin + before + start
        run = waveform[:, first : first + frames * hop]
        pieces.append(ops.reshape(run, (-1, hop))[:, : length - start])
    return ops.concatenate(pieces, axis=1) if len(pieces) > 1 else pieces[0]


def _power(frames: Any, parts: tuple[Part, Part]) -> Any:
    half = frames.shape[1] // 2
    later, earlier = frames[:, half:], ops.flip(frames[:, :half], 1)
    real = _spectrum(later + earlier, parts[0])
    imaginary = _spectrum(later - earlier, parts[1])
    power = real * real + imaginary * imaginary
    return ops.reshape(ops.transpose(power, (1, 2, 0)), (-1, power.shape[0] * power.shape[2]))


def _spectrum(half_frames: Any, part: Part) -> Any:
    if part.first is None:
        return ops.matmul(half_frames[None], _tensor(part.second))
    _, taps, values = part.first.shape
    residues = part.second.shape[1]
    half = residues // 2
    dealt = ops.transpose(ops.reshape(half_frames, (-1, residues)))  # (residue, frame and tap)
    right, left = ops.flip(dealt[half:], 0), dealt[:half]
    mixed = [ops.reshape(m, (1, -1, taps)) for m in (right + left, right - left)]
    short = ops.matmul(ops.concatenate(mixed, 0), _tensor(part.first))
    short = ops.reshape(short, (residues, -1, values))
    return ops.matmul(ops.transpose(short, (2, 1, 0)), _tensor(part.second))
