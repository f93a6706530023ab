"""findings: the files that stages leave -> one object. What was not made is None, no error."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pocketear.base.errors import DataError
from pocketear.contracts.audit import Audit
from pocketear.contracts.folds import GroupFolds
from pocketear.contracts.latency import LatencyReport
from pocketear.contracts.metrics import Metrics, MetricsReport
from pocketear.contracts.names import labels_of, shipped_runners
from pocketear.contracts.parity import ParityReport
from pocketear.contracts.report_file import read_if_made
from pocketear.contracts.robustness import RobustnessReport
from pocketear.contracts.validation import Validation
from pocketear.contracts.verdict import Verdict
from pocketear.data.store import Store, open_store
from pocketear.params import Params
from pocketear.report.tables import read_table


@dataclass(frozen=True)
class Findings:
    """Everything that a report can show. All but `params` may be None: it was not made.

    predictions: a row a test clip and runner; alarms: a row a label and threshold
    out_of_fold: a row a clip, scored by a model that never saw its group
    history: a row an epoch; set_aside: a row a clip that cannot be used, with the reason
    """

    params: Params
    verdict: Verdict | None
    metrics: MetricsReport | None
    folds: GroupFolds | None
    robustness: RobustnessReport | None
    parity: ParityReport | None
    latency: LatencyReport | None
    validation: Validation | None
    audit: Audit | None
    predictions: pd.DataFrame | None
    out_of_fold: pd.DataFrame | None
    alarms: pd.DataFrame | None
    history: pd.DataFrame | None
    set_aside: pd.DataFrame | None
    store: Store | None

    @property
    def shipped(self) -> tuple[str, str]:
        """The runners of the files that ship: Android's, iOS's."""
        return shipped_runners(self.params.export)

    @property
    def labels(self) -> list[str]:
        """The labels in output order; [] where nothing was evaluated."""
        return [] if self.predictions is None else labels_of(map(str, self.predictions))

    def metrics_of(self, runner: str) -> Metrics | None:
        """The metrics of one runner; None where it was not evaluated."""
        return self.metrics.get(runner) if self.metrics else None

    def predictions_of(self, runner: str) -> pd.DataFrame | None:
        """The test clips as one runner judged them, in the store's order; None if it did not."""
        if self.predictions is None:
            return None
        rows = self.predictions[self.predictions["runner"] == runner]
        return rows.reset_index(drop=True) if len(rows) else None


def read_findings(reports: Path, features: Path | None, params: Params) -> Findings:
    """Read what the stages wrote so far. features: None where no clip is to be shown

    raises: DataError if a file is there and is not what its stage writes
    """
    evaluation, validation = reports / "evaluation", reports / "validation"
    return Findings(
        params=params,
        verdict=read_if_made(reports / "verdict.json", Verdict),
        metrics=read_if_made(reports / "metrics.json", MetricsReport),
        folds=read_if_made(reports / "folds" / "folds.json", GroupFolds),
        robustness=read_if_made(reports / "robustness.json", RobustnessReport),
        parity=read_if_made(reports / "parity.json", ParityReport),
        latency=_latency(reports / "latency.json"),
        validation=read_if_made(validation / "validation.json", Validation),
        audit=read_if_made(validation / "audit.json", Audit),
        predictions=_table(
            evaluation / "predictions.parquet", ("runner", "path", "sha256", "label", "predicted")
        ),
        out_of_fold=_table(
            reports / "folds" / "predictions.parquet", ("path", "sha256", "group", "label")
        ),
        alarms=_table(evaluation / "alarms.csv", ("label", "misses", "false_alarms_per_hour")),
        history=_table(reports / "training" / "history.csv", ("epoch", "loss", "val_loss")),
        set_aside=_table(validation / "set_aside.csv", ("path", "reason")),
        store=open_store(features) if features and features.is_dir() else None,
    )


def dataset_hash(index: pd.DataFrame) -> str:
    """SHA-256 over every clip's content, label and side, in any order of clips."""
    rows = sorted(map(" ".join, index[["sha256", "label", "split"]].to_numpy(str).tolist()))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def _latency(path: Path) -> LatencyReport | None:
    report = read_if_made(path, LatencyReport)
    if report and report.shipped not in report.models:
        wrong = f"no cost of {report.shipped}, which ships"
        raise DataError(f"{path}: {wrong}; `dvc repro` makes it again")
    return report


def _table(path: Path, columns: Iterable[str]) -> pd.DataFrame | None:
    return read_table(path, columns) if path.exists() else None
