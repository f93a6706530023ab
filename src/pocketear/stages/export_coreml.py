"""export_coreml: the Keras model -> .mlpackage, waveform in and label probabilities out.

It takes a chunk at a time, with a state (network.by_chunks): that is what a listener runs. Of the
variant that ships there is one that takes a whole window besides, for SoundAnalysis.

With export.ios_front_end `accelerate` each takes features instead, and the Swift package computes
them; the input's name, which alone distinguishes them, is then coreml.FEATURES.

Three variants of one ML Program: fp32; fp16, where the network counts in fp16; int8, which is fp16
with the network's weights in eight bits. The front-end counts in fp32 in all of them, and its
constants stay as they are: a power spectrum spans more than fp16 can hold. The same input gives
the same bytes: coremltools' random identifiers, map order and date are replaced.

Names follow what sound classifiers of Create ML and Turi Create look like, so that SoundAnalysis
finds its way: docs/decisions/0005-core-ml-on-linux.md.
"""

import hashlib
import json
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketear.base import process
from pocketear.base.archive import read_folder
from pocketear.base.errors import ExportError, RunnerError
from pocketear.base.files import replacing
from pocketear.base.fingerprint import code_hash
from pocketear.contracts.names import (
    COREML_VARIANTS,
    FRONT_END,
    NEXT_STATE,
    NORMALISE,
    STATE,
    ModelFiles,
)
from pocketear.params import load_params
from pocketear.runtimes import coreml
from pocketear.runtimes.card import CARD, ModelCard, card_from, card_json
from pocketear.runtimes.keras import load_keras
from pocketear.training.network import by_chunks

WAVEFORM, LABEL, PROBABILITIES = "audioSamples", "classLabel", "classLabel_probs"
_IN_FLOAT = (FRONT_END, NORMALISE)  # the layers that count in fp32
_MADE_OF = {"int8": "fp16"}  # the others are converted
_DATA = "com.apple.CoreML"
_ITEMS = {"model.mlmodel": "Specification", "weights": "Weights"}
_DATE = "com.github.apple.coremltools.conversion_date"


def freeze(model: Any, name: str = WAVEFORM) -> Any:
    """A Keras model -> a concrete function without the batch axis, its variables constants.

    model: one sound in and scores out, or with a state beside both
    name: of the function's first input
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    spec = [
        tf.TensorSpec(source.shape[1:], tf.float32, name=called)
        for called, source in zip((name, STATE), model.inputs, strict=False)
    ]

    def call(*given: Any) -> list[Any]:
        batch = [one[None] for one in given]
        scores, *state = tf.nest.flatten(
            model(batch if len(batch) > 1 else batch[0], training=False)
        )
        return [scores, *(one[0] for one in state)]

    return convert_variables_to_constants_v2(tf.function(call).get_concrete_function(*spec))


def convert(frozen: Any, labels: tuple[str, ...], precision: str) -> Any:
    """A frozen function -> an ML Program as coremltools' MLModel. precision: fp32 | fp16

    raises: ExportError if Core ML has no op for something in the graph
    """
    ct = coreml.import_coremltools()
    compute = {
        "fp32": ct.precision.FLOAT32,
        "fp16": ct.transform.FP16ComputePrecision(op_selector=network_only()),
    }
    inputs = [
        ct.TensorType(source.op.name, tuple(source.shape), np.float32) for source in frozen.inputs
    ]
    scores = frozen.outputs[0].op.name
    common = {"minimum_deployment_target": ct.target.iOS16, "skip_model_load": True}
    try:
        program = ct.convert(
            [frozen], source="tensorflow", convert_to="milinternal", inputs=inputs,
            compute_precision=compute[precision], **common,
        )  # fmt: skip
        main = program.functions["main"]
        for state in main.outputs[1:]:
            state.name = NEXT_STATE
        # in one step coremltools has types for a classifier's own outputs only, not for the state
        main.set_output_types(None)
        return ct.convert(
            program, source="milinternal", convert_to="mlprogram",
            classifier_config=ct.ClassifierConfig(list(labels), LABEL, scores),
            compute_precision=compute[precision], **common,
        )  # fmt: skip
    except Exception as error:  # the converter has no class of its own
        reason = str(error).strip().splitlines()[0][:300]
        raise ExportError(f"Core ML cannot convert the model: {reason}") from error


def network_only() -> Callable[[Any], bool]:
    """Whether an op of a program comes after the front-end and the normalisation."""
    seen: dict[Any, bool] = {}

    def selects(operation: Any) -> bool:
        if operation not in seen:
            following = [child for out in operation.outputs for child in out.child_ops]
            seen[operation] = not _counts_in_float(operation.name) and all(
                selects(child) for child in following
            )
        return seen[operation]

    return selects


def quantise(model: Any) -> Any:
    """An MLModel -> the same with the network's weights in eight bits, linear by channel."""
    from coremltools.optimize import coreml as optimise

    weights = optimise.get_weights_metadata(model, weight_threshold=0)
    users = {op.name for weight in weights.values() for op in weight.child_ops}
    config = optimise.OptimizationConfig(
        global_config=optimise.OpLinearQuantizerConfig(mode="linear"),
        op_name_configs={name: None for name in sorted(users) if _counts_in_float(name)},
    )
    with np.errstate(invalid="ignore"):  # a channel of zeros: 0 / 0, times a scale of 0 again
        return optimise.linear_quantize_weights(model, config)


