"""served_model: the code inside a registered model: waveforms or files in, scores out.

MLflow copies this file, the modules that it imports and the .tflite that ships into the model, and
runs it when the model is loaded (`mlflow.pyfunc.load_model`, `mlflow models serve`): no pickle.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from pocketear.base.arrays import Scores
from pocketear.base.errors import ClipError
from pocketear.contracts.names import SCORE_COLUMN
from pocketear.data.decoding.untrusted import load_untrusted
from pocketear.runtimes.card import read_card
from pocketear.runtimes.clip_scores import clip_scores
from pocketear.runtimes.litert import litert_runner


class SoundClassifier(PythonModel):
    """Scores a clip as evaluate does: the mean over its windows of the file that ships."""

    def load_context(self, context: Any) -> None:
        """Open the .tflite that was registered."""
        path = Path(context.artifacts["model"])
        self._card = read_card(path)
        self._runner = litert_runner(path)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """One row a clip: `label`, the most likely, and `score_LABEL` for each label.

        model_input: a column `waveform` (mono samples in [-1, 1] at the model's sample rate), or a
        column `path` (a recording that this machine can read, of any format and rate)
        raises: ClipError if a row has neither, or it cannot be scored
        """
        scores = np.concatenate([self._scores(row) for _, row in model_input.iterrows()])
        labels = self._card.labels
        columns = {f"{SCORE_COLUMN}{label}": scores[:, i] for i, label in enumerate(labels)}
        return pd.DataFrame({"label": [labels[i] for i in scores.argmax(axis=1)], **columns})

    def _scores(self, row: "pd.Series[Any]") -> Scores:
        """(1, label)"""
        card, path = self._card, row.get("path")
        if isinstance(path, str) and path:
            waveform = load_untrusted(Path(path), card.sample_rate)
        else:
            waveform = np.asarray(row.get("waveform"), dtype=np.float32)
        if waveform.ndim != 1 or not waveform.size or not np.isfinite(waveform).all():
            raise ClipError("a row has neither a `path` nor a `waveform` of finite samples")
        return clip_scores(self._runner, [waveform], card.window_length, card.hop_length)


set_model(SoundClassifier())
