"""What is read of YAMNet's file, against LiteRT running that file, on real recordings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from places import ROOT
from pocketear.base.errors import ParamsError
from pocketear.data.decoding.audio import load_waveform
from pocketear.params import FrontEndParams, Params, load_params
from pocketear.presets import PRESETS
from pocketear.training import backbone

PARAMS = load_params(ROOT / "params.yaml")
_PATCH = 15_600  # samples, of which YAMNet makes 96 frames


def pretrained(layers: int = 5, **frontend: object) -> Params:
    """params.yaml with the preset and the backbone of YAMNet, where the project keeps it."""
    given = PARAMS.model_dump()
    given["frontend"] |= {"preset": "yamnet", **frontend}
    start = "data/backbone/yamnet.tflite"
    given["model"] |= {"architecture": "yamnet", "start": start, "layers": layers}
    return Params.model_validate(given)


@pytest.fixture
def put(project: Path, yamnet: Path) -> Path:
    """A project with YAMNet's file in its place."""
    place = project / "data" / "backbone" / "yamnet.tflite"
    place.parent.mkdir(parents=True)
    place.symlink_to(yamnet)
    return place


def whole_network(layers: tuple[backbone.Layer, ...]) -> Any:
    """YAMNet's convolutions, for a quarter of its features, and the mean of what they leave."""
    import keras

    from pocketear.training import network

    image = keras.Input((96, 64, 1))
    out = network.go_on(image, layers)
    return keras.Model(image, keras.ops.mean(out, axis=(1, 2)))


def test_scores_are_those_of_the_file_on_real_clips(yamnet: Path, esc10: Path) -> None:
    """From the file's own log-mel on: its front-end is in eight bits, and not ours."""
    from ai_edge_litert.interpreter import Interpreter

    runs = Interpreter(str(yamnet), experimental_preserve_all_tensors=True)
    runs.allocate_tensors()
    details = runs.get_tensor_details()
    rebuilt = whole_network(backbone.read_backbone(yamnet).layers)
    dense = next(one for one in details if tuple(one["shape"]) == (521, 1024))
    scale = dense["quantization_parameters"]["scales"][0]
    kernel = runs.get_tensor(dense["index"]).astype(np.float32) * scale
    bias = next(one for one in details if tuple(one["shape"]) == (521,))["index"]
    paths = sorted(p for p in esc10.rglob("*") if p.suffix in {".ogg", ".wav"})[::20]
    same = []
    for path in paths:
        waveform = np.resize(load_waveform(path, 16_000), _PATCH).astype(np.float32)
        runs.set_tensor(runs.get_input_details()[0]["index"], waveform[None])
        runs.invoke()
        scores, patch = (runs.get_tensor(one["index"]) for one in runs.get_output_details())
        embedding = rebuilt.predict_on_batch(patch.reshape(1, 96, 64, 1) / 4)
        ours = 1 / (1 + np.exp(-(embedding @ kernel.T + runs.get_tensor(bias))))
        # the file rounds activations to eight bits at each layer, and ours does not
        assert np.abs(ours - scores).max() < 0.1, path
        same.append(int(ours.argmax()) == int(scores.argmax()))
    assert np.mean(same) >= 0.9, same


def test_a_network_starts_from_the_first_layers_and_knows_its_front_end(put: Path) -> None:
    from pocketear.contracts.normalisation import Normalisation
    from pocketear.training import network

    params = pretrained(layers=5)
    mels = params.frontend.n_mels
    measured = Normalisation(mean=(5.0,) * mels, scale=(2.0,) * mels)
    hop = params.listener.hop_length
    whole = network.build(params.frontend, params.model, ("cry", "laugh"), measured, hop)
    trunk = [layer for layer in whole.layers if layer.name.startswith("conv_")]
    kernels = [layer.kernel.numpy() for layer in trunk]
    taken = network.normalisation_of(whole)
    assert set(taken.mean) == {0.0}  # zeros beyond a chunk's edges are zeros of the features
    (scale,) = set(taken.scale)
    wanted = [layer.kernel for layer in backbone.read_backbone(put).first(5)]
    for kernel, known in zip(kernels, [wanted[0] * scale, *wanted[1:]], strict=True):
        np.testing.assert_array_equal(kernel, known)
    assert sum(kernel.size for kernel in kernels) == 62_848  # counted by hand


def test_a_chunk_that_its_strides_do_not_fill_is_refused(put: Path) -> None:
    """Six layers halve the frames three times; fourteen, five times."""
    from pocketear.contracts.normalisation import Normalisation
    from pocketear.training import network

    constants = Normalisation(mean=(0.0,) * 64, scale=(1.0,) * 64)
    for layers, needed in ((6, 8), (14, 32)):
        params = pretrained(layers=layers)
        hop = params.frontend.n_fft + (needed - 2) * params.frontend.hop_length
        wanted = rf"has {needed - 1} frames .* yamnet needs {needed}"
        with pytest.raises(ParamsError, match=wanted):
            network.build(params.frontend, params.model, ("cry", "laugh"), constants, hop)


