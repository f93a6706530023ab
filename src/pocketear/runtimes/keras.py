"""keras: a .keras file, run by TensorFlow on this machine."""

from pathlib import Path
from typing import Any

import numpy as np

from pocketear.base.arrays import Runner
from pocketear.base.errors import RunnerError, first_line


def load_keras(path: Path) -> Any:
    """A Keras model, in safe mode: a file with code in it is refused.

    raises: RunnerError if it cannot be read
    """
    import keras  # 9 s

    import pocketear.frontend.layer  # noqa: F401  registers FrontEnd

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, OSError, KeyError) as error:
        raise RunnerError(
            f"{path}: not a Keras model that can be read: {first_line(error)}"
        ) from error


def keras_runner(path: Path) -> Runner:
    """TensorFlow on this machine."""
    model = load_keras(path)
    return lambda windows: np.asarray(model.predict(windows, verbose=0), np.float32)
