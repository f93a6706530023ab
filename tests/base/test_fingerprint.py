"""What a stage is made of: all that can change its artefacts, and nothing that cannot."""

import ast
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from copied_package import append, copy_package, forget
from pocketear.base import fingerprint
from pocketear.base.fingerprint import PACKAGE, code_hash, files_of

STAGES = sorted(
    f"stages/{path.name}" for path in (PACKAGE / "stages").glob("*.py") if path.stem != "__init__"
)


@pytest.fixture
def own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield copy_package(tmp_path, monkeypatch)
    forget()


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small package. returns: its folder"""
    files = {
        "__init__.py": '"""A package."""\n',
        "stages/__init__.py": "import os\n",
        "stages/train.py": "from pocketear.training.network import build\n",
        "training/__init__.py": '"""A room."""\n',
        "training/network.py": "def build():\n    from pocketear import windows\n",
        "windows.py": 'WINDOW = 1\nTABLE = "table.csv"\n',
        "table.csv": "1,2\n",
        "notes.csv": "3\n",
        "base/errors.py": "",
        "report.py": "import pocketear.training.network\n",
    }
    monkeypatch.setattr(fingerprint, "PACKAGE", tmp_path / "pocketear")
    for name, text in files.items():
        path = tmp_path / "pocketear" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    forget()
    yield tmp_path / "pocketear"
    forget()


def names(folder: Path, root: str) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in files_of(root)]


def hashes() -> dict[str, str]:
    forget()
    return {stage: code_hash(stage) for stage in STAGES}


@pytest.fixture(scope="module")
def before() -> dict[str, str]:
    """Of the package as it is, and so of a copy that nobody has changed yet."""
    return hashes()


def test_a_stage_is_what_it_imports_and_the_data_that_those_modules_name(made_up: Path) -> None:
    assert names(made_up, "stages/train.py") == [
        "stages/__init__.py", "stages/train.py", "table.csv", "training/network.py", "windows.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("stages/train.py", True),
        ("stages/__init__.py", True),  # runs before the stage does
        ("windows.py", True),  # imported inside a function
        ("table.csv", True),
        ("training/__init__.py", True),
        ("notes.csv", False),
        ("base/errors.py", False),
        ("report.py", False),
    ],
)
def test_a_hash_changes_with_what_a_stage_is_made_of_alone(
    made_up: Path, name: str, counts: bool
) -> None:
    before = code_hash("stages/train.py")
    append(made_up / name, "NEW = 1\n")
    assert (code_hash("stages/train.py") != before) == counts


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("x = 1\n", "x = 1  # one\n", True),
        ("x = 1\n", "# one\n\n\nx = 1\n\n", True),
        ('"""Doc."""\nx = 1\n', '"""Other\n\n# doc.\n"""  # noqa\n\nx = 1\n', True),
        ('def f():\n    """Doc."""\n    return 1\n', "def f():\n    return 1\n", True),
        ('class A:\n    """é."""\n\n    x = 1\n', 'class A:\n    """a"""\n    x = 1\n', True),
        ("x = '# 1'\n", "x = '# 2'\n", False),
        ('x = """\n# 1\n"""\n', 'x = """\n# 2\n"""\n', False),
        ("def f():\n    return 1\n", "def f():\n    'not' 'code'\n    return 1\n", True),
        ('def f(): "Doc."; return 1\n', 'def f(): "Doc."; return 2\n', False),
        ('class A: """é."""\n', 'class B: """é."""\n', False),
        ("if x:\n    y()\nz()\n", "if x:\n    y()\n    z()\n", False),
        ("def f():\n    x = 1\n    'no doc'\n", "def f():\n    x = 1\n    'no docs'\n", False),
    ],
)
def test_comments_docstrings_and_blank_lines_do_not_count_and_code_does(
    made_up: Path, before: str, after: str, same: bool
) -> None:
    found = []
    for text in (before, after):
        (made_up / "windows.py").write_text(text, encoding="utf-8")
        forget()
        found.append(code_hash("stages/train.py"))
    assert (found[0] == found[1]) == same


def with_remarks(text: str) -> str:
    """A module with a comment above its statements, and another docstring wherever one is."""
    tree = ast.parse(text)
    lines = text.split("\n")
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            at = node.body[0]
            indent = " " * at.col_offset
            lines[at.lineno - 1 : at.end_lineno] = [f"{indent}'''A remark.'''  # on it"] + [""] * (
                (at.end_lineno or at.lineno) - at.lineno
            )
    first = {node.lineno: node.col_offset for node in tree.body}
    return "\n".join(
        f"# a remark\n{line}" if first.get(number) == 0 else line
        for number, line in enumerate(lines, start=1)
    )


@pytest.mark.slow
def test_no_hash_changes_with_a_comment_or_a_docstring_anywhere(
    before: dict[str, str], own_code: Path
) -> None:
    changed = 0
    for path in own_code.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(with_remarks(text), encoding="utf-8")
        changed += path.read_text(encoding="utf-8") != text
    assert changed > 80
    assert hashes() == before


@pytest.mark.slow
def test_what_runs_before_every_stage_counts_in_every_stage(
    before: dict[str, str], own_code: Path
) -> None:
    """It sets how many threads share a matrix product, and with them the last digits."""
    append(own_code / "stages/__init__.py", 'os.environ["OPENBLAS_NUM_THREADS"] = "4"\n')
    after = hashes()
    assert [stage for stage in STAGES if after[stage] == before[stage]] == []


def test_a_converter_is_not_made_of_the_other_format(own_code: Path) -> None:
    litert, coreml = (files_of(f"stages/export_{kind}.py") for kind in ("litert", "coreml"))
    assert own_code / "runtimes/coreml.py" in coreml
    assert own_code / "runtimes/coreml.py" not in litert
    assert own_code / "runtimes/litert.py" in litert
    assert own_code / "runtimes/litert.py" not in coreml


@pytest.mark.slow
def test_what_mlflow_is_sent_changes_no_stage_but_the_one_that_registers(
    before: dict[str, str], own_code: Path
) -> None:
    """Training opens a run in MLflow, and the model's bytes know nothing of it."""
    append(own_code / "experiments/runs.py", "CHANGED = True\n")
    after = hashes()
    assert [stage for stage in STAGES if after[stage] != before[stage]] == ["stages/register.py"]


@pytest.mark.slow
def test_tables_and_programs_beside_a_module_are_part_of_it(own_code: Path) -> None:
    found = names(own_code, "stages/latency.py")
    assert {"phone/classes.yaml", "phone/calibration.json", "phone/apt.txt"} <= set(found)
    assert {"phone/native/counter.c", "phone/native/harness.c"} <= set(found)
    before = code_hash("stages/latency.py")
    append(own_code / "phone/native/counter.c", "/* C's comments count */\n")
    assert code_hash("stages/latency.py") != before


def test_a_fingerprint_names_the_libraries_and_their_versions() -> None:
    code, numpy, librosa = fingerprint.fingerprint(
        "data/decoding/audio.py", ("numpy", "librosa")
    ).split()
    assert code == code_hash("data/decoding/audio.py")
    assert numpy == f"numpy={version('numpy')}"
    assert librosa.startswith("librosa=0.")
