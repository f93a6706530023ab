"""code: which modules a stage is made of, their hash, and that of what makes a clip's numbers.

Not the Git commit: an unrelated change must not change the bytes of a model.
"""

import ast
import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
# They make no numbers (the values in params are tracked apart): a change of them, or of how MLflow
# is told, trains no model again.
FREE = {
    *("params.py", "command.py", "errors.py", "arrays.py", "progress.py", "__init__.py"),
    *("tracking.py", "delivery.py", "provenance.py", "journal.py", "figures.py"),
}

_LIBRARIES = ("numpy", "scipy", "librosa", "soundfile", "soxr", "av")  # that decode and transform


def modules_of(stage: str) -> list[Path]:
    """The stage's own file and every module that it imports, anywhere, but for the FREE ones."""
    seen: set[Path] = set()
    todo = [_PACKAGE / "stages" / f"{stage}.py"]
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo.extend(imports(one))
    return sorted(path for path in seen if path.name not in FREE)


def code_hash(stage: str) -> str:
    """SHA-256 over the names and contents of `modules_of` a stage."""
    digest = hashlib.sha256()
    for path in modules_of(stage):
        content = path.read_bytes()
        name = path.relative_to(_PACKAGE).as_posix()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@cache
def fingerprint() -> str:
    """Of all that a clip's waveform and features are a function of, besides its file and params.

    returns: a hash of the code, then LIBRARY=VERSION, parted by spaces
    """
    return " ".join([code_hash("featurize"), *(f"{name}={version(name)}" for name in _LIBRARIES)])


@cache
def imports(path: Path) -> frozenset[Path]:
    """Modules of this package that a file imports, anywhere in it."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            base = _PACKAGE.parent / Path(*name.split("."))
            found |= {p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()}
    return frozenset(found)
