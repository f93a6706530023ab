"""copies: isolated copies of the project, so that several variants of it can run at once."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dvc.repo import Repo
from filelock import FileLock

from pocketear.base.yaml_text import read_yaml
from stage_runs import PipelineError
from workspace import exclusive, is_running, run_command, set_params

FOLDER = Path(".pocketear/copies")  # base/home.py knows it
_LINKS = ["reflink", "hardlink", "symlink", "copy"]  # nobody edits the outputs of a copy
_SINGLE = "run-"  # how the folder of a copy for one run begins


@contextmanager
def temporary_copy(root: Path, overrides: Sequence[str]) -> Iterator[Path]:
    """A copy for one run, gone afterwards; one that a killed run left goes when the next begins."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        with FileLock(folder / ".lock"):  # nobody clears up what is not locked yet
            for left in folder.glob(f"{_SINGLE}*"):
                if not is_running(left, "copy"):
                    shutil.rmtree(left, ignore_errors=True)
            place = Path(tempfile.mkdtemp(prefix=_SINGLE, dir=folder))
            held.callback(shutil.rmtree, place, ignore_errors=True)
            held.enter_context(exclusive(place, "copy"))
        yield make_copy(root, place / root.name, overrides)


def variant_key(root: Path, *choices: object) -> str:
    """A name made of the project's content and the choices: equal for equal content."""
    digest = hashlib.sha256(repr(choices).encode())
    for path in sorted(set(_own_files(root)) - {"dvc.lock"}):  # which is a result
        digest.update(path.encode() + (root / path).read_bytes())
    return digest.hexdigest()[:12]


def make_copy(root: Path, copy: Path, overrides: Sequence[str], cache: Path | None = None) -> Path:
    """A copy of the project in the folder `copy`, with its history, and with other parameters.

    An existing copy is used as it is. Recordings and backbones that params.yaml names are
    linked, not copied.

    cache: DVC's; by default the project's own, so that nothing is computed twice
    """
    if not (copy / ".dvc/config.local").exists():
        shutil.rmtree(copy, ignore_errors=True)
        _git_clone(root, copy)
        for path in _own_files(root):
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, copy / path)
        set_params(copy, overrides)
        _link_data(root, copy)
        _configure_dvc(root, copy, cache)  # written last: it marks a complete copy
    return copy


def _configure_dvc(root: Path, copy: Path, cache: Path | None) -> None:
    """The project's own settings, such as credentials of a remote, and its cache."""
    with Repo(str(root)) as project:
        own, shared = project.config.read("local"), str(cache or project.cache.local_cache_dir)
    with Repo(str(copy)) as repo, repo.config.edit("local") as settings:
        settings.update(own)
        links = {} if cache else {"type": _LINKS}
        settings["cache"] = {**own.get("cache", {}), "dir": shared, **links}


def _own_files(root: Path) -> list[str]:
    """Files that Git tracks, and new ones that it does not ignore."""
    listed = run_command(root, "git", "ls-files", "-co", "--exclude-standard", "--deduplicate")
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


def _git_clone(root: Path, copy: Path) -> None:
    """A repository of the copy's own, so that a run knows its commit; it takes no space."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    run_command(root, "git", "clone", "--quiet", "--shared", "--no-checkout", str(root), str(copy))
    run_command(copy, "git", "reset", "--quiet")
