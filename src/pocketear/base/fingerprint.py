"""fingerprint: which files a stage is made of, and their hash without comments and docstrings.

Not the Git commit: an unrelated change must not change the bytes of a model. `make dvc-deps` writes
`files_of` each stage into dvc.yaml, and models carry `code_hash` in their card.
"""

import ast
import hashlib
import io
import threading
import tokenize
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
# What cannot change an artefact, by its path in the package, and why not.
FREE = {
    "params.py": "DVC tracks the values; a test holds it to give back what params.yaml has",
    "base/arrays.py": "names of types",
    "base/errors.py": "names of errors",
    "base/files.py": "puts bytes in their place, does not choose them",
    "base/fingerprint.py": "its hashes are in the artefact themselves",
    "base/home.py": "where caches and MLflow's database lie, not what is in them",
    "base/process.py": "command lines and what a terminal shows",
    "base/progress.py": "what a terminal shows",
    "base/addresses.py": "what an error shows of an address",
    "base/yaml_text.py": "gives what the file says, or refuses it",
}
_ONE_AT_A_TIME = threading.Lock()
# What MLflow is sent is read by no later stage; `register` sends it, so there it counts.
_RECORDS, _RECORDER = "experiments/", "stages/register.py"


def files_of(root: str) -> list[Path]:
    """A module, every module that it imports, anywhere, and the data files that these name.

    root: the module's path in the package, as `stages/train.py`
    returns: sorted paths, without what is FREE and without packages that are but a docstring
    """
    found = {path for path in _closure(root) if not _is_free(path)}
    return sorted(found | {data for path in found for data in _data_files(path)})


def modules_of(root: str) -> list[Path]:
    """What a copy of a module needs to run: `files_of` it, what is FREE, and every package."""
    found = _closure(root)
    return sorted(found | {data for path in found for data in _data_files(path)})


def code_hash(root: str) -> str:
    """SHA-256 over the names and contents of `files_of` a module; comments do not count."""
    digest = hashlib.sha256()
    for path in files_of(root):
        content = _code(path) if path.suffix == ".py" else path.read_bytes()
        name = path.relative_to(PACKAGE).as_posix()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


@cache
def fingerprint(root: str, libraries: tuple[str, ...]) -> str:
    """What the numbers that a module makes are a function of, besides its arguments.

    returns: its `code_hash`, then LIBRARY=VERSION, parted by spaces
    """
    return " ".join([code_hash(root), *(f"{name}={version(name)}" for name in libraries)])


@cache
def imports(path: Path) -> frozenset[Path]:
    """Modules of this package that a file imports or names as text, `served_model.py` beside it."""
    found: set[Path] = set()
    beside = {module.name: module for module in path.parent.glob("*.py")}
    for node in ast.walk(_tree(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Constant) and node.value in beside:
            found.add(beside[node.value])
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            found |= _modules(name)
    return frozenset(found)


def _modules(name: str) -> set[Path]:
    base = PACKAGE.parent / Path(*name.split("."))
    if PACKAGE not in (base, *base.parents):
        return set()
    return {p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()}


def _closure(root: str) -> set[Path]:
    records = not root.startswith((_RECORDS, _RECORDER))
    seen: set[Path] = set()
    waiting = [PACKAGE / root]
    while waiting:
        one = waiting.pop()
        if one not in seen and not (records and one.is_relative_to(PACKAGE / _RECORDS)):
            seen.add(one)
            waiting.extend(imports(one))
            waiting.extend(_packages(one))
    return seen


def _packages(module: Path) -> Iterator[Path]:
    """The `__init__.py` that run before a module does."""
    for folder in module.parents:
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
        if folder == PACKAGE:
            return


def _is_free(path: Path) -> bool:
    name = path.relative_to(PACKAGE).as_posix()
    return name in FREE or (path.name == "__init__.py" and not _code(path))


def _data_files(module: Path) -> Iterator[Path]:
    """Files beside a module, or in a folder beside it, whose name stands in it as a text."""
    beside = {path.name: path for path in module.parent.iterdir() if path.suffix != ".py"}
    for node in ast.walk(_tree(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and node.value in beside:
            path = beside[node.value]
            if path.is_file():
                yield path
            elif not (path / "__init__.py").exists() and path.name != "__pycache__":
                yield from (file for file in path.rglob("*") if file.is_file())


@cache
def _code(path: Path) -> bytes:
    """A module without its comments, docstrings, empty lines and spaces at line ends."""
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for first, last, start, end in _docstrings(_tree(text)):
        around = lines[first - 1].encode()[:start] + lines[last - 1].encode()[end:]
        lines[first - 1 : last] = [around.decode(), *[""] * (last - first)]
    return "".join(f"{line.rstrip()}\n" for line in lines if line.strip()).encode()


def _tree(text: str) -> ast.Module:
    # up to Python 3.11.7 all threads share the parser's count of its depth (CPython issue 106905)
    with _ONE_AT_A_TIME:
        return ast.parse(text)


def _docstrings(tree: ast.AST) -> Iterator[tuple[int, int, int, int]]:
    """First line, last line, where it starts in the one and ends in the other (bytes)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            value = first.value if isinstance(first, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                last, end = value.end_lineno or value.lineno, value.end_col_offset or 0
                yield value.lineno, last, value.col_offset, end
