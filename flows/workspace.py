"""workspace: exclusive use of a project folder, and changes to it before a run."""

import difflib
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dvc.utils.serialize import modify_yaml
from filelock import FileLock, Timeout
from ruamel.yaml.scalarstring import SingleQuotedScalarString

from pocketear.base.errors import ParamsError
from pocketear.base.yaml_text import read_yaml
from pocketear.params import load_params
from stage_runs import PipelineError

PARAMS = Path("params.yaml")


@contextmanager
def exclusive(root: Path, what: str, *, wait: bool = False) -> Iterator[None]:
    """Be the only `what` (a retrain, say) in a folder; the lock ends with the process.

    raises: PipelineError if another process holds it, unless it shall be waited for
    """
    path = root / f".pocketear/{what}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout as error:
        raise PipelineError(
            f"{root}: another {what} is running here; wait for it or cancel it"
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_running(root: Path, what: str) -> bool:
    """Whether a process holds `exclusive(root, what)`."""
    try:
        with exclusive(root, what):
            return False
    except PipelineError:
        return True


def set_params(root: Path, overrides: Sequence[str]) -> None:
    """Write `section.name=value` overrides into params.yaml, as `dvc exp run --set-param` does.

    raises: PipelineError if one names no parameter, or makes the parameters invalid
    """
    if not overrides:
        return
    text = (root / PARAMS).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        candidate = Path(scratch, PARAMS)
        candidate.write_text(text, encoding="utf-8")
        with modify_yaml(str(candidate)) as params:
            for override in overrides:
                _set(params, override)
            _quote(params)
        try:
            load_params(candidate)
        except ParamsError as error:
            raise PipelineError(f"--set: {str(error).removeprefix(f'{candidate}: ')}") from error
        (root / PARAMS).write_text(candidate.read_text(encoding="utf-8"), encoding="utf-8")


def _set(params: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    known = _names(params)
    if not equals:
        raise PipelineError(f"--set {override}: want section.name=value")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; is {near[0]} meant?" if near else f"; params.yaml has {', '.join(params)}"
        raise PipelineError(f"--set {override}: no parameter {name}{hint}")
    *sections, last = name.split(".")
    for section in sections:
        params = params[section]
    try:
        value = read_yaml(text, f"--set {name}")
    except ValueError as error:
        raise PipelineError(str(error)) from error
    if isinstance(params[last], float) and isinstance(value, str):
        value = _number(text)  # YAML 1.1 takes 2e-4 for text
    params[last] = value


def _quote(values: Any) -> None:
    """Put quotes round text that would be read as something else: yes, 1_000 or 12:30 in YAML 1.1.

    DVC writes YAML 1.2, where they need none. values: a mapping or a list, all that is in it
    """
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        if isinstance(value, dict | list):
            _quote(value)
        elif isinstance(value, str) and not _is_text(value):
            values[key] = SingleQuotedScalarString(value)


def _is_text(value: str) -> bool:
    try:
        return read_yaml(f"[{value}, {value}]", "a value") == [value, value]
    except ValueError:
        return False


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # load_params says what is wrong with it


def _names(params: dict[str, Any], prefix: str = "") -> list[str]:
    names = []
    for name, value in params.items():
        inside = _names(value, f"{prefix}{name}.") if isinstance(value, dict) else [prefix + name]
        names.extend(inside)
    return names


def use_data_of(root: Path, copy: Path, revision: str) -> None:
    """Restore data/ of a copy (recipes, and what its .dvc files point at) as of a Git revision.

    revision: as the project `root` knows it

    raises: PipelineError if there is no such revision, or its data cannot be fetched
    """
    if not revision:
        return
    commit = run_command(root, "git", "rev-parse", "--verify", f"{revision}^{{commit}}")
    pointers = run_command(copy, "git", "ls-tree", "-r", "--name-only", commit, "data")
    run_command(copy, "git", "restore", f"--source={commit}", "--worktree", "--", "data")
    tracked = [path for path in pointers.splitlines() if path.endswith(".dvc")]
    for pointer in tracked:
        data = (copy / pointer).with_suffix("")
        if data.is_symlink():  # to the project's own, which stays as it is
            data.unlink()
    if tracked:
        remote = run_dvc(copy, "remote", "list")
        run_dvc(copy, "pull" if remote else "checkout", "--force", *tracked)


def run_dvc(root: Path, *arguments: str) -> str:
    """`run_command` of this environment's DVC."""
    return run_command(root, sys.executable, "-m", "dvc", *arguments)


def run_command(root: Path, *command: str) -> str:
    """What a command in the folder `root` prints.

    raises: PipelineError with its first line if it fails
    """
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise PipelineError(f"{' '.join(command[-4:])}: {reason[0] if reason else 'failed'}")
    return done.stdout.strip()
