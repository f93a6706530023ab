"""shipped: the .tflite that ships, found and opened with its card, at once."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pocketear.base.errors import RunnerError
from pocketear.runtimes.card import ModelCard, read_card
from pocketear.runtimes.runner import Runner, litert_runner

_PARAMS = Path("params.yaml")
_MODELS = Path("models/litert")


@dataclass(frozen=True)
class Model:
    """A .tflite that can be run, and what it says of itself."""

    path: Path
    card: ModelCard
    run: Runner


def shipped_model() -> Path:
    """The .tflite that params.yaml says ships on Android.

    raises: RunnerError if this is not a project's folder, or it was not made yet
    """
    try:
        text = _PARAMS.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise RunnerError(
            f"{_PARAMS}: not found; run this in the project's folder, or give --model PATH"
        ) from error
    name, variant = _plain_value(text, "package", "name"), _plain_value(text, "export", "android")
    if not name or not variant:  # written in another way than it came, or wrong
        from pocketear.params import load_params

        params = load_params(_PARAMS)
        name, variant = params.package.name, params.export.android
    path = _MODELS / f"{name}_{variant}.tflite"
    if not path.exists():
        raise RunnerError(f"{path}: no model yet; run `dvc repro` first")
    return path


def _plain_value(text: str, section: str, name: str) -> str | None:
    """A word in the YAML `section:` / `  name: word`: to import a real parser takes 60 ms."""
    inside = r"(?:[ #][^\n]*\n|\n)*?"
    found = re.search(
        rf"^{section}:\s*(?:#[^\n]*)?\n{inside} +{name}: +(\w+)\s*(?:#|$)", text, re.M
    )
    return found[1] if found else None


def open_model(path: Path) -> Model:
    """Open a .tflite made by export_litert.

    raises: RunnerError if it is missing or damaged, or its card does not fit its graph
    """
    if not path.exists():
        raise RunnerError(f"{path}: no such model; `dvc repro` makes one in {_MODELS}")
    card = read_card(path)
    try:
        model = Model(path, card, litert_runner(path))
        scores = model.run(np.zeros((1, card.window_length), np.float32))
    except (ValueError, RuntimeError) as error:
        raise RunnerError(f"{path}: its card does not fit its graph; export it again") from error
    if scores.shape != (1, len(model.card.labels)):
        raise RunnerError(
            f"{path}: gives {scores.shape[-1]} scores for {len(model.card.labels)} labels; "
            "export it again"
        )
    return model
