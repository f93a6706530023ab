"""dft: the two halves of windowed frames -> their power spectrum, as few and short matmuls.

Three symmetries, each halving the work, around one factorisation:

- Only power is wanted, so the origin of time is free. It lies in the middle of the frame: the sum
  of a frame and its mirror image gives the real part, their difference the imaginary part, and
  each is a sum over half a frame of cosines or of sines.
- With n = R * tap + residue and M = n_fft / R, a bin needs of each of the R residues one value of
  an M-point DFT over its taps, then an R-point DFT over the residues (Cooley and Tukey, "An
  algorithm for the machine calculation of complex Fourier series", 1965). Two matmuls, and the
  twiddle factors are part of the second.
- Time counts from the middle of the residues too: residues r and R - 1 - r turn in opposite
  directions, and again a sum takes the cosines, a difference the sines.
- The samples are real, so half of the M values are enough; the mirrored bins come from them too.

Where n_fft has no such factors, or a plain DFT costs less, the second matmul alone is one.
docs/decisions/0002-front-end.md has the measurements.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Constant = NDArray[np.float32]  # what the graph holds of a matrix

_TILE = 8  # columns that a phone's matmul kernel computes at once
_COLUMN, _ROW = 2.6, 13.0  # arm64 instructions of such a tile, by input and by row (decision 2)
_MOVES = 14.0  # arm64 instructions a sample of half a frame to deal, mirror and transpose


class Part(NamedTuple):
    """The matmuls of the real or the imaginary part.

    short: (sum | difference, tap, value), None for a plain DFT
    long: (value, sums then differences, row); for a plain DFT (1, sample, bin)
    """

    short: Constant | None
    long: Constant


class PowerSpectrum(NamedTuple):
    """half: samples in half a frame; bins: the bin at each position of what `power` returns."""

    half: int
    real: Part
    imaginary: Part
    bins: NDArray[np.int64]


def power_spectrum(n_fft: int, samples: int, low: int, high: int) -> PowerSpectrum:
    """The constants for frames of at most `samples` samples and the bins from low to high.

    n_fft: at least `samples`; bins are multiples of sample_rate / n_fft, high < n_fft / 2
    """
    half = -(-samples // 2)
    residues = choose_residues(n_fft, half, low, high)
    if residues == 1:
        bins = np.arange(low, high + 1)
        turns = np.outer(np.arange(half) + 0.5, bins) / n_fft
        real, imaginary = _cosine_and_sine(turns[None])
        return PowerSpectrum(half, Part(None, _single(real)), Part(None, _single(imaginary)), bins)
    taps, run = -(-half // residues), n_fft // residues // 2
    cosine, sine = short_dft(2 * run, taps)
    real, imaginary, bins = long_dft(n_fft, residues, range(low // run, high // run + 1))
    return PowerSpectrum(
        half=taps * residues,
        real=Part(_single(np.stack([cosine, sine])), _single(real)),
        imaginary=Part(_single(np.stack([sine, cosine])), _single(imaginary)),
        bins=bins.T.ravel(),
    )


def choose_residues(n_fft: int, half: int, low: int, high: int) -> int:
    """The number of residues that costs fewest arm64 instructions; 1: a plain DFT."""

    def cost(residues: int) -> float:
        if residues == 1:
            return 2 * _matmul_cost(half, high - low + 1)
        run, taps = n_fft // residues // 2, -(-half // residues)
        rows = high // run - low // run + 1
        short = 2 * residues * _matmul_cost(taps, run)
        return short + 2 * run * _matmul_cost(residues, rows) + _MOVES * residues * taps

    even = [residues for residues in range(2, n_fft // 2 + 1, 2) if n_fft % (2 * residues) == 0]
    return min([1, *even], key=cost)


def _matmul_cost(inputs: int, outputs: int) -> float:
    return -(-outputs // _TILE) * (_COLUMN * inputs + _ROW)  # of one row


def short_dft(values: int, taps: int) -> tuple[Matrix, Matrix]:
    """Cosines and sines of a DFT of `values` values over taps, counted from the middle on.

    Value 0 has no sine and value `values` / 2 no cosine: the sine of that stands in for the sine
    of this. returns: (tap, values / 2) each
    """
    tap = np.arange(taps) + 0.5
    cosine, sine = _cosine_and_sine(np.outer(tap, np.arange(values // 2)) / values)
    sine[:, 0] = np.sin(np.pi * tap)
    return cosine, sine


def long_dft(n_fft: int, residues: int, rows: range) -> tuple[Matrix, Matrix, NDArray[np.int64]]:
    """From the values of all pairs of residues to bins; row r holds the bins from r * run on.

    A run is half as long as the short DFT: values 0, 1, … are bins going up in even rows, and in
    odd rows the mirrored bins, going down.
    returns: matrices (value, sums then differences, row) of the real and the imaginary part, and
        the bin of each (value, row)
    """
    run, half, row = n_fft // residues // 2, residues // 2, np.array(rows)
    even = row % 2 == 0
    bins = np.arange(run)[:, None] + run * np.where(even, row, -(row + 1))  # negative: mirrored
    bins[0] = run * row  # from value 0 in even rows, from the one that stands in for it in odd ones
    pair = (residues - 1) / 2 - np.arange(half)  # how far from the middle
    cosine, sine = _cosine_and_sine(pair[:, None] * bins[:, None, :] / n_fft)
    real = np.concatenate([cosine, -sine], axis=1)
    imaginary = np.concatenate([cosine, sine], axis=1)
    first = np.repeat([even, ~even], half, axis=0)  # sums hold value 0, differences its stand-in
    real[0] *= first
    imaginary[0] *= ~first
    return real, imaginary, np.abs(bins)


def _cosine_and_sine(turns: Matrix) -> tuple[Matrix, Matrix]:
    return np.cos(2 * np.pi * turns), np.sin(2 * np.pi * turns)


def _single(matrix: Matrix) -> Constant:
    return matrix.astype(np.float32)


def power(earlier: Any, later: Any, spectrum: PowerSpectrum) -> Any:
    """The graph: power of frames whose window is already applied.

    earlier, later: (frame, half) samples, both counted from the frame's middle outwards
    returns: (frame, position) squared magnitudes, the bins of `spectrum.bins`
    """
    from keras import ops

    real = _transform(later + earlier, spectrum.real)
    imaginary = _transform(later - earlier, spectrum.imaginary)
    squares = real * real + imaginary * imaginary  # (value, frame, row)
    return ops.reshape(ops.transpose(squares, (1, 2, 0)), (-1, len(spectrum.bins)))


def _transform(samples: Any, part: Part) -> Any:
    """(frame, half) -> (value, frame, row)"""
    from keras import ops

    if part.short is None:
        return ops.matmul(samples[None], part.long)
    _, taps, values = part.short.shape
    residues = part.long.shape[1]
    dealt = ops.transpose(ops.reshape(samples, (-1, residues)))  # (residue, frame and tap)
    before, after = dealt[: residues // 2], ops.flip(dealt[residues // 2 :], 0)
    pairs = [ops.reshape(x, (1, -1, taps)) for x in (after + before, after - before)]
    short = ops.matmul(ops.concatenate(pairs, 0), part.short)  # (2, pair and frame, value)
    short = ops.reshape(short, (residues, -1, values))
    return ops.matmul(ops.transpose(short, (2, 1, 0)), part.long)
