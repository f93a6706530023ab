"""MediaPipe's own AudioClassifier, for files that it must open unchanged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pocketear.runtimes.card import ModelCard


def mediapipe_classifier(file: Path, **more: Any) -> Any:
    """A client of `file`; skips where MediaPipe cannot be loaded."""
    audio = pytest.importorskip("mediapipe.tasks.python.audio")
    base = pytest.importorskip("mediapipe.tasks.python").BaseOptions
    options = audio.AudioClassifierOptions(base_options=base(model_asset_path=str(file)), **more)
    try:
        return audio.AudioClassifier.create_from_options(options)
    except OSError as error:  # libEGL.so.1: MediaPipe wants a graphics library even for sound
        pytest.skip(f"MediaPipe cannot start: {error} (Debian: libegl1 libgles2)")


def mediapipe_scores(client: Any, waveform: np.ndarray, card: ModelCard) -> np.ndarray:
    """(window, label) scores of windows end to end."""
    containers = pytest.importorskip("mediapipe.tasks.python.components.containers")
    data = containers.AudioData.create_from_array(waveform, card.sample_rate)
    return rows_of(client.classify(data), card.labels)


def rows_of(results: list[Any], labels: tuple[str, ...]) -> np.ndarray:
    """(window, label) scores of MediaPipe's results, by label name."""
    rows = []
    for result in results:
        categories = result.classifications[0].categories
        scores = {category.category_name: category.score for category in categories}
        rows.append([scores[label] for label in labels])
    return np.asarray(rows, np.float32)
