"""layer: THE front-end, waveform -> log-mel or MFCC, as one Keras layer of builtin ops.

It is what is trained, evaluated and shipped; librosa_features.py says what it must come to.

The power spectrum is what costs. Three symmetries, each halving the work, and one factorisation:

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

fp16: the window and each mel are scaled so that no waveform in [-1, 1] gives more than fp16 can
hold, and the scale is taken back after the logarithm. Downwards the room is too small: a power at
the floor is a subnormal, and the sums round at 1e-3 of the loudest bin. Whoever converts to fp16
keeps the ops whose names hold the layer's name, `front_end`, in float32.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from pocketear.base.arrays import FeatureBatch
from pocketear.frontend.librosa_features import Matrix, dct_matrix, hann, mel_matrix
from pocketear.params import FrontEndParams

Constant = NDArray[np.float32]  # what the graph holds of a matrix

_LARGEST = 255.0  # whose square fp16 can hold
_JOINED = 4  # XNNPACK joins no more than five tensors in one op
_TILE = 8  # columns that a phone's matmul kernel computes at once
_COLUMN, _ROW = 2.6, 13.0  # arm64 instructions of such a tile, by input and by row (decision 2)
_MOVES = 14.0  # arm64 instructions a sample of half a frame to deal, mirror and transpose
# Name scopes of the graph; what each ends in can be found by it in every exported file.
SCOPES = EARLIER, LATER, POWER, MEL = "earlier", "later", "power", "mel"


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


class Band(NamedTuple):
    """Neighbouring mels, and the run of positions of the power spectrum that they cover."""

    start: int
    stop: int
    weights: Constant  # (position, mel)


class Constants(NamedTuple):
    """All that the graph multiplies by.

    offset: the first sample of a frame that the window does not make zero
    level: what scales the window; window: (sample,) Hann from there on, times level; zeros up to
        two whole halves of `spectrum`
    scale: (mel,) by how much a mel's power is larger in the graph
    floor: (mel,) scaled: just below the floor where it clips, which keeps the logarithm finite;
        the floor where it is added
    log_scale: (mel,) what scaling added to the natural logarithm
    dct: (mel, coefficient), liftering included
    """

    offset: int
    level: float
    window: Constant
    spectrum: PowerSpectrum
    bands: list[Band]
    scale: Matrix
    floor: Constant
    log_scale: Constant
    dct: Constant


def n_frames(frontend: FrontEndParams) -> int:
    """Frames of one window: whole ones only, unless they are centred."""
    padding = 2 * (frontend.n_fft // 2) if frontend.center else 0
    return 1 + (frontend.window_length + padding - frontend.n_fft) // frontend.hop_length


def n_coefficients(frontend: FrontEndParams) -> int:
    """Features of one frame."""
    return frontend.n_mels if frontend.kind == "log_mel" else frontend.n_mfcc


def in_librosas_layout(
    tensors: Mapping[str, FeatureBatch], frontend: FrontEndParams
) -> dict[str, FeatureBatch]:
    """What the graph has at the ends of its scopes, laid out and scaled as librosa has it.

    tensors: scope -> values of any number of windows; what lacks is lacking in the result
    returns: frames (window, frame, n_fft); power (window, frame, used bin), see `used_bins`;
        mel (window, frame, mel)
    """
    p, c = frontend, constants(frontend)
    flat = {
        name: values.reshape(-1, n_frames(p), values.shape[-1]) for name, values in tensors.items()
    }
    steps: dict[str, NDArray[Any]] = {}
    if EARLIER in flat and LATER in flat:
        windowed = np.concatenate([flat[EARLIER][..., ::-1], flat[LATER]], axis=-1) / c.level
        after = max(0, p.n_fft - c.offset - windowed.shape[-1])
        padded = np.pad(windowed, ((0, 0), (0, 0), (c.offset, after)))
        steps["frames"] = padded[..., : p.n_fft]
    if POWER in flat:
        spectrum = flat[POWER][..., np.argsort(c.spectrum.bins)]
        steps["power"] = (spectrum if p.spectrum == "power" else spectrum**2) / c.level**2
    if MEL in flat:
        steps["mel"] = flat[MEL] / c.scale
    return {name: step.astype(np.float32) for name, step in steps.items()}


def used_bins(frontend: FrontEndParams) -> NDArray[np.int64]:
    """The bins whose power the graph computes: those under a mel filter, and their companions."""
    return np.sort(constants(frontend).spectrum.bins)


def constants(frontend: FrontEndParams) -> Constants:
    """Window, DFT, mel and DCT of a front-end, scaled and cut to what the graph needs of them."""
    p = frontend
    offset, window = hann(p.win_length, p.n_fft)
    mel = mel_matrix(p)
    used = np.flatnonzero(mel.any(axis=1))
    low, high = (int(used[0]), int(used[-1])) if len(used) else (0, 0)
    spectrum = power_spectrum(p.n_fft, len(window), low, high)
    level = _LARGEST / window.sum()  # no bin is louder than a constant full-scale waveform's
    window = np.pad(window, (0, 2 * spectrum.half - len(window))) * level
    # Parseval: the powers of half the bins sum to at most n_fft / 2 * sum(window ** 2)
    frame = p.n_fft / 2 * np.square(window).sum()
    of_power = p.spectrum == "power"
    # of magnitudes, by Cauchy and Schwarz
    loudest = frame * mel.max(axis=0) if of_power else np.sqrt(frame * np.square(mel).sum(axis=0))
    gain = _LARGEST**2 / np.where(loudest > 0, loudest, _LARGEST**2)
    scale = (level**2 if of_power else level) * gain  # of each mel
    below = 0.9 if p.floor_mode == "clip" else 1.0
    return Constants(
        offset=offset,
        level=level,
        window=window.astype(np.float32),
        spectrum=spectrum,
        bands=bands((mel[spectrum.bins] * gain).astype(np.float32)),
        scale=scale,
        floor=(below * p.floor * scale).astype(np.float32),
        log_scale=np.log(scale).astype(np.float32),
        dct=dct_matrix(p).astype(np.float32),
    )


def bands(weights: Constant) -> list[Band]:
    """Cut a filterbank (position, mel), which is mostly zeros, into bands of mels."""
    cut = []
    for first in range(0, weights.shape[1], _TILE):
        band = weights[:, first : first + _TILE]
        used = np.flatnonzero(band.any(axis=1))
        start, stop = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        cut.append(Band(start, stop, band[start:stop]))
    return cut


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


@keras.saving.register_keras_serializable(package="pocketear")
class FrontEnd(keras.layers.Layer):
    """Waveforms (window, window_length) in [-1, 1] -> features (window, frame, coefficient)."""

    def __init__(self, frontend: FrontEndParams | dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        self.frontend = FrontEndParams.model_validate(frontend)
        self.input_spec = keras.layers.InputSpec(shape=(None, self.frontend.window_length))
        self._constants = constants(self.frontend)

    def call(self, waveform: Any) -> Any:
        """waveform: (window, window_length) float32. returns: (window, frame, coefficient)"""
        return self.steps(waveform)["features"]

    def steps(self, waveform: Any) -> dict[str, Any]:
        """The graph: what each of SCOPES ends in, laid out as it is cheapest, and `features`.

        `in_librosas_layout` undoes the layout.
        """
        p, c = self.frontend, self._constants
        half = c.spectrum.half
        with keras.name_scope(EARLIER):
            earlier = ops.flip(frames(waveform, p, c.offset, half), 1) * c.window[half - 1 :: -1]
        with keras.name_scope(LATER):
            later = frames(waveform, p, c.offset + half, half) * c.window[half:]
        with keras.name_scope(POWER):
            bins = power(earlier, later, c.spectrum)  # (value, frame, row)
            if p.spectrum == "magnitude":
                bins = ops.sqrt(bins)
            spectrum = by_position(bins)  # (window and frame, position)
        with keras.name_scope(MEL):
            mel = join([ops.matmul(spectrum[:, b.start : b.stop], b.weights) for b in c.bands])
        log_mel = ops.reshape(mel, (-1, n_frames(p), p.n_mels))
        with_floor = ops.maximum if p.floor_mode == "clip" else ops.add
        log_mel = (ops.log(with_floor(log_mel, c.floor)) - c.log_scale) * _unit(p)
        # The floor comes last: silence is exactly there, and where converters would join a sum or
        # a reshape with the next layer's, name and all, the features keep a name of their own.
        log_mel = ops.maximum(log_mel, math.log(p.floor) * _unit(p))
        features = log_mel if p.kind == "log_mel" else ops.matmul(log_mel, c.dct)
        return {EARLIER: earlier, LATER: later, POWER: spectrum, MEL: mel, "features": features}

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(window, window_length) -> (window, frame, coefficient)"""
        return (input_shape[0], n_frames(self.frontend), n_coefficients(self.frontend))

    def get_config(self) -> dict[str, Any]:
        """What rebuilds the layer."""
        return {**super().get_config(), "frontend": self.frontend.model_dump()}