def package_files(model: Any, card: ModelCard) -> dict[str, bytes]:
    """An MLModel -> the files of its .mlpackage: posix name -> content."""
    specification = model.get_spec()
    _describe(specification.description, card)
    return {
        "Manifest.json": _manifest(card),
        f"Data/{_DATA}/model.mlmodel": specification.SerializeToString(deterministic=True),
        **{
            f"Data/{_DATA}/weights/{name}": content
            for name, content in read_folder(Path(model.weights_dir)).items()
        },
    }


def write_package(files: dict[str, bytes], path: Path) -> None:
    """Write the files of an .mlpackage."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def check_package(path: Path, window_length: int) -> None:
    """Run what was written on digital silence and on sound at full scale.

    raises: ExportError if an op is not covered by runtimes.coreml, or a score is not a number
    """
    square = np.sign(np.sin(np.arange(window_length)))
    try:
        scores = coreml.windows_runner(path)(np.stack([0 * square, square]).astype(np.float32))
    except RunnerError as error:
        raise ExportError(str(error)) from error
    if not np.isfinite(scores).all():
        raise ExportError(f"{path.name}: silence or full scale gives scores that are not numbers")


def variants(
    frozen: Any, card: ModelCard, names: tuple[str, ...] = COREML_VARIANTS
) -> dict[str, dict[str, bytes]]:
    """A frozen function -> variant -> the files of its package. names: of COREML_VARIANTS"""
    wanted = {_MADE_OF.get(name, name) for name in names}
    models = {precision: convert(frozen, card.labels, precision) for precision in sorted(wanted)}
    if "int8" in names:
        models["int8"] = quantise(models[_MADE_OF["int8"]])
    return {name: package_files(models[name], replace(card, variant=name)) for name in names}


def main(keras: Path, card: Path, out: Path) -> None:
    """Write NAME_fp32, NAME_fp16 and NAME_int8.mlpackage, with the card's contents inside."""
    model_card = card_from(card.read_text(encoding="utf-8"))
    made_from = {**model_card.made_from, "export code": code_hash("stages/export_coreml.py")}
    model_card = replace(model_card, made_from=made_from)
    files = ModelFiles(keras.parent, model_card.name)
    whole = load_keras(files.keras)
    export = load_params().export
    in_model = export.ios_front_end == "in_model"
    chunked = by_chunks(whole, takes_features=not in_model)
    content = variants(freeze(chunked, WAVEFORM if in_model else coreml.FEATURES), model_card)
    found = {files.coreml(variant): content[variant] for variant in COREML_VARIANTS}
    if in_model:  # SoundAnalysis has waveforms only
        of_windows = variants(freeze(whole), model_card, (export.ios,))
        found[files.coreml_window(export.ios)] = of_windows[export.ios]
    with replacing(out) as fresh:
        for name, package in found.items():
            path = fresh / name.name
            write_package(package, path)
            check_package(path, model_card.window_length)
            print(f"export_coreml: {path.name}: {sum(map(len, package.values()))} bytes")


def _counts_in_float(name: str) -> bool:
    return any(layer in name for layer in _IN_FLOAT)


def _describe(description: Any, card: ModelCard) -> None:
    chunked = any(source.name == STATE for source in description.input)
    seconds = (card.hop_length if chunked else card.window_length) / card.sample_rate
    metadata = description.metadata
    metadata.shortDescription = f"Sound classifier: {', '.join(card.labels)}"
    metadata.versionString, metadata.license = card.version, card.licence
    del metadata.userDefined[_DATE]
    if description.input[0].name == WAVEFORM:
        metadata.userDefined["sampleRate"] = str(card.sample_rate)  # SoundAnalysis looks for it
    metadata.userDefined[CARD] = card_json(card)
    sound = f"{seconds:g} s of mono sound at {card.sample_rate} Hz, from -1 to 1"
    texts = {
        WAVEFORM: sound,
        coreml.FEATURES: f"What the front-end of {CARD} makes of {sound}: (frame, coefficient)",
        LABEL: "The most probable label",
        PROBABILITIES: "The probability of each label",
        STATE: "state_out of the chunk before; zeros where the stream begins, or was interrupted",
        NEXT_STATE: "state_in of the next chunk",
    }
    for feature in (*description.input, *description.output):
        feature.shortDescription = texts[feature.name]


def _manifest(card: ModelCard) -> bytes:
    """Manifest.json as Core ML writes it, with identifiers that depend on the card alone."""
    root = uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(card_json(card).encode()).hexdigest())
    entries = {
        str(uuid.uuid5(root, name)): {
            "author": _DATA,
            "description": f"CoreML Model {kind}",
            "name": name,
            "path": f"{_DATA}/{name}",
        }
        for name, kind in _ITEMS.items()
    }
    manifest = {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": entries,
        "rootModelIdentifier": str(uuid.uuid5(root, "model.mlmodel")),
    }
    return (json.dumps(manifest, indent=4, sort_keys=True) + "\n").encode()


if __name__ == "__main__":
    process.run(main)
