"""The front-end outside the graph: librosa's on any legal settings, and what Swift computes."""

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from places import ROOT
from pocketear.base.errors import RunnerError
from pocketear.evaluation.numeric_error import power_error, powers_of, probes, row_error
from pocketear.frontend import librosa_features, numpy_fft
from pocketear.params import FrontEndParams, load_params

PARAMS = load_params(ROOT / "params.yaml")
DEFAULT, LIMIT = PARAMS.frontend, PARAMS.gate.max_front_end_error
VECTORS = json.loads((ROOT / "mobile/vectors/front_end.json").read_text())


def error(found: np.ndarray, wanted: np.ndarray, loudest: np.ndarray, p: FrontEndParams) -> float:
    """As the parity gate has it. found, wanted: (frame, coefficient); loudest: (frame, 1)"""
    if p.kind == "mfcc":
        return float(row_error(found, wanted).max())
    return float(power_error(powers_of(found, p), powers_of(wanted, p), loudest, p.floor).max())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vectors(vector: dict) -> None:
    """What the Swift package's tests ask of both of its paths; and librosa still says the same."""
    p = FrontEndParams.model_validate(vector["frontend"])
    waveform = np.array(vector["waveform"], np.float32)
    wanted = np.array(vector["features"], np.float32)
    loudest = np.array(vector["loudest"])[:, None]
    assert error(numpy_fft.features(waveform[None], p)[0], wanted, loudest, p) <= vector["limit"]
    assert (
        error(librosa_features.reference(waveform, p), wanted, loudest, p) <= 0.1 * vector["limit"]
    )


@st.composite
def legal_params(draw: st.DrawFn) -> FrontEndParams:
    """Any front-end that Swift takes."""
    n_fft = 2 ** draw(st.integers(4, 11))
    fmax = draw(st.floats(0.1, 1.0)) * DEFAULT.sample_rate / 2
    n_mels = draw(st.integers(1, 80))
    drawn = dict(
        kind=draw(st.sampled_from(["log_mel", "mfcc"])), n_fft=n_fft,
        window_length=draw(st.integers(n_fft, n_fft + 3_000)),
        win_length=draw(st.integers(2, n_fft)), hop_length=draw(st.integers(n_fft // 16, n_fft)),
        n_mels=n_mels, fmin=fmax * draw(st.floats(0, 0.9)), fmax=fmax,
        mel_scale=draw(st.sampled_from(["slaney", "htk"])),
        mel_norm=draw(st.sampled_from(["slaney", "none"])), center=draw(st.booleans()),
        log=draw(st.sampled_from(["db", "ln"])), floor=draw(st.sampled_from([1e-10, 1e-7])),
        n_mfcc=draw(st.integers(1, n_mels)), lifter=draw(st.sampled_from([0, 22])),
    )  # fmt: skip
    return FrontEndParams.model_validate({**DEFAULT.model_dump(), **drawn})


@settings(max_examples=40)
@given(legal_params())
def test_any_legal_params_are_librosas(p: FrontEndParams) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # librosa's, of empty mels
        mel = librosa_features.mel_matrix(p)
        assume(mel.any())
        windows = np.stack(list(probes(p, PARAMS.seed).values()))
        for window, found in zip(windows, numpy_fft.features(windows, p), strict=True):
            steps = librosa_features.reference_steps(window, p)
            loudest = steps["power"].sum(axis=1, keepdims=True) * mel.max()
            assert error(found, steps["features"], loudest, p) <= LIMIT


def test_every_step_is_float32_and_librosas() -> None:
    noise = probes(DEFAULT, 3)["full-scale noise"]
    steps = numpy_fft.steps(noise[None], DEFAULT)
    wanted = {"frames": librosa_features.reference_frames(noise, DEFAULT)}
    wanted |= librosa_features.reference_steps(noise, DEFAULT)
    assert list(steps) == list(numpy_fft.STEPS) == list(wanted)
    for name, values in wanted.items():
        assert steps[name].dtype == np.float32
        np.testing.assert_allclose(steps[name][0], values, atol=2e-6 * np.abs(values).max())


def test_digital_silence_is_the_floor() -> None:
    silence = np.zeros((1, DEFAULT.window_length), np.float32)
    floor = 10 * math.log10(DEFAULT.floor)
    np.testing.assert_allclose(numpy_fft.features(silence, DEFAULT), floor, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_a_number_makes_its_window_nan_and_no_other(bad: float) -> None:
    windows = np.zeros((2, DEFAULT.window_length), np.float32)
    windows[0, -1] = bad  # in no whole frame
    features = numpy_fft.features(windows, DEFAULT)
    assert np.isnan(features[0]).all()
    assert np.isfinite(features[1]).all()


def test_a_window_of_another_length_is_refused() -> None:
    with pytest.raises(RunnerError, match="a window of 999 samples, want 24000"):
        numpy_fft.features(np.zeros((1, 999), np.float32), DEFAULT)
