"""export_litert: the Keras model -> .tflite, waveform in and scores out, fp32 and int8.

They take a chunk at a time, with a state (network.by_chunks): that is what a listener runs. Of the
variant that ships there is one that takes a whole window besides, which other runtimes can open.

The concrete function is frozen first, else LiteRT reads variables that were never written. Only
builtin ops may ship. int8 quantises the network and leaves the front-end in float: in eight bits a
power spectrum loses its quiet half.
"""

import contextlib
import hashlib
import io
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketear.base import process
from pocketear.base.arrays import Runner, WindowBatch
from pocketear.base.errors import ExportError
from pocketear.base.files import replacing
from pocketear.base.fingerprint import code_hash
from pocketear.contracts.names import (
    LITERT_VARIANTS,
    NEXT_STATE,
    SCORES,
    STATE,
    WAVEFORM,
    ModelFiles,
)
from pocketear.data.clips import read_labels
from pocketear.data.decoding.bandwidth import bandwidth
from pocketear.data.store import Store, open_store
from pocketear.data.windows import cut_windows
from pocketear.listening import thresholds
from pocketear.params import Params, load_params
from pocketear.runtimes.card import ListenerSettings as Settings
from pocketear.runtimes.card import ModelCard, card_for, card_json, settings_json, write_card
from pocketear.runtimes.chunks import State
from pocketear.runtimes.keras import load_keras
from pocketear.runtimes.litert import interpreter_of, litert_runner, state_shape
from pocketear.training.network import by_chunks

SIGNATURE = "serving_default"
_CALIBRATION_WINDOWS = 100
_NARROW = 5  # percentile of the training clips
# The layers that count in eight bits, by name. The front-end does not, which eight bits ruin; nor
# what comes behind the convolutions, which costs nothing and where steps of 1/256 would.
_QUANTISED = r".*(conv|pool)_\d+.*"


def convert(model: Any) -> bytes:
    """A Keras model -> fp32 .tflite of batch 1, its inputs and outputs in order and by name.

    model: waveform in, scores out; or with a state beside both
    raises: ExportError naming any op that is not a LiteRT builtin
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2 as freeze,
    )

    inputs, outputs = (WAVEFORM, STATE), (SCORES, NEXT_STATE)
    spec = [
        tf.TensorSpec((1, *source.shape[1:]), tf.float32, name=name)
        for name, source in zip(inputs, model.inputs, strict=False)
    ]
    call = tf.function(lambda *given: tf.nest.flatten(model(_inputs(given), training=False)))
    frozen = freeze(call.get_concrete_function(*spec))
    module = tf.Module()
    module.run = tf.function(
        lambda *given: dict(zip(outputs, frozen(*given), strict=False)), input_signature=spec
    )
    with tempfile.TemporaryDirectory() as folder:
        signatures = {SIGNATURE: module.run.get_concrete_function()}
        tf.saved_model.save(module, folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[SIGNATURE])
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            converted = converter.convert()
        except Exception as error:
            reason = next((s for s in str(error).splitlines() if "op" in s.lower()), str(error))
            raise ExportError(f"LiteRT cannot convert the model: {reason.strip()[:300]}") from error
    return named(bytes(converted))


def _inputs(given: tuple[Any, ...]) -> Any:
    """As Keras wants them: one alone is no list."""
    return list(given) if len(given) > 1 else given[0]


def named(tflite: bytes) -> bytes:
    """The same graph, inputs and outputs called as its signature does, sound and scores first.

    Every weight inside: the quantiser keeps them behind the flatbuffer, where readers of the schema
    do not look.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(tflite))
    graph, signature = model.subgraphs[0], model.signatureDefs[0]
    graph.inputs = _named(graph, signature.inputs, (WAVEFORM, STATE))
    graph.outputs = _named(graph, signature.outputs, (SCORES, NEXT_STATE))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _named(graph: Any, entries: Any, names: tuple[str, ...]) -> list[int]:
    """Name a signature's inputs or outputs. returns: their tensors, in the order of `names`"""
    found = {entry.name.decode(): entry.tensorIndex for entry in entries}
    for name, tensor in found.items():
        graph.tensors[tensor].name = name
    return [found[name] for name in names if name in found]


def quantise(fp32: bytes, sounds: WindowBatch) -> bytes:
    """fp32 .tflite -> full-integer network behind a float front-end, float in and out.

    sounds: real training sounds as long as its input, whose least and largest activations are the
        ends of the int8 ranges. So a file for chunks and one for windows have the same ranges; the
        quantiser's own default, a moving average, depends on how the sounds are cut
    """
    from ai_edge_quantizer import calibrator, quantizer, recipe_manager
    from ai_edge_quantizer.qtyping import TFLOperationName
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    tool = quantizer.Quantizer(bytearray(fp32))
    tool.add_static_config(
        regex=_QUANTISED,
        operation_name=TFLOperationName.ALL_SUPPORTED,
        activation_num_bits=8,
        weight_num_bits=8,
    )
    batches = [{**_fresh_state(fp32), WAVEFORM: sound[np.newaxis]} for sound in sounds]
    recipes = recipe_manager.RecipeManager()
    recipes.load_quantization_recipe(tool.get_quantization_recipe())
    ranges = calibrator.Calibrator(fp32, num_threads=1, qsv_update_func=min_max_update)
    with contextlib.redirect_stderr(io.StringIO()):  # its bars, many a second in a log
        ranges.calibrate({SIGNATURE: batches}, recipes)
        result = tool.quantize(
            ranges.get_model_qsvs(), enable_progress_bar=False, enable_progress_report=False
        )
    if result.quantized_model is None:
        raise ExportError("int8: the quantiser made no model; set export.android to fp32")
    return named(bytes(result.quantized_model))


