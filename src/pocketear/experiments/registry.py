"""registry: judged models as versions in MLflow's registry, and the aliases that point at them.

A version is one set of files that ship with one verdict; `challenger` is the newest, `champion` the
one that was promoted, `previous` the champion before it.
"""

import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketear.base import files
from pocketear.base.errors import TrackingError
from pocketear.experiments import client as client_
from pocketear.experiments import provenance, runs
from pocketear.experiments.candidate import Judged, describe, headline, verdict_tags
from pocketear.params import load_params
from pocketear.report import plots

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
PENDING = Path(".pocketear/pending-versions")
FOLDER_TAG = "pocketear.artifacts"  # of a version: where its files lie among its run's artefacts
RUNNER_TAG = "pocketear.runner"  # of a version: its Android file's name among the predictions
_IDENTITY_TAG = "pocketear.identity"
_REQUIREMENTS = (
    "ai-edge-litert",
    "av",
    "numpy",
    "pandas",
    "pydantic",
    "pyyaml",
    "soundfile",
    "soxr",
)
_EXAMPLE_SAMPLES = 1600


@dataclass(frozen=True)
class Version:
    """One version of a registered model."""

    name: str
    version: str
    run_id: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    time_ms: int

    @property
    def accepted(self) -> bool:
        """Whether its verdict was to accept it."""
        return self.tags.get("verdict") == "accepted"


def register(judged: Judged) -> Version:
    """Make `judged` a version with the alias `challenger`; the same again is the same version."""
    with client_.reaching() as client:
        identity = judged.identity()
        known = client.search_model_versions(
            f"name = '{judged.name}' and tag.`{_IDENTITY_TAG}` = '{identity}'"
        )
        if known:
            made = known[0]
        else:
            model = judged.models / "keras" / "model.keras"
            run_id = runs.find_or_make_run(client, provenance.file_sha256(model), judged.params)
            made = _make_version(client, judged, run_id, identity)
        client.set_registered_model_alias(judged.name, CHALLENGER, made.version)
        return find(judged.name, str(made.version))


def register_or_keep(judged: Judged) -> Version | None:
    """`register`; None where the server is away: the files are kept for `send_pending`."""
    try:
        send_pending()
        return register(judged)
    except client_.ServerAwayError as error:
        kept = PENDING / judged.identity()
        if not kept.exists():
            with files.replacing(kept) as fresh:
                shutil.copytree(judged.models, fresh / "models")
                shutil.copytree(judged.reports, fresh / "reports")
                shutil.copyfile("params.yaml", fresh / "params.yaml")
        client_.say(f"{error}; the version is kept in {PENDING} and registered later")
        return None


def send_pending() -> None:
    """Send the runs, then register the versions, that were kept while the server was away."""
    runs.send_pending()
    for kept in sorted(PENDING.glob("*/params.yaml"), key=lambda path: path.stat().st_mtime):
        folder = kept.parent
        made = register(Judged(folder / "models", folder / "reports", load_params(kept)))
        client_.say(f"the kept version is now {made.name} version {made.version}")
        shutil.rmtree(folder)


def find(name: str, which: str) -> Version:
    """A version by its number or by an alias.

    raises: TrackingError if there is none
    """
    with client_.reaching() as client:
        from mlflow.exceptions import MlflowException

        number = which.removeprefix("v")
        try:
            if number.isdecimal():
                found = client.get_model_version(name, number)
            else:
                found = client.get_model_version_by_alias(name, which)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            raise TrackingError(
                f"{name}: no version {which!r}; `pocketear models` lists what there is"
            ) from error
        return _version(client, found)


def versions(name: str) -> list[Version]:
    """All versions of a model, the newest first."""
    with client_.reaching() as client:
        found = client.search_model_versions(f"name = '{name}'")
        made = [_version(client, version) for version in found]
        return sorted(made, key=lambda version: -int(version.version))


def set_aliases(name: str, aliases: Mapping[str, str | None]) -> None:
    """Point each alias at a version; None takes the alias away."""
    with client_.reaching() as client:
        for alias, version in aliases.items():
            if version is None:
                client.delete_registered_model_alias(name, alias)
            else:
                client.set_registered_model_alias(name, alias, version)


