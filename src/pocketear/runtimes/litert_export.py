"""litert_export: a Keras model -> .tflite, waveform in and scores out, fp32 and int8.

The concrete function is frozen first, else LiteRT reads variables that were never written. Only
builtin ops may ship. int8 quantises the network and leaves the front-end in float: in eight bits a
power spectrum loses its quiet half.
"""

import contextlib
import io
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketear.base.arrays import WindowBatch
from pocketear.base.errors import ExportError
from pocketear.contracts.names import NEXT_STATE, SCORES, STATE, WAVEFORM
from pocketear.runtimes.card import ModelCard, write_card
from pocketear.runtimes.chunks import State
from pocketear.runtimes.litert import interpreter_of, state_shape

SIGNATURE = "serving_default"
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


def variant(fp32: bytes, name: str, sounds: WindowBatch, card: ModelCard) -> bytes:
    """One of LITERT_VARIANTS of an fp32 .tflite, with its card inside. sounds: see `quantise`"""
    content = quantise(fp32, sounds) if name == "int8" else fp32
    return write_card(content, replace(card, variant=name))
