"""registry: candidates as versions in MLflow's registry, and the aliases that point at them.

A version is one set of files that ship, with one verdict and one serving code; `challenger` is the
newest, `champion` the one that was promoted, `previous` the champion before it.
"""

import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketear.base.archive import (
    MOST_FILES,
    check_name,
    check_size,
    read_folder,
    sha256,
    write_zip,
)
from pocketear.base.errors import DataError, PocketearError, TrackingError, shown
from pocketear.base.files import replacing, without_links
from pocketear.base.fingerprint import PACKAGE, modules_of
from pocketear.base.home import home
from pocketear.contracts.latency import TIMINGS
from pocketear.contracts.names import SCORE_COLUMN
from pocketear.experiments import runs
from pocketear.experiments.candidate import (
    SERVED_MODEL,
    Candidate,
    describe,
    headline,
    verdict_tags,
)
from pocketear.experiments.client import (
    ServerUnavailableError,
    address,
    connect,
    note,
    scalars,
)
from pocketear.experiments.journal import Event
from pocketear.packaging import model_card
from pocketear.params import load_params

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.models import ModelSignature

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
PENDING = Path(".pocketear/pending-versions")  # below home()
IDENTITY_TAG = "pocketear.identity"  # of a version: what registered.json finds it by
FOLDER_TAG = "pocketear.artifacts"  # of a version: where its files lie among its run's artefacts
RUNNER_TAG = "pocketear.runner"  # of a version: its Android file's name among the predictions
# what the served model imports
_REQUIREMENTS = ("ai-edge-litert", "av", "numpy", "pandas", "soundfile", "soxr")
_EXAMPLE_SAMPLES = 1600


@dataclass(frozen=True)
class Version:
    """One version of a registered model. time_ms: of its registration, since 1970"""

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


def register(candidate: Candidate) -> Version:
    """Make a candidate a version, the challenger; the same again is the same version.

    raises: ServerUnavailableError, TrackingError; DataError if one of its reports cannot be read
    """
    identity = candidate.identity()
    with connect() as client:
        known = _of_identity(client, candidate.name, identity)
        made = known or _make_version(client, candidate, identity)
        _log_timings(client, candidate, str(made.run_id))
        client.set_registered_model_alias(candidate.name, CHALLENGER, made.version)
        return find(candidate.name, str(made.version))


def register_or_keep(candidate: Candidate) -> Version | None:
    """`register`; None if the server does not answer: the files are kept for `send_pending`."""
    try:
        send_pending()
        return register(candidate)
    except ServerUnavailableError as error:
        kept = home() / PENDING / candidate.identity()
        if not kept.exists():
            with replacing(kept) as fresh:
                shutil.copytree(candidate.models, fresh / "models")
                shutil.copytree(candidate.reports, fresh / "reports")
                shutil.copyfile("params.yaml", fresh / "params.yaml")
        note(f"{error}; the version is kept in {PENDING} and registered later")
        return None


def send_pending() -> None:
    """Send the runs, then register the versions, that were kept while there was no server.

    One that cannot be registered stays, with a note.
    raises: ServerUnavailableError if there still is none
    """
    runs.send_pending()
    for kept in sorted(
        (home() / PENDING).glob("*/params.yaml"), key=lambda path: path.stat().st_mtime
    ):
        folder = kept.parent
        try:
            made = register(Candidate(folder / "models", folder / "reports", load_params(kept)))
        except ServerUnavailableError:
            raise
        except (PocketearError, OSError) as error:
            note(f"a kept version cannot be registered: {error}; delete {folder} to drop it")
            continue
        note(f"the kept version is now {made.name} version {made.version}")
        shutil.rmtree(folder)


def find(name: str, which: str) -> Version:
    """A version by its number or by an alias.

    raises: TrackingError if there is none
    """
    with connect() as client:
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
                f"{name}: no version {shown(which)}; `pocketear models` lists what there is"
            ) from error
        return _version(found, client.get_registered_model(name).aliases)


def find_identity(name: str, identity: str) -> Version:
    """The version with this identity, as registered.json has it.

    raises: TrackingError if there is none
    """
    with connect() as client:
        made = _of_identity(client, name, identity)
        if not made:
            raise TrackingError(f"{name}: this model is not registered yet; `dvc repro` says why")
        return _version(made, client.get_registered_model(name).aliases)


def _of_identity(client: "MlflowClient", name: str, identity: str) -> "ModelVersion | None":
    wanted = f"name = '{name}' and tag.`{IDENTITY_TAG}` = '{identity}'"
    return next(iter(client.search_model_versions(wanted)), None)


def versions(name: str) -> list[Version]:
    """All versions of a model, the newest first."""
    with connect() as client:
        found = client.search_model_versions(f"name = '{name}'")
        if not found:
            return []
        aliases = client.get_registered_model(name).aliases  # a search does not give them
        made = [_version(version, aliases) for version in found]
        return sorted(made, key=lambda version: -int(version.version))


def set_aliases(name: str, aliases: Mapping[str, str | None]) -> None:
    """Point each alias at a version; None takes the alias away."""
    with connect() as client:
        for alias, version in aliases.items():
            if version is None:
                client.delete_registered_model_alias(name, alias)
            else:
                client.set_registered_model_alias(name, alias, version)


def set_tag(version: Version, name: str, value: str) -> None:
    """Write one tag on a version."""
    with connect() as client:
        client.set_model_version_tag(version.name, version.version, name, value)


