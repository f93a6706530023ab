"""The front-end against librosa, on real recordings, extremes and any legal parameters.

Errors are those of numeric_error.power_error, which the parity gate uses too: of a mel's own power,
or, 54 dB and more below its frame, of the power there: float32 rounds the whole frame alike.
"""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from places import ROOT
from pocketear.data.decoding.audio import load_waveform
from pocketear.evaluation.numeric_error import floor_power, loudest_mel, power_error, powers_of
from pocketear.frontend import layer, librosa_features
from pocketear.params import FrontEndParams, load_params
from pocketear.presets import PRESETS

DEFAULT = load_params(ROOT / "params.yaml").frontend
EXTREMES = ("silence", "noise", "whisper", "sine", "square", "impulse", "offset")
RELATIVE = 1e-4


def sound(name: str, length: int, sample_rate: int = 16_000, seed: int = 7) -> np.ndarray:
    """A waveform with a known extreme. returns: (sample,) float32"""
    time = np.arange(length) / sample_rate
    noise = np.random.default_rng(seed).uniform(-1, 1, length)
    sine = np.sin(2 * np.pi * 440 * time)
    impulse = np.zeros(length)
    impulse[length // 2] = 1
    sounds = {
        "silence": np.zeros(length), "noise": noise, "whisper": 1e-4 * noise, "sine": sine,
        "square": np.where(sine >= 0, 1.0, -1.0), "impulse": impulse, "offset": 0.9 + 0.1 * noise,
    }  # fmt: skip
    return sounds[name].astype(np.float32)


def error(ours: np.ndarray, waveform: np.ndarray, p: FrontEndParams) -> np.ndarray:
    """Of each mel power under a log-mel (frame, mel)."""
    steps = librosa_features.reference_steps(waveform, p)
    loudest = loudest_mel(steps["power"].sum(axis=1, keepdims=True), p)
    return power_error(powers_of(ours, p), powers_of(steps["features"], p), loudest, floor_power(p))


def apply(waveforms: np.ndarray, p: FrontEndParams) -> np.ndarray:
    return np.asarray(layer.FrontEnd(p, name="front_end")(waveforms))


def assert_is_librosas(waveform: np.ndarray, p: FrontEndParams) -> None:
    """The layer agrees with librosa on one window, as float32 can."""
    ours = apply(waveform[None], p)
    expected = librosa_features.reference(waveform, p)
    shape = (layer.n_frames(p), layer.n_coefficients(p))
    assert ours.shape == (1, *shape) and expected.shape == shape
    if p.kind == "mfcc":
        return np.testing.assert_allclose(ours[0], expected, atol=2e-2, rtol=1e-4)
    found = error(ours[0], waveform, p).max()
    assert found <= RELATIVE, f"{found:.3g}"
    return None


def changed(**values: object) -> FrontEndParams:
    return FrontEndParams.model_validate({**DEFAULT.model_dump(), **values})


@st.composite
def legal_params(draw: st.DrawFn) -> FrontEndParams:
    """Any params that params.yaml could hold, in a window short enough to be quick."""
    sample_rate = draw(st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000]))
    n_fft = draw(st.one_of(st.sampled_from([256, 400, 512, 640, 1024]), st.integers(32, 1200)))
    window_length = draw(st.integers(n_fft, n_fft + 4_000))
    fmax = draw(st.floats(0.1, 1.0)) * sample_rate / 2
    kind = draw(st.sampled_from(["log_mel", "log_mel", "mfcc"]))
    n_mels = draw(st.integers(1, 80))
    return changed(
        kind=kind, sample_rate=sample_rate, n_fft=n_fft, window_length=window_length,
        win_length=draw(st.integers(2, n_fft)), hop_length=draw(st.integers(n_fft // 16, n_fft)),
        n_mels=n_mels, fmin=fmax * draw(st.floats(0, 0.9)), fmax=fmax,
        mel_scale=draw(st.sampled_from(["slaney", "htk"])),
        mel_norm=draw(st.sampled_from(["slaney", "none"])), center=draw(st.booleans()),
        spectrum=draw(st.sampled_from(["power", "power", "magnitude"])),
        floor_mode=draw(st.sampled_from(["clip", "add"])),
        log=draw(st.sampled_from(["db", "ln"])), floor=draw(st.sampled_from([1e-10, 1e-7, 1e-4])),
        n_mfcc=draw(st.integers(1, n_mels)), lifter=draw(st.sampled_from([0, 22])),
    )  # fmt: skip


@settings(max_examples=25)
@given(legal_params(), st.sampled_from(EXTREMES))
@example(changed(center=True), "noise")
@example(changed(n_fft=441, win_length=441, hop_length=147), "noise")  # no factors: a plain DFT
@example(changed(fmin=0.0, fmax=8000.0), "impulse")  # up to half the sample rate
@example(changed(**PRESETS["yamnet"]), "noise")
@example(changed(**PRESETS["yamnet"]), "silence")
def test_any_legal_params_are_librosas(p: FrontEndParams, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # librosa's, of empty mels
        assume(librosa_features.mel_matrix(p).any())
        assert_is_librosas(sound(name, p.window_length, p.sample_rate), p)


@pytest.mark.parametrize("name", EXTREMES)
def test_extremes_at_the_projects_params(name: str) -> None:
    assert_is_librosas(sound(name, DEFAULT.window_length), DEFAULT)


@pytest.mark.parametrize("name", ["silence", "noise", "whisper", "impulse"])
def test_broadband_power_is_within_1e_4_and_a_thousandth_of_a_decibel(name: str) -> None:
    waveform = sound(name, DEFAULT.window_length)
    ours, expected = (
        apply(waveform[None], DEFAULT)[0],
        librosa_features.reference(waveform, DEFAULT),
    )
    ratio = powers_of(ours, DEFAULT) / powers_of(expected, DEFAULT)
    assert np.abs(ratio - 1).max() <= RELATIVE
    assert np.abs(ours - expected).max() <= 1e-3


def test_silence_is_exactly_the_floor() -> None:
    floor = np.float32(10 * np.log10(DEFAULT.floor))
    assert (apply(sound("silence", DEFAULT.window_length)[None], DEFAULT) == floor).all()


def test_real_recordings(esc10: Path) -> None:
    """All within what float32 can hold, and 99.9 % of mel powers within 1e-4 of their own value."""
    paths = sorted(p for p in esc10.rglob("*") if p.suffix in {".ogg", ".wav"})[::20]
    windows = []
    for path in paths:
        waveform = load_waveform(path, DEFAULT.sample_rate)[: DEFAULT.window_length]
        windows.append(np.pad(waveform, (0, DEFAULT.window_length - len(waveform))))
    ours = apply(np.stack(windows), DEFAULT)
    expected = np.stack([librosa_features.reference(window, DEFAULT) for window in windows])
    worst = [error(own, window, DEFAULT).max() for own, window in zip(ours, windows, strict=True)]
    assert max(worst) <= RELATIVE, paths[int(np.argmax(worst))]
    own = powers_of(ours, DEFAULT) / powers_of(expected, DEFAULT) - 1
    assert np.quantile(np.abs(own), 0.999) <= RELATIVE
    assert np.abs(ours - expected).max() <= 1e-2  # dB


def test_a_batch_is_its_windows_one_by_one() -> None:
    windows = np.stack([sound(name, DEFAULT.window_length) for name in EXTREMES])
    for own, window in zip(apply(windows, DEFAULT), windows, strict=True):
        assert error(own, window, DEFAULT).max() <= RELATIVE
        alone = apply(window[None], DEFAULT)[0]
        loud = alone > alone.max() - 54  # dB; below, float32 resolves less (decision 2)
        np.testing.assert_allclose(own[loud], alone[loud], atol=1e-2)


def test_a_waveform_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="24000"):
        apply(np.zeros((1, 23_999), np.float32), changed(window_length=24_000))


def as_model(p: FrontEndParams) -> Any:
    waveform = keras.Input((p.window_length,), name="waveform")
    return keras.Model(waveform, layer.FrontEnd(p, name="front_end")(waveform))


def test_a_saved_layer_is_the_same_layer(tmp_path: Path) -> None:
    as_model(DEFAULT).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    noise = sound("noise", DEFAULT.window_length)[None]
    np.testing.assert_array_equal(loaded(noise), apply(noise, DEFAULT))
    assert not loaded.trainable_variables


CASES = [
    DEFAULT,
    changed(kind="mfcc", lifter=22, log="ln"),
    changed(center=True, log="ln", hop_length=147),
    changed(n_fft=441, win_length=441, hop_length=441, window_length=8_000),
]


@pytest.mark.parametrize("p", CASES)
@pytest.mark.parametrize("name", ["noise", "impulse"])
def test_every_step_is_librosas(p: FrontEndParams, name: str) -> None:
    """Relative to the largest value: what is quiet beside it is for the parity gate."""
    waveform = sound(name, p.window_length)
    steps = layer.FrontEnd(p, name="front_end").steps(waveform[None])
    tensors = {scope: np.asarray(steps[scope]) for scope in layer.SCOPES}
    found = layer.in_librosas_layout(tensors, p)
    expected = librosa_features.reference_steps(waveform, p)
    ours = {
        "frames": librosa_features.reference_frames(waveform, p),
        "power": expected["power"][:, layer.used_bins(p)],
        "mel": expected["mel"],
    }
    assert set(found) == set(ours)
    for step, values in ours.items():
        np.testing.assert_allclose(found[step][0], values, rtol=0, atol=2e-6 * values.max())
    assert set(np.flatnonzero(librosa_features.mel_matrix(p).any(axis=1))) <= set(
        layer.used_bins(p)
    )


@pytest.mark.slow
@pytest.mark.parametrize("p", CASES)
def test_the_exported_layer_is_the_layer(p: FrontEndParams, tmp_path: Path) -> None:
    """LiteRT: builtin ops only, all under the layer's name, float32's own rounding apart."""
    from pocketear.runtimes.litert_export import convert
    from pocketear.runtimes.tensors import litert_tensors

    path = tmp_path / "front_end.tflite"
    path.write_bytes(convert(as_model(p)))
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    for name in EXTREMES:
        window = sound(name, p.window_length)[None]
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], window)
        interpreter.invoke()
        found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        np.testing.assert_allclose(found, apply(window, p), atol=2e-2, rtol=1e-4)
    tensors = litert_tensors(path)(window)  # of the last extreme
    assert set(tensors) == set(layer.SCOPES)
    steps = layer.FrontEnd(p, name="front_end").steps(window)
    for scope, values in tensors.items():
        kept = np.asarray(steps[scope])
        np.testing.assert_allclose(values.reshape(kept.shape), kept, rtol=1e-4, atol=1e-4)
    allowed = {
        "STRIDED_SLICE", "SLICE", "RESHAPE", "CONCATENATION", "REVERSE_V2", "MUL", "ADD", "SUB",
        "TRANSPOSE", "BATCH_MATMUL", "FULLY_CONNECTED", "MAXIMUM", "LOG", "PAD",
    }  # fmt: skip
    kinds = {op["op_name"] for op in interpreter._get_ops_details()} - {"DELEGATE"}
    assert kinds <= allowed


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_core_ml_takes_every_op_and_stays_finite(precision: str, tmp_path: Path) -> None:
    """In fp32 the features themselves; wholly in fp16, which nobody ships, never infinite."""
    from pocketear.runtimes import coreml

    ct = coreml.import_coremltools()
    from pocketear.stages.export_coreml import freeze

    kinds = {"fp32": ct.precision.FLOAT32, "fp16": ct.precision.FLOAT16}
    package = ct.convert(
        [freeze(as_model(DEFAULT))], source="tensorflow", convert_to="mlprogram",
        inputs=[ct.TensorType("audioSamples", (DEFAULT.window_length,), np.float32)],
        compute_precision=kinds[precision], minimum_deployment_target=ct.target.iOS16,
        skip_model_load=True,
    )  # fmt: skip
    package.save(str(tmp_path / "front_end.mlpackage"))
    program = coreml.load_program(tmp_path / "front_end.mlpackage")
    for name in EXTREMES:
        window = sound(name, DEFAULT.window_length)
        (found,) = coreml.evaluate(program, {"audioSamples": window}).values()
        assert np.isfinite(found).all()
        if precision == "fp32":
            expected = apply(window[None], DEFAULT)
            # dB; near the floor, float32 beside a loud frame resolves less (decision 2)
            np.testing.assert_allclose(np.maximum(found, -80), np.maximum(expected, -80), atol=2e-2)