def set_tag(version: Version, name: str, value: str) -> None:
    """Write one tag on a version."""
    with client_.reaching() as client:
        client.set_model_version_tag(version.name, version.version, name, value)


def download(version: Version, path: str, into: Path) -> Path:
    """Fetch a file or folder of a version (`reports/metrics.json`, `models`) into `into`.

    raises: TrackingError if the version's run does not hold it
    """
    with client_.reaching() as client:
        from mlflow.exceptions import MlflowException

        into.mkdir(parents=True, exist_ok=True)
        try:
            place = f"{version.tags[FOLDER_TAG]}/{path}"
            return Path(client.download_artifacts(version.run_id, place, str(into)))
        except (KeyError, MlflowException, FileNotFoundError) as error:
            raise TrackingError(
                f"{version.name} version {version.version}: its run holds no {path}"
            ) from error


def _version(client: "MlflowClient", found: "ModelVersion") -> Version:
    aliases = client.get_registered_model(found.name).aliases
    mine = tuple(
        sorted(name for name, version in aliases.items() if str(version) == str(found.version))
    )
    return Version(
        found.name,
        str(found.version),
        str(found.run_id),
        mine,
        found.tags,
        found.creation_timestamp,
    )


def _make_version(
    client: "MlflowClient", judged: Judged, run_id: str, identity: str
) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    folder = f"versions/{identity[:12]}"
    _log_files(client, judged, run_id, folder)
    model = _log_pyfunc(judged, run_id)
    try:
        client.get_registered_model(judged.name)
    except MlflowException:
        client.create_registered_model(judged.name)
    tags = {
        _IDENTITY_TAG: identity,
        FOLDER_TAG: folder,
        RUNNER_TAG: judged.runner,
        **verdict_tags(judged),
    }
    return client.create_model_version(
        judged.name,
        model.model_uri,
        run_id=run_id,
        tags=tags,
        description=describe(judged),
        model_id=model.model_id,
    )


def _log_files(client: "MlflowClient", judged: Judged, run_id: str, folder: str) -> None:
    from mlflow.entities import Metric

    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch) / "models"
        models.mkdir()
        shutil.copy(judged.tflite, models)
        files.write_zip(
            models / f"{judged.mlpackage.name}.zip", files.read_folder(judged.mlpackage)
        )
        beside = ("keras/labels.txt", "keras/model.keras", "litert/card.json")
        for path in beside:
            shutil.copy(judged.models / path, models)
        client.log_artifacts(run_id, str(models), f"{folder}/models")
        pictures = Path(scratch) / "plots"
        pictures.mkdir()
        plots.draw_all(judged.reports, pictures)
        client.log_artifacts(run_id, str(pictures), f"{folder}/plots")
    client.log_artifacts(run_id, str(judged.reports), f"{folder}/reports")
    now = client_.now_ms()
    metrics = [Metric(name, value, now, 0) for name, value in headline(judged).items()]
    client.log_batch(run_id, metrics=metrics)


def _log_pyfunc(judged: Judged, run_id: str) -> Any:
    import mlflow
    import numpy as np
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Schema

    labels = (judged.models / "keras" / "labels.txt").read_text(encoding="utf-8").split("\n")
    scores = [ColSpec("double", f"score_{label}") for label in labels if label]
    signature = ModelSignature(
        inputs=Schema(
            [
                ColSpec(Array(DataType.double), "waveform", required=False),
                ColSpec("string", "path", required=False),
            ]
        ),
        outputs=Schema([ColSpec("string", "label"), *scores]),
    )
    # it misses pip, which uv's environments do without
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    sine = 0.1 * np.sin(np.arange(_EXAMPLE_SAMPLES) * 0.2)
    mlflow.set_tracking_uri(client_.address())
    with mlflow.start_run(run_id=run_id):
        return mlflow.pyfunc.log_model(
            name=judged.name,
            python_model=str(Path(__file__).with_name("served_model.py")),
            artifacts={"model": str(judged.tflite)},
            code_paths=[str(Path(__file__).parents[1])],
            signature=signature,
            input_example=pd.DataFrame({"waveform": [sine.round(4).tolist()]}),
            pip_requirements=[f"{name}=={installed(name)}" for name in _REQUIREMENTS],
        )
