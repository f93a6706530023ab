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
MFCC = PARAMS.frontend.model_copy(update={"kind": "mfcc"})


def made(architecture: str = "log_mel_cnn", width: float = 1.0, frontend=PARAMS.frontend):
    import keras

    from pocketear.training import network

    frontend = MFCC if architecture == "mfcc_cnn" else frontend
    coefficients = frontend.n_mfcc if frontend.kind == "mfcc" else frontend.n_mels
    constants = Normalisation(mean=(-30.0,) * coefficients, scale=(12.0,) * coefficients)
    params = PARAMS.model.model_copy(update={"architecture": architecture, "width": width})
    keras.utils.set_random_seed(1)
    return network.build(frontend, params, LABELS, constants)


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
    assert sum(math.prod(weight.shape) for weight in whole.trainable_variables) <= 131_000
    assert network.multiply_adds(whole) <= 25_000_000


def test_multiply_adds_are_those_counted_by_hand() -> None:
    """74 frames of 64 mels: mels halved by a stride, then both by pools, less a last odd one."""
    from pocketear.training import network

    frontend = PARAMS.frontend.model_copy(update={"hop_length": 320, "window_length": 24_000})
    by_hand = (
        (74 * 32) * (25 * 1 * 16 + 9 * 16 * 16)
        + (37 * 16) * 9 * (16 * 32 + 32 * 32)
        + (18 * 8) * 9 * (32 * 48 + 48 * 48)
        + (9 * 4) * 9 * (48 * 64 + 64 * 64)
        + 64 * 3
    )
    assert network.multiply_adds(made(frontend=frontend)) == by_hand == 21_886_144


def test_width_scales_every_convolution_in_steps_that_phones_like() -> None:
    import keras

    channels = [
        [layer.filters for layer in made(width=w).layers if isinstance(layer, keras.layers.Conv2D)]
        for w in (1.0, 0.5)
    ]
    assert all(half == wide // 2 for wide, half in zip(*channels, strict=True))
    assert all(count % 8 == 0 for row in channels for count in row)


def test_features_reach_the_network_normalised() -> None:
    whole = made()
    import keras

    features = keras.Model(whole.input, whole.get_layer("front_end").output)
    normalised = keras.Model(whole.input, whole.get_layer("normalise").output)
    window = np.random.default_rng(1).uniform(-1, 1, (1, PARAMS.frontend.window_length))
    window = window.astype(np.float32)
    expected = (features.predict_on_batch(window) + 30) / 12
    np.testing.assert_allclose(normalised.predict_on_batch(window), expected, rtol=1e-5, atol=1e-6)


def test_an_architecture_for_other_features_is_refused_with_both_names() -> None:
    from pocketear.training import network

    params = PARAMS.model.model_copy(update={"architecture": "mfcc_cnn"})
    constants = Normalisation(mean=(0.0,) * 64, scale=(1.0,) * 64)
    with pytest.raises(ParamsError, match="mfcc_cnn takes mfcc, but frontend"):
        network.build(PARAMS.frontend, params, LABELS, constants)


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