def _fresh_state(tflite: bytes) -> dict[str, State]:
    shape = state_shape(interpreter_of(Path("model"), tflite))
    return {} if shape is None else {STATE: np.zeros((1, *shape), np.float32)}


def calibration_windows(store: Store, window_length: int, seed: int) -> WindowBatch:
    """Windows of training clips, drawn over all of them."""
    rows = np.flatnonzero(store.index["split"] == "train")
    drawn = np.random.default_rng(seed).choice(rows, min(len(rows), _CALIBRATION_WINDOWS), False)
    return np.concatenate(
        [cut_windows(store.waveform(int(row)), window_length, window_length)[:1] for row in drawn]
    )


def validation_stream(
    run: Runner, store: Store, labels: tuple[str, ...], params: Params
) -> thresholds.Stream:
    """The validation clips joined to one long recording, scored as a phone would."""
    rows = np.flatnonzero(store.index["split"] == "val").tolist()
    truth = store.index["label"].iloc[rows].tolist()
    rate, window = params.frontend.sample_rate, params.frontend.window_length
    lengths = store.index["samples"].iloc[rows].tolist()
    order, sounds = thresholds.joined_clips(lengths, truth, rate, params.seed)
    clips = (store.waveform(rows[place]) for place in order)
    settings = thresholds.settings_for(params.listener, labels)
    scored = thresholds.score_stream(run, clips, window, settings, labels)
    return thresholds.Stream(
        scored.scores, scored.peaks, sounds, labels, rate, window, scored.samples / rate
    )


def chosen_settings(fp32: Path, store: Store, labels: tuple[str, ...], params: Params) -> Settings:
    """The listener's settings with thresholds that keep the stated rate on validation."""
    stream = validation_stream(litert_runner(fp32), store, labels, params)
    settings = thresholds.settings_for(params.listener, labels)
    chosen = thresholds.choose_thresholds(stream, settings, params.listener.false_alarms_per_hour)
    return thresholds.choose_quiet_peak(stream, chosen, params.listener.quiet_margin_db)


def narrowest_band(store: Store, params: Params) -> float:
    """Up to where all but the narrowest twentieth of the training sounds reach, in Hz.

    Augmentation counts too: it makes windows narrower, if it is asked to.
    """
    rate = params.frontend.sample_rate
    rows = np.flatnonzero(store.index["split"] == "train").tolist()
    found = [bandwidth(store.waveform(row), rate) for row in rows]
    narrowed = params.augment.band * rate if params.augment.band_share else rate / 2
    return round(float(min(narrowed, np.percentile(found, _NARROW))), 1)


def made_from(files: ModelFiles, features: Path) -> dict[str, str]:
    """What the files were made from, by SHA-256."""
    sources = {"dataset": features / "index.parquet", "weights": files.keras}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sources.items()}
    if files.backbone.exists():
        hashes["backbone"] = files.backbone.read_text().strip()
    return {
        **hashes,
        "training code": files.training_code.read_text().strip(),
        "export code": code_hash("stages/export_litert.py"),
    }


def variant(fp32: bytes, name: str, sounds: WindowBatch, card: ModelCard) -> bytes:
    """One of LITERT_VARIANTS of an fp32 .tflite, with its card inside. sounds: see `quantise`"""
    content = quantise(fp32, sounds) if name == "int8" else fp32
    return write_card(content, replace(card, variant=name))


def main(keras: Path, features: Path, out: Path) -> None:
    """Write NAME_fp32.tflite, NAME_int8.tflite, NAME_…_window.tflite and card.json."""
    params, store = load_params(), open_store(features)
    files = ModelFiles(keras.parent, params.package.name)
    labels = read_labels(files.labels)
    whole = load_keras(files.keras)
    fp32 = convert(by_chunks(whole))
    windows = calibration_windows(store, params.frontend.window_length, params.seed)
    with replacing(out) as fresh:
        fresh.mkdir()
        bare = fresh / "fp32.tflite"
        bare.write_bytes(fp32)
        listener = settings_json(chosen_settings(bare, store, labels, params))
        bare.unlink()
        card = card_for(params, labels, listener, "fp32", made_from(files, features))
        card = replace(card, bandwidth=narrowest_band(store, params))
        (fresh / files.card.name).write_text(card_json(card), encoding="utf-8")
        chunks = windows.reshape(-1, params.listener.hop_length)
        content = {files.litert(v): variant(fp32, v, chunks, card) for v in LITERT_VARIANTS}
        ships = params.export.android
        content[files.litert_window(ships)] = variant(convert(whole), ships, windows, card)
        for path, tflite in content.items():
            (fresh / path.name).write_bytes(tflite)
            print(f"export_litert: {path.name}: {len(tflite)} bytes")
    print(f"export_litert: thresholds {listener['thresholds']}")


if __name__ == "__main__":
    process.run(main)
