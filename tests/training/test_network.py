"""The whole model: shapes, names, size, and a file that is the same bytes every time."""

import math
from pathlib import Path

import numpy as np
import pytest

from places import ROOT
from pocketear.base.errors import ParamsError
from pocketear.contracts.normalisation import Normalisation
from pocketear.params import load_params

LABELS = ("background", "crying_baby", "laughing")
PARAMS = load_params(ROOT / "params.yaml")
HOP = PARAMS.listener.hop_length
CHUNKS = PARAMS.frontend.window_length // HOP
MFCC = PARAMS.frontend.model_copy(update={"kind": "mfcc"})


def made(architecture: str = "log_mel_cnn", width: float = 1.0, frontend=PARAMS.frontend):
    import keras

    from pocketear.training import network

    frontend = MFCC if architecture == "mfcc_cnn" else frontend
    coefficients = frontend.n_mfcc if frontend.kind == "mfcc" else frontend.n_mels
    constants = Normalisation(mean=(-30.0,) * coefficients, scale=(12.0,) * coefficients)
    params = PARAMS.model.model_copy(update={"architecture": architecture, "width": width})
    keras.backend.clear_session()  # layers are numbered, as in a process of its own
    keras.utils.set_random_seed(1)
    return network.build(frontend, params, LABELS, constants, HOP)


@pytest.mark.parametrize("architecture", ["log_mel_cnn", "mfcc_cnn"])
def test_sound_goes_in_and_probabilities_come_out(architecture: str) -> None:
    whole = made(architecture)
    window = PARAMS.frontend.window_length
    sounds = np.random.default_rng(0).uniform(-1, 1, (2, window)).astype(np.float32)
    sounds[1] = 0  # digital silence
    scores = whole.predict_on_batch(sounds)
    assert whole.input.name == "waveform" and whole.input_shape == (None, window)
    assert whole.layers[-1].name == "scores" and scores.shape == (2, len(LABELS))
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_the_default_network_fits_a_small_phone() -> None:
    from pocketear.training import network

    whole = made()
    assert sum(math.prod(weight.shape) for weight in whole.trainable_variables) <= 220_000
    assert network.multiply_adds(whole) <= 5_000_000


def test_multiply_adds_are_those_counted_by_hand() -> None:
    """A chunk of 24 frames and 64 mels, both halved by a stride, then by pools."""
    from pocketear.training import network

    frontend = PARAMS.frontend.model_copy(update={"hop_length": 320, "window_length": 24_000})
    chunk = (
        (12 * 32) * (25 * 1 * 16 + 9 * 16 * 24)
        + (6 * 16) * 9 * (24 * 32 + 32 * 32)
        + (3 * 8) * 9 * (32 * 64 + 64 * 64)
        + (1 * 4) * 9 * (64 * 96 + 96 * 96)
    )
    assert network.multiply_adds(made(frontend=frontend)) == chunk + 192 * 3


def test_width_scales_every_convolution_in_steps_that_phones_like() -> None:
    import keras

    channels = [
        [layer.filters for layer in made(width=w).layers if isinstance(layer, keras.layers.Conv2D)]
        for w in (1.0, 0.5)
    ]
    assert all(abs(half - wide / 2) <= 4 for wide, half in zip(*channels, strict=True))
    assert all(count % 8 == 0 for row in channels for count in row)


def test_features_reach_the_network_normalised() -> None:
    whole = made()
    import keras

    features = keras.Model(whole.input, whole.get_layer("front_end").output)
    normalised = keras.Model(whole.input, whole.get_layer("normalise").output)
    window = np.random.default_rng(1).uniform(-1, 1, (1, PARAMS.frontend.window_length))
    window = window.astype(np.float32)
    assert normalised.output_shape == (None, 24, 64)  # of each chunk
    expected = (features.predict_on_batch(window) + 30) / 12
    np.testing.assert_allclose(normalised.predict_on_batch(window), expected, rtol=1e-5, atol=1e-6)


def test_an_architecture_for_other_features_is_refused_with_both_names() -> None:
    from pocketear.training import network

    params = PARAMS.model.model_copy(update={"architecture": "mfcc_cnn"})
    constants = Normalisation(mean=(0.0,) * 64, scale=(1.0,) * 64)
    with pytest.raises(ParamsError, match="mfcc_cnn takes mfcc, but frontend"):
        network.build(PARAMS.frontend, params, LABELS, constants, HOP)


@pytest.mark.slow
def test_a_saved_model_is_the_same_bytes_and_loads_in_safe_mode(tmp_path: Path) -> None:
    import keras

    from pocketear.training import network

    whole = made()
    network.save(whole, tmp_path / "a.keras")
    network.save(made(), tmp_path / "b.keras")  # another object, from the same seed
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    loaded = keras.saving.load_model(tmp_path / "a.keras", compile=False, safe_mode=True)
    window = np.random.default_rng(2).uniform(-1, 1, (1, PARAMS.frontend.window_length))
    window = window.astype(np.float32)
    np.testing.assert_array_equal(loaded.predict_on_batch(window), whole.predict_on_batch(window))


def test_chunk_by_chunk_it_says_what_it_says_of_the_window() -> None:
    """Each window of a stream, whose state is carried over from the chunk before."""
    from pocketear.training import network

    whole = made()
    chunked = network.by_chunks(whole)
    assert [tensor.shape[1:] for tensor in chunked.inputs] == [(HOP,), (CHUNKS - 1, 192)]
    stream = np.random.default_rng(3).normal(0, 0.1, 6 * HOP).astype(np.float32)
    windows = [stream[start : start + CHUNKS * HOP] for start in range(0, 4 * HOP, HOP)]
    expected = whole.predict_on_batch(np.stack(windows))
    state, found = np.zeros((1, CHUNKS - 1, 192), np.float32), []
    for chunk in stream.reshape(-1, 1, HOP):
        scores, state = chunked.predict_on_batch([chunk, state])
        found.append(scores[0])
    np.testing.assert_allclose(found[CHUNKS - 1 :], expected, atol=1e-6)
    assert np.ptp(expected, axis=0).max() > 1e-4  # the windows do not all score alike


def test_a_window_of_one_chunk_has_no_state() -> None:
    from pocketear.training import network

    constants = Normalisation(mean=(-30.0,) * 64, scale=(12.0,) * 64)
    frontend = PARAMS.frontend.model_copy(update={"window_length": HOP})
    whole = network.build(frontend, PARAMS.model, LABELS, constants, HOP)
    chunked = network.by_chunks(whole)
    assert len(chunked.inputs) == len(chunked.outputs) == 1
    window = np.random.default_rng(4).uniform(-1, 1, (1, HOP)).astype(np.float32)
    np.testing.assert_allclose(
        chunked.predict_on_batch(window), whole.predict_on_batch(window), atol=1e-6
    )


def test_a_chunk_too_short_for_the_network_is_refused_with_what_it_needs() -> None:
    from pocketear.training import network

    constants = Normalisation(mean=(0.0,) * 64, scale=(1.0,) * 64)
    with pytest.raises(ParamsError, match=r"listener.hop_length 2400 has 6 frames .* needs 16"):
        network.build(PARAMS.frontend, PARAMS.model, LABELS, constants, 2_400)
