"""findings: the files that stages leave -> one object. What was not made is None, no error."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pocketear.base.errors import DataError
from pocketear.data.store import Store, open_store
from pocketear.params import Params

Json = dict[str, Any]
SCORE = "score_"  # before a label: its column of scores


@dataclass(frozen=True)
class Findings:
    """Everything that a report may tell of. Each of the rest may be None: it was not made."""

    params: Params
    verdict: Json | None
    metrics: Json | None
    parity: Json | None
    latency: Json | None
    predictions: pd.DataFrame | None
    alarms: pd.DataFrame | None
    history: pd.DataFrame | None
    validation: Json | None
    set_aside: pd.DataFrame | None
    store: Store | None

    @property
    def shipped(self) -> list[str]:
        """The runners of the files that ship: Android's first."""
        return [f"litert_{self.params.export.android}", f"coreml_{self.params.export.ios}"]

    @property
    def labels(self) -> list[str]:
        """The labels in output order; [] where nothing was evaluated."""
        if self.predictions is None:
            return []
        return [name.removeprefix(SCORE) for name in score_columns(self.predictions)]

    def predictions_of(self, runner: str) -> pd.DataFrame | None:
        """The test clips as one runner judged them, in the store's order."""
        if self.predictions is None:
            return None
        rows = self.predictions[self.predictions["runner"] == runner]
        return rows.reset_index(drop=True) if len(rows) else None


@dataclass(frozen=True)
class Places:
    """Where the stages leave what a report reads."""

    features: Path
    metrics: Path
    evaluation: Path
    parity: Path
    latency: Path
    verdict: Path
    training: Path
    validation: Path


def usual_places(reports: Path) -> Places:
    """The places of dvc.yaml, for a folder of reports."""
    return Places(
        features=reports.parent / "data" / "features",
        metrics=reports / "metrics.json",
        evaluation=reports / "evaluation",
        parity=reports / "parity.json",
        latency=reports / "latency.json",
        verdict=reports / "verdict.json",
        training=reports / "training",
        validation=reports / "validation",
    )


def read_findings(places: Places, params: Params) -> Findings:
    """Read what is there.

    raises: DataError if a file is there and cannot be read
    """
    return Findings(
        params=params,
        verdict=_json(places.verdict),
        metrics=_json(places.metrics),
        parity=_json(places.parity),
        latency=_json(places.latency),
        predictions=_table(places.evaluation / "predictions.parquet"),
        alarms=_table(places.evaluation / "alarms.csv"),
        history=_table(places.training / "history.csv"),
        validation=_json(places.validation / "validation.json"),
        set_aside=_table(places.validation / "set_aside.csv"),
        store=open_store(places.features) if places.features.is_dir() else None,
    )


def score_columns(predictions: pd.DataFrame) -> list[str]:
    """The columns of scores, in output order."""
    return [str(name) for name in predictions if str(name).startswith(SCORE)]


def dataset_hash(index: pd.DataFrame) -> str:
    """SHA-256 over every clip's content, label and side, in any order of clips."""
    rows = sorted(map(" ".join, index[["sha256", "label", "split"]].to_numpy(str).tolist()))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _json(path: Path) -> Json | None:
    if not path.exists():
        return None
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: not a report ({error}); `dvc repro` makes it anew") from error


def _table(path: Path) -> pd.DataFrame | None:
    if not path.exists():
        return None
    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: not a table ({error}); `dvc repro` makes it anew") from error
