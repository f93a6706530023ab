"""dvc.yaml is true: what a stage imports and reads is what it declares."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dvc_deps import with_deps
from places import ROOT
from pocketear.base.fingerprint import PACKAGE, files_of
from pocketear.params import load_params

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


def section(stage: str, key: str) -> list[str]:
    return [next(iter(x)) if isinstance(x, dict) else x for x in STAGES[stage].get(key, [])]


def outputs(stage: str) -> list[str]:
    return [path for key in ("outs", "metrics", "plots") for path in section(stage, key)]


@pytest.mark.slow
def test_the_code_in_deps_is_what_the_imports_say() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert with_deps(text) == text, "run `make dvc-deps`"


# A file that is edited -> the stages that run again by themselves, and no other.
RERUNS = {
    "base/errors.py": set(),
    "base/progress.py": set(),
    "base/files.py": set(),
    "params.py": set(),
    "cli.py": set(),
    "apps/predict.py": set(),
    "apps/demo/server.py": set(),
    "apps/evaluate.py": set(),
    "evaluation/unseen.py": set(),
    "report/unseen.py": set(),
    "data/clip_table.py": {"ingest"},
    "evaluation/label_errors.py": {"report"},
    "data/decoding/audio.py": {"ingest", "group", "featurize", "evaluate", "register"},
    "data/decoding/ffmpeg.py": {"ingest", "group", "featurize", "evaluate", "register"},
    "data/decoding/int16.py": {"ingest", "group", "featurize", "train", "export_litert"}
    | {"evaluate", "parity", "report", "register", "crossvalidate", "robustness"},
    "data/decoding/measure.py": {"ingest", "group", "featurize", "evaluate", "register"},
    "data/audit/shortcuts.py": {"validate"},
    "contracts/audit.py": {"validate", "gate", "report"},
    "data/synthesis/voices.py": {"ingest"},
    "data/grouping/continuity.py": {"group"},
    "contracts/groups.py": {"group", "gate"},
    "data/data_docs.css": {"validate"},
    "frontend/librosa_features.py": {"featurize", "train", "export_litert", "export_coreml"}
    | {"evaluate", "parity", "crossvalidate"},
    "frontend/numpy_fft.py": {"export_coreml", "evaluate", "parity"},
    "training/network.py": {"train", "crossvalidate", "export_litert", "export_coreml", "parity"},
    "training/head.py": {"train", "crossvalidate"},
    "runtimes/chunks.py": {"export_litert", "export_coreml", "evaluate", "parity", "robustness"}
    | {"register"},
    "training/augment.py": {"train", "crossvalidate", "robustness"},
    "runtimes/coreml.py": {"export_coreml", "evaluate", "parity"},
    "runtimes/coreml_ops.py": {"export_coreml", "evaluate", "parity"},
    "contracts/verdict.py": {"gate", "report", "register", "package_android", "package_ios"},
    "listening/listener.py": {"export_litert", "evaluate"},
    "evaluation/conditions.py": {"robustness"},
    "evaluation/metrics.py": {"crossvalidate", "evaluate", "report", "register"},
    "data/grouping/folds.py": {"split", "crossvalidate"},
    "phone/classes.yaml": {"latency"},
    "report/templates/page.html": {"report", "register"},
    "packaging/kotlin.py": {"package_android"},
    "experiments/registry.py": {"register"},
    "experiments/served_model.py": {"register"},
    "stages/__init__.py": set(STAGES),
    "stages/gate.py": {"gate"},
}


@pytest.fixture(scope="module")
def files() -> dict[str, list[Path]]:
    """All that each stage is made of."""
    return {stage: files_of(f"stages/{stage}.py") for stage in STAGES}


@pytest.mark.parametrize("name", RERUNS)
def test_what_can_change_an_artefact_reruns_it_and_what_cannot_does_not(
    files: dict[str, list[Path]], name: str
) -> None:
    assert (PACKAGE / name).is_file()
    assert {stage for stage in STAGES if PACKAGE / name in files[stage]} == RERUNS[name]


@pytest.mark.parametrize("stage", STAGES)
def test_no_parameter_is_part_of_a_shell_command(stage: str) -> None:
    """A path such as `x; id` or `My & sounds` would run, or break, the command."""
    assert "${" not in STAGES[stage]["cmd"]


def test_declared_models_are_outputs() -> None:
    """`dvc artifacts get` fetches the output of that path as of the tag's commit."""
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text())["artifacts"]
    outs = {out for stage in STAGES for out in outputs(stage)}
    assert declared.keys() == {"android", "ios", "keras"}
    assert {one["path"] for one in declared.values()} <= outs


def test_every_output_travels_in_the_cache() -> None:
    """A clone that pulls has all outputs, metrics too, so it has nothing to run."""
    for stage in STAGES:
        for key in ("outs", "metrics", "plots"):
            assert all(isinstance(out, str) for out in STAGES[stage].get(key, [])), stage


def test_params_gives_back_what_the_file_has() -> None:
    """So the code of params.py cannot change an artefact: the values, which DVC tracks, do."""
    written = yaml.safe_load((ROOT / "params.yaml").read_text())
    assert written["frontend"].pop("preset") == "none"  # what others set is in presets.py
    assert load_params(ROOT / "params.yaml").model_dump(mode="json") == written


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
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "params"
    }
    return sections & (read | ({"frontend", "listener"} if "chunk" in read else set()))


def takes_params(function: ast.FunctionDef) -> bool:
    return any("Params" in ast.unparse(a.annotation) for a in function.args.args if a.annotation)


@pytest.mark.parametrize("stage", STAGES)
def test_every_params_section_that_a_stage_reads_is_declared(
    files: dict[str, list[Path]], stage: str
) -> None:
    """In the stage's own file, and in the functions that it hands the whole `Params` to."""
    declared = {name.split(".")[0] for name in STAGES[stage].get("params", [])}
    own = ROOT / "src" / "pocketear" / "stages" / f"{stage}.py"
    tree = ast.parse(own.read_text())
    read = sections_read(tree)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for path in {file for file in files[stage] if file.suffix == ".py"} - {own}:
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