def frames(waveform: Any, frontend: FrontEndParams, offset: int, length: int) -> Any:
    """The graph: `length` samples of each frame, from sample `offset` of the frame on.

    Frames are joined from runs of hop_length samples, which are plain slices of the waveform: these
    copy whole rows, where a gather or a one-channel convolution would touch each sample.
    returns: (window and frame, length)
    """
    hop, count = frontend.hop_length, n_frames(frontend)
    begin = offset - (frontend.n_fft // 2 if frontend.center else 0)
    end = begin + (count - 1 + -(-length // hop)) * hop
    before, after = max(0, -begin), max(0, end - frontend.window_length)
    if before or after:
        waveform = ops.pad(waveform, [(0, 0), (before, after)])
    runs = []
    for start in range(0, length, hop):
        first = begin + before + start
        run = ops.reshape(waveform[:, first : first + count * hop], (-1, hop))
        runs.append(run if start + hop <= length else run[:, : length - start])
    return join(runs)


def power(earlier: Any, later: Any, spectrum: PowerSpectrum) -> Any:
    """The graph: power of frames whose window is already applied.

    earlier, later: (frame, half) samples, both counted from the frame's middle outwards
    returns: (value, frame, row) squared magnitudes
    """
    real = _transform(later + earlier, spectrum.real)
    imaginary = _transform(later - earlier, spectrum.imaginary)
    return real * real + imaginary * imaginary


def by_position(bins: Any) -> Any:
    """The graph: (value, frame, row) -> (frame, position), the bins of `PowerSpectrum.bins`"""
    return ops.reshape(ops.transpose(bins, (1, 2, 0)), (-1, bins.shape[0] * bins.shape[2]))


def _transform(samples: Any, part: Part) -> Any:
    """(frame, half) -> (value, frame, row)"""
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


def join(pieces: list[Any]) -> Any:
    """The graph: concatenate (row, column) tensors by columns, a few at a time."""
    while len(pieces) > 1:
        few = [pieces[i : i + _JOINED] for i in range(0, len(pieces), _JOINED)]
        pieces = [ops.concatenate(some, 1) if len(some) > 1 else some[0] for some in few]
    return pieces[0]


def _unit(frontend: FrontEndParams) -> float:
    return 10 / math.log(10) if frontend.log == "db" else 1.0  # of a power ratio of e
