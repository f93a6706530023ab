"""`pocketear suggest`, on the table that `validate` writes."""

import subprocess
import sys
from pathlib import Path

import pandas as pd

from pocketear.params import load_params


def pocketear(*words: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("pocketear")), "suggest", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def write_clips(seconds: float) -> None:
    Path("data/valid").mkdir(parents=True)
    table = pd.DataFrame({"label": ["cry", "laugh"], "duration": seconds, "bandwidth": 8000.0})
    table.to_parquet("data/valid/clips.parquet")


def test_what_fits_better_is_shown_and_written_where_asked(project: Path) -> None:
    write_clips(0.4)
    before = Path("params.yaml").read_text()
    shown = pocketear()
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "the median clip of cry is 0.4 s, the window 1.5 s" in shown.stdout
    assert Path("params.yaml").read_text() == before
    assert pocketear("--write").returncode == 0
    after = Path("params.yaml").read_text()
    changed = [
        (old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new
    ]  # fmt: skip
    assert [new.split(":")[0].strip() for _, new in changed] == ["window_length", "hop_length"]
    assert all(old.partition("#")[2] == new.partition("#")[2] for old, new in changed)
    assert load_params().frontend.window_length == load_params().listener.hop_length == 6400
    assert "nothing to suggest" in pocketear().stdout


def test_before_validate_it_says_what_to_run(project: Path) -> None:
    done = pocketear()
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: data/valid/clips.parquet: not found; `dvc repro validate` makes it"
    ]
