"""YAML from people: what they write is read, what no person writes is refused before it is made."""

import itertools
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from places import ROOT
from pocketear.base.errors import ParamsError
from pocketear.base.yaml_text import read_yaml
from pocketear.data.synthesis.recipe import load_recipe
from pocketear.params import load_params

LETTERS = "abcdefghi"
BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{now}: &{now} [{','.join([f'*{before}'] * 9)}]\n"
    for before, now in itertools.pairwise(LETTERS)
)
HOSTILE = {
    "aliases": BOMB,
    "merged": "a: &a {x: 1}\n"
    + "".join(f"b{n}: &a {{<<: [{','.join(['*a'] * 9)}]}}\n" for n in range(9)),
    "of itself": "seed: &a [*a]",
    "deep": "seed: " + "[" * 100_000,
    "large": "seed: " + "x" * (1 << 21),
    "python/object": "seed: !!python/object/apply:os.system ['touch broken_in']",
    "digits": "seed: " + "9" * 100_000,
    "hexadecimal": "seed: 0x" + "f" * 100_000,
    "no such date": "seed: 2026-13-45",
    "keys": "".join(f"key{n}: 1\n" for n in range(5_000)),
    "long key": "x" * 100_000 + ": 1",
    "binary": "seed: !!binary ====",
}


@pytest.mark.parametrize(
    ("name", "load"), [*((name, load_params) for name in HOSTILE), ("aliases", load_recipe)]
)
def test_what_no_person_writes_is_one_short_line(name, load, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.yaml").write_text(HOSTILE[name])
    with pytest.raises(ParamsError) as refused:
        load(Path("file.yaml"))
    assert str(refused.value).startswith("file.yaml")
    assert len(str(refused.value)) < 10_000
    assert not Path("broken_in").exists()


@pytest.mark.slow
def test_a_bomb_takes_neither_memory_nor_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(BOMB)

    def little() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))

    command = [sys.executable, "-m", "pocketear.stages.ingest", "--out", "data/clips"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, preexec_fn=little,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "aliases stand for more than 100,000 values" in line


def test_what_people_write_is_read_as_yaml_reads_it() -> None:
    for path in (ROOT / "params.yaml", *(ROOT / "data/recipes").glob("*.yaml")):
        text = path.read_text()
        assert read_yaml(text, path) == yaml.safe_load(text)
    assert read_yaml("a: &a [1]\nb: *a", "x") == {"a": [1], "b": [1]}
    assert read_yaml("", "x") is None
