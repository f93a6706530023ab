"""copies: isolated copies of the project, so that several variants of it can run at once."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pocketear.base.yaml_text import read_yaml
from stage_runs import PipelineError
from workspace import set_params

FOLDER = Path(".pocketear/copies")


def variant_key(root: Path, *choices: object) -> str:
    """A name made of the project's content and the choices: equal for equal content."""
    digest = hashlib.sha256(repr(choices).encode())
    for path in _own_files(root):
        digest.update(path.encode() + (root / path).read_bytes())
    return digest.hexdigest()[:12]


def make_copy(root: Path, copy: Path, overrides: Sequence[str], cache: Path | None = None) -> Path:
    """A copy of the project in the folder `copy`, with other parameters.

    An existing copy is used as it is. Recordings and backbones that params.yaml names are
    linked, not copied.

    cache: DVC's; by default the project's own, so that nothing is computed twice
    """
    if not (copy / ".dvc/config.local").exists():
        for path in _own_files(root):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, copy / path)
        set_params(copy, overrides)
        _link_data(root, copy)
        _git_init(copy)
        # written last: its presence marks a complete copy
        shared = cache or _output(root, sys.executable, "-m", "dvc", "cache", "dir")
        (copy / ".dvc/config.local").write_text(f"[cache]\n    dir = {shared}\n", encoding="utf-8")
    return copy


def _own_files(root: Path) -> list[str]:
    """Files that Git tracks, and new ones that it does not ignore."""
    listed = _output(root, "git", "ls-files", "-co", "--exclude-standard", "--deduplicate")
    return sorted(path for path in listed.splitlines() if (root / path).is_file())


def _link_data(root: Path, copy: Path) -> None:
    params = _params(copy / "params.yaml")
    for section, name in (("data", "path"), ("evaluate", "negatives"), ("model", "start")):
        path = params.get(section, {}).get(name, "")
        target = Path(os.path.normpath(root / path))
        place = Path(os.path.normpath(copy / path))
        if path and target.exists() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(target)


def _params(path: Path) -> dict[str, Any]:
    """What params.yaml holds; nothing where it is no mapping, as `dvc repro` will report."""
    try:
        read = read_yaml(path.read_text(encoding="utf-8"), path)
    except ValueError as error:
        raise PipelineError(str(error)) from error
    return read if isinstance(read, dict) else {}


def _git_init(copy: Path) -> None:
    """DVC needs a repository of the copy's own, not the enclosing one."""
    _output(copy, "git", "init", "--quiet")


def _output(root: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PipelineError(f"{' '.join(command)}: {done.stderr.strip()}".partition("\n")[0])
    return done.stdout.strip()
