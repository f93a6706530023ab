"""home: the project's folder as its user knows it, also from within a copy of it.

DVC runs queued and `--temp` experiments in a copy of the project, and so do the flows; what is not
part of a run (MLflow's database, caches, tools) belongs to the project, and outlives the copy.
"""

from pathlib import Path

_COPIES = (Path(".dvc/tmp/exps"), Path(".pocketear/copies"))  # where they lie in a project


def home() -> Path:
    """The folder that the working folder is a copy of, else the working folder, as `.`."""
    here = Path.cwd()
    for folder in reversed(here.parents):
        if any(here.is_relative_to(folder / place) for place in _COPIES):
            return folder
    return Path()
