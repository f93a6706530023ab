"""dvc.yaml tells the truth: what a stage imports and reads is what it declares."""

import ast
import re
from typing import Any

import pytest
import yaml

from places import ROOT
from pocketear.base.fingerprint import modules_of

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def section(stage: str, key: str) -> list[str]:
    return [next(iter(x)) if isinstance(x, dict) else x for x in STAGES[stage].get(key, [])]


def outputs(stage: str) -> list[str]:
    return [path for key in ("outs", "metrics", "plots") for path in section(stage, key)]


@pytest.mark.parametrize("stage", STAGES)
def test_every_module_that_a_stage_imports_is_in_its_deps(stage: str) -> None:
    package = ROOT / "src" / "pocketear"
    needed = {f"src/pocketear/{path.relative_to(package)}" for path in modules_of(stage)}
    deps = section(stage, "deps")
    missing = {n for n in needed if not any(n == dep or n.startswith(dep + "/") for dep in deps)}
    assert not missing, f"{stage}: add to deps: {sorted(missing)}"
    declared = {dep for dep in deps if dep.startswith("src/")}
    idle = {dep for dep in declared if not any(n == dep or n.startswith(dep + "/") for n in needed)}
    assert not {dep for dep in idle if dep.endswith(".py")}, f"{stage}: not imported: {idle}"


@pytest.mark.parametrize("stage", STAGES)
def test_every_path_of_a_command_is_declared(stage: str) -> None:
    paths = re.findall(r"--\S+\s+(\S+)", STAGES[stage]["cmd"])
    declared = section(stage, "deps") + outputs(stage)
    for path in paths:
        related = [
            d for d in declared if d == path or d.startswith(f"{path}/") or path.startswith(f"{d}/")
        ]
        assert related, f"{stage}: {path} is neither a dep nor an out"


def sections_read(tree: ast.AST) -> set[str]:
    """The sections of `params.section` in a piece of code."""
    sections = set(yaml.safe_load((ROOT / "params.yaml").read_text()))
    return sections & {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "params"
    }


def takes_params(function: ast.FunctionDef) -> bool:
    return any("Params" in ast.unparse(a.annotation) for a in function.args.args if a.annotation)


@pytest.mark.parametrize("stage", STAGES)
def test_every_params_section_that_a_stage_reads_is_declared(stage: str) -> None:
    """In the stage's own file, and in the functions that it hands the whole `Params` to."""
    declared = {name.split(".")[0] for name in STAGES[stage].get("params", [])}
    own = ROOT / "src" / "pocketear" / "stages" / f"{stage}.py"
    tree = ast.parse(own.read_text())
    read = sections_read(tree)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for path in set(modules_of(stage)) - {own}:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name in names and takes_params(node):
                read |= sections_read(node)
    assert read <= declared, f"{stage}: add to params: {sorted(read - declared)}"


def test_a_stage_a_module_and_a_test_share_their_name() -> None:
    modules = {p.stem for p in (ROOT / "src/pocketear/stages").glob("*.py")} - {"__init__"}
    tests = {p.stem.removeprefix("test_") for p in (ROOT / "tests/stages").glob("test_*.py")}
    assert modules == set(STAGES) == tests
    for name, stage in STAGES.items():
        assert stage["cmd"].startswith(f"python -m pocketear.stages.{name} ")
