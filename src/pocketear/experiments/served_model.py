"""serving: the code inside a registered model: waveforms or files in, scores out.

MLflow copies this file, pocketear and the .tflite that ships into the model, and runs the file when
the model is loaded (`mlflow.pyfunc.load_model`, `mlflow models serve`). Nothing is unpickled.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel
from numpy.typing import NDArray

from pocketear.base.errors import ClipError
from pocketear.data.audio import load_waveform
from pocketear.data.windows import cut_windows
from pocketear.runtimes.card import read_card
from pocketear.runtimes.runner import litert_runner


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
        """
        scores = np.stack([self._clip_scores(row) for _, row in model_input.iterrows()])
        columns = {f"score_{label}": scores[:, i] for i, label in enumerate(self._card.labels)}
        best = [self._card.labels[i] for i in scores.argmax(axis=1)]
        return pd.DataFrame({"label": best, **columns})

    def _clip_scores(self, row: "pd.Series[Any]") -> NDArray[np.float32]:
        card = self._card
        path = row.get("path")
        if isinstance(path, str) and path:
            waveform = load_waveform(Path(path), card.sample_rate)
        else:
            waveform = np.asarray(row.get("waveform"), dtype=np.float32)
        if waveform.ndim != 1 or not waveform.size or not np.isfinite(waveform).all():
            raise ClipError("a row has neither a `path` nor a `waveform` of finite samples")
        windows = cut_windows(waveform, card.window_length, card.hop_length)
        scores: NDArray[np.float32] = self._runner(windows).mean(axis=0)
        return scores


set_model(SoundClassifier())