def download(version: Version, path: str, into: Path) -> Path:
    """Fetch a file or folder of a version (`reports/metrics.json`, `models`) into `into`.

    raises: TrackingError if the version's run does not hold it, PackagingError if it holds what no
        model does
    """
    with connect() as client:
        from mlflow.exceptions import MlflowException

        into.mkdir(parents=True, exist_ok=True)
        try:
            place = f"{version.tags[FOLDER_TAG]}/{path}"
            _check_remote(client, version.run_id, place)
            return Path(client.download_artifacts(version.run_id, place, str(into)))
        except (KeyError, MlflowException, FileNotFoundError) as error:
            raise TrackingError(
                f"{version.name} version {version.version}: its run holds no {path}"
            ) from error


def _check_remote(client: "MlflowClient", run_id: str, place: str) -> None:
    """Whether what a server says that it holds at `place` is as small as a model is."""
    waiting, files, size = [place], 0, 0
    while waiting and files <= MOST_FILES:
        for one in client.list_artifacts(run_id, waiting.pop()):
            check_name(Path(place), str(one.path))
            files += 1
            size += int(one.file_size or 0)
            if one.is_dir:
                waiting.append(one.path)
    check_size(f"run {run_id}: {place}", files, size)


def _version(found: "ModelVersion", aliases: Mapping[str, str]) -> Version:
    number = str(found.version)
    mine = tuple(sorted(alias for alias, version in aliases.items() if str(version) == number))
    run_id, time_ms = str(found.run_id), found.creation_timestamp
    return Version(found.name, number, run_id, mine, found.tags, time_ms)


def _make_version(client: "MlflowClient", candidate: Candidate, identity: str) -> "ModelVersion":
    from mlflow.exceptions import MlflowException

    folder = f"versions/{identity[:12]}"
    tags = {
        IDENTITY_TAG: identity,
        FOLDER_TAG: folder,
        RUNNER_TAG: candidate.runner,
        **verdict_tags(candidate),
    }
    # what reads reports comes first: one that cannot be read leaves nothing on the server
    description, figures = describe(candidate), headline(candidate)
    trained = {runs.MODEL_TAG: sha256(candidate.files.keras.read_bytes())}
    run_id = runs.find_or_make_run(client, trained, candidate.params)
    _log_files(client, candidate, run_id, folder)
    runs.deliver(client, run_id, Event(metrics=figures))
    model = _log_pyfunc(candidate, run_id)
    try:
        client.get_registered_model(candidate.name)
    except MlflowException:
        client.create_registered_model(candidate.name)
    return client.create_model_version(
        candidate.name,
        model.model_uri,
        run_id=run_id,
        tags=tags,
        description=description,
        model_id=model.model_id,
    )


def _log_files(client: "MlflowClient", candidate: Candidate, run_id: str, folder: str) -> None:
    from pocketear.report.charts import draw_all

    with tempfile.TemporaryDirectory() as scratch:
        models, pictures = Path(scratch, "models"), Path(scratch, "plots")
        models.mkdir()
        pictures.mkdir()
        files, package = candidate.files, candidate.mlpackage
        for path in (candidate.tflite, files.labels, files.keras, files.card):
            shutil.copy(path, models)
        write_zip(models / f"{package.name}.zip", read_folder(package))
        (models / model_card.FILE).write_text(candidate.model_card(), encoding="utf-8")
        draw_all(candidate.reports, pictures)
        client.log_artifacts(run_id, str(models), f"{folder}/models")
        client.log_artifacts(run_id, str(pictures), f"{folder}/plots")
    with without_links(candidate.reports) as reports:
        client.log_artifacts(run_id, str(reports), f"{folder}/reports")


def _log_timings(client: "MlflowClient", candidate: Candidate, run_id: str) -> None:
    """Log this machine's times as metrics of the moment when they were taken, so each once."""
    try:
        timings = candidate.timings()
    except DataError as error:  # it is no output of a stage: nothing that ships depends on it
        note(f"times are not logged: {error}")
        return
    if timings:
        taken = int(1000 * TIMINGS.stat().st_mtime)
        times = scalars(timings.providers, "latency")
        runs.deliver(client, run_id, Event(time=taken, metrics=times))


def _log_pyfunc(candidate: Candidate, run_id: str) -> Any:
    import mlflow
    import numpy as np
    import pandas as pd

    # it warns that there is no pip, which uv's environments do without
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)
    sine = 0.1 * np.sin(np.arange(_EXAMPLE_SAMPLES) * 0.2)
    mlflow.set_tracking_uri(address())
    with (
        tempfile.TemporaryDirectory() as scratch,
        without_links(candidate.tflite) as tflite,
        mlflow.start_run(run_id=run_id),
    ):
        return mlflow.pyfunc.log_model(
            name=candidate.name,
            python_model=str(Path(__file__).with_name(SERVED_MODEL)),
            artifacts={"model": str(tflite)},
            code_paths=[str(_copy_code(Path(scratch)))],
            signature=_signature(candidate.card.labels),
            input_example=pd.DataFrame({"waveform": [sine.round(4).tolist()]}),
            pip_requirements=[f"{name}=={installed(name)}" for name in _REQUIREMENTS],
        )


def _copy_code(folder: Path) -> Path:
    """Copy the served model and the modules that it imports; returns the package below `folder`."""
    for path in modules_of(f"experiments/{SERVED_MODEL}"):
        target = folder / path.relative_to(PACKAGE.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder / PACKAGE.name


def _signature(labels: tuple[str, ...]) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Schema

    waveform = ColSpec(Array(DataType.double), "waveform", required=False)
    scores = [ColSpec("double", f"{SCORE_COLUMN}{label}") for label in labels]
    return ModelSignature(
        inputs=Schema([waveform, ColSpec("string", "path", required=False)]),
        outputs=Schema([ColSpec("string", "label"), *scores]),
    )
