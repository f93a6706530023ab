"""default_model: the .tflite that a command runs where --model does not name one."""

import re
from pathlib import Path

from pocketear.base.errors import RunnerError
from pocketear.contracts.names import ModelFiles

_PARAMS = Path("params.yaml")
_MODELS = Path("models")


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
    path = ModelFiles(_MODELS, name).litert(variant)
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
