"""keep: what stays of a run in a copy: its results in the workspace, or a DVC experiment."""

import shutil
from pathlib import Path

from workspace import exclusive, run_command, run_dvc

LOCK = Path("dvc.lock")
PAGES = Path("reports/experiments")  # report pages of experiments, by name


def bring_back(copy: Path, root: Path) -> None:
    """Make the outputs of `copy` those of the workspace, whose parameters and code are the same.

    raises: PipelineError if DVC cannot
    """
    if (copy / LOCK).exists():
        with exclusive(root, "workspace", wait=True):
            shutil.copy2(copy / LOCK, root / LOCK)
            run_dvc(root, "checkout", "--force", "--quiet")


def save_experiment(copy: Path, root: Path, name: str) -> None:
    """Make what `copy` has an experiment of the project, as `dvc exp run` does.

    raises: PipelineError if DVC or Git cannot, as in a project without a commit
    """
    run_dvc(copy, "exp", "save", "--force", "--quiet", "--name", name)
    listed = run_command(copy, "git", "for-each-ref", "--format=%(refname)", "refs/exps")
    same = [f"{ref}:{ref}" for ref in listed.splitlines() if ref.endswith(f"/{name}")]
    run_command(root, "git", "fetch", "--quiet", "--force", str(copy), *same)


def apply_experiment(root: Path, name: str) -> None:
    """Make an experiment's parameters and outputs those of the workspace.

    raises: PipelineError if DVC cannot
    """
    with exclusive(root, "workspace", wait=True):
        run_dvc(root, "exp", "apply", "--quiet", name)


def keep_page(page: Path, root: Path, name: str) -> Path:
    """Keep the report page of an experiment among the project's reports; where it is."""
    kept = root / PAGES / f"{name}.html"
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(page, kept)
    return kept