def test_the_strongest_channels_of_the_last_layer_are_kept(yamnet: Path) -> None:
    found = backbone.read_backbone(yamnet)
    whole, narrow = found.first(6), found.first(6, width=0.875)
    assert [layer.kernel.shape for layer in narrow[:-1]] == [
        layer.kernel.shape for layer in whole[:-1]
    ]
    assert narrow[-1].kernel.shape == (1, 1, 256, 224) and narrow[-1].bias.shape == (224,)
    sums = np.abs(whole[-1].kernel[0, 0]).sum(axis=0)
    place = {column.tobytes(): at for at, column in enumerate(whole[-1].kernel[0, 0].T)}
    kept = [place[column.tobytes()] for column in narrow[-1].kernel[0, 0].T]
    assert kept == sorted(kept)
    assert sums[kept].min() >= np.delete(sums, kept).max()
    np.testing.assert_array_equal(narrow[-1].bias, whole[-1].bias[kept])


def test_chunks_score_as_windows(put: Path) -> None:
    from pocketear.contracts.normalisation import Normalisation
    from pocketear.training import network

    params, hop = pretrained(), PARAMS.listener.hop_length
    ones = (1.0,) * params.frontend.n_mels
    normalisation = Normalisation(mean=ones, scale=ones)
    whole = network.build(params.frontend, params.model, ("a", "b", "c"), normalisation, hop)
    chunked = network.by_chunks(whole)
    sound = np.random.default_rng(3).normal(0, 0.1, params.frontend.window_length)
    state = np.zeros((1, *chunked.inputs[1].shape[1:]), np.float32)
    for chunk in sound.astype(np.float32).reshape(-1, 1, hop):
        scores, state = chunked.predict_on_batch([chunk, state])
    np.testing.assert_allclose(scores, whole.predict_on_batch(sound[None]), atol=1e-5)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "is missing; docs/pretrained.md says how to get it"),
        (b"", "is no .tflite, or damaged"),
        (b"a text file that somebody called .tflite", "is no .tflite, or damaged"),
        ("half", "is no .tflite, or damaged"),
        ("other", "has not the layers of YAMNet"),
        ("nan", "has weights that are not numbers"),
    ],
)
def test_what_is_no_backbone_is_one_clear_line(
    tmp_path: Path, yamnet: Path, content: bytes | str | None, line: str
) -> None:
    path = tmp_path / "yamnet.tflite"
    whole = yamnet.read_bytes()
    kernel = backbone.read_backbone(yamnet).layers[0].kernel
    as_stored = np.ascontiguousarray(kernel.transpose(3, 0, 1, 2)).tobytes()
    assert as_stored in whole
    made = {
        "half": whole[: len(whole) // 2],
        "other": (ROOT / "mobile/vectors/card.tflite").read_bytes(),
        "nan": whole.replace(as_stored, b"\xff" * len(as_stored)),
    }
    if content is not None:
        path.write_bytes(made[content] if isinstance(content, str) else content)
    with pytest.raises(ParamsError, match=r"model\.start: ") as raised:
        backbone.read_backbone(path)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_params_that_do_not_fit_the_backbone_are_refused() -> None:
    given = pretrained().model_dump()
    for section, key, value, line in (
        (
            "frontend",
            "n_mels",
            40,
            "trained on another front-end than this, whose n_mels differ",
        ),
        ("model", "start", "scratch", "starts from the .tflite of YAMNet, found 'scratch'"),
        ("model", "start", "elsewhere/yamnet.tflite", "or a file in data/backbone"),
        ("model", "architecture", "log_mel_cnn", "log_mel_cnn starts from scratch"),
        ("model", "width", 1.5, "width must be at most 1 where a network is pretrained"),
        ("frontend", "preset", "vggish", "preset should be one of none, yamnet, found 'vggish'"),
    ):
        changed = {**given, section: {**given[section], key: value}}
        with pytest.raises(ValueError, match="1 validation error") as raised:
            Params.model_validate(changed)
        assert line in str(raised.value)


def test_a_preset_sets_all_but_the_length_of_a_window() -> None:
    found = FrontEndParams.model_validate(
        {**PARAMS.frontend.model_dump(), "preset": "yamnet", "window_length": 40_000}
    )
    assert found.window_length == 40_000
    assert {key: getattr(found, key) for key in PRESETS["yamnet"]} == PRESETS["yamnet"]
