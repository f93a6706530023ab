"""provenance: what a run came from: parameters, data, commit, pipeline. Knows no MLflow."""

import hashlib
import json
import os
import subprocess
import time
from pathlib import Path

import yaml

from pocketear.experiments.journal import Event
from pocketear.params import Params

PARENT_VARIABLE = "POCKETEAR_PARENT_RUN"  # of a cross-validation: its folds' runs go below it


def start_event(params: Params, dataset: Path | None) -> Event:
    """The first event of a run: its tags, its parameters and what it is trained on."""
    tags = {
        "mlflow.runName": f"{params.package.name} {time.strftime('%Y-%m-%d %H:%M:%S')}",
        "mlflow.source.name": "dvc.yaml",
        "mlflow.source.type": "PROJECT",
        "mlflow.source.git.commit": _git("rev-parse", "HEAD"),
        "pocketear.uncommitted_changes": str(bool(_git("status", "--porcelain"))).lower(),
        "pocketear.dvc_lock_sha256": _lock_hash(),
        "mlflow.parentRunId": os.environ.get(PARENT_VARIABLE, ""),
    }
    kept = {name: value for name, value in tags.items() if value}
    event = {
        "kind": "start",
        "time": time.time_ns() // 1_000_000,
        "tags": kept,
        "params": flatten(params),
    }
    if dataset:
        digest = dvc_hash(dataset)
        event["dataset"] = {"name": dataset.name, "path": dataset.as_posix(), "digest": digest}
    return event


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def dvc_hash(path: Path) -> str:
    """The hash by which DVC knows a file or folder, else the SHA-256 of a file, shortened alike."""
    lock, pointer = Path("dvc.lock"), path.with_name(f"{path.name}.dvc")
    outs: list[dict[str, str]] = []
    if lock.exists():
        stages = (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {})
        outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    if pointer.exists():
        for out in yaml.safe_load(pointer.read_text(encoding="utf-8"))["outs"]:
            outs.append({**out, "path": (pointer.parent / out["path"]).as_posix()})
    found = [out["md5"] for out in outs if out["path"] == path.as_posix() and "md5" in out]
    return found[0] if found else file_sha256(path)[:32] if path.is_file() else "unknown"


def flatten(params: Params) -> dict[str, str]:
    """The parameters as `section.name` -> text, as params.yaml has them."""
    flat = {}
    for section, values in params.model_dump(mode="json").items():
        named = values if isinstance(values, dict) else {"": values}
        for name, value in named.items():
            text = json.dumps(value) if isinstance(value, list) else str(value)
            flat[f"{section}.{name}".rstrip(".")] = text
    return flat


def _lock_hash() -> str:
    lock = Path("dvc.lock")
    return file_sha256(lock) if lock.exists() else ""


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git here: the run goes without its commit
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
