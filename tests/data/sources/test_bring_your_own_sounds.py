"""The lines of docs/bring-your-own-sounds.md, run as they stand, in a project of one's own."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from places import ROOT
from pocketear.data.clips import read_clips
from sounds import tone, write, write_by_phone

PAGE = (ROOT / "docs/bring-your-own-sounds.md").read_text()
BLOCKS = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with recordings, an editor that types what the page says, and a project."""
    recordings = tmp_path / "recordings"
    write(recordings / "cries/it's loud.wav", tone(0.5))
    write_by_phone(recordings / "cries/memo.m4a")
    typed = re.search(r"# data: (\{.*\})", BLOCKS[0])
    assert typed
    editor = tmp_path / "editor.py"
    editor.write_text(
        f"import sys, yaml, pathlib\npath = pathlib.Path(sys.argv[1])\n"
        f"params = yaml.safe_load(path.read_text())\n"
        f"params['data'] = {yaml.safe_load(typed[1])!r}\npath.write_text(yaml.safe_dump(params))\n"
    )
    project = tmp_path / "project"
    shutil.copytree(ROOT / "src", project / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data/recipes", project / "data/recipes")
    shutil.copy(ROOT / "params.yaml", project)
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    (project / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"ingest": stages["ingest"]}}))
    shell(tmp_path, "git init -q . && dvc init -q")
    return tmp_path


def shell(home: Path, lines: str) -> str:
    """Run lines in the project below `home` with this environment's tools, up to a failure."""
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", lines],
        cwd=home / "project",
        env=os.environ
        | {"HOME": str(home), "PATH": tools, "DVC_NO_ANALYTICS": "1"}
        | {"EDITOR": f"{sys.executable} {home}/editor.py"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_five_lines_from_recordings_to_a_clip_table(home: Path) -> None:
    lines = BLOCKS[0].splitlines()
    assert len(lines) == 5
    shell(home, BLOCKS[0])
    table = read_clips(home / "project/data/clips/clips.parquet")
    assert list(table["path"]) == ["data/sounds/cry/it's loud.wav", "data/sounds/cry/memo.m4a"]
    assert set(table["error"]) == {""}
    assert "didn't change, skipping" in shell(home, "dvc repro")


@pytest.mark.slow
def test_an_import_of_esc_as_the_page_says(home: Path, esc10: Path) -> None:
    theirs = home / "ESC-50"
    (theirs / "meta").mkdir(parents=True)
    (theirs / "audio").mkdir()
    table = "filename,fold,target,category,esc10,src_file,take\n"
    for name, label in (("1-187207-A", "004 - Baby cry"), ("1-100032-A", "001 - Dog bark")):
        shutil.copy(esc10 / label / f"{name}.ogg", theirs / "audio")
        table += f"{name}.ogg,1,0,{label[6:].lower()},True,{name.split('-')[1]},A\n"
    (theirs / "meta/esc50.csv").write_text(table)
    who = "-c user.name=x -c user.email=x@example.org"
    shell(home, f"cd {theirs} && git init -q . && git add -A && git {who} commit -qm published")
    (imports,) = (block for block in BLOCKS if "dvc import" in block)
    shell(home, imports.replace("https://github.com/karolpiczak/ESC-50", str(theirs)))
    shell(
        home,
        "sed -i 's|source: recipe|source: esc|; s|data/recipes/.*yaml|data/esc50|' params.yaml",
    )
    shell(home, "dvc repro")
    clips = read_clips(home / "project/data/clips/clips.parquet")
    assert list(clips["label"]) == ["dog bark", "baby cry"]
    assert list(clips["group"]) == ["100032", "187207"]


def test_the_page_names_files_that_are_there() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).exists(), link
    assert (ROOT / "src/pocketear/data/sources/esc10.py").is_file()
