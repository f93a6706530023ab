"""bad_input: bad and odd input through the real commands: read rightly, or refused in a clear line.

nice python benchmarks/bad_input.py

Recordings: every container and codec that is opened, whole and with each fault of its length, and
names that people give, through `ingest` and `pocketear predict`; both must say the same. Tables and
parameters: mistakes, each through `ingest`, which must end with one line that names the place.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from claim import publish
from pocketear.runtimes.card import write_card
from project import ROOT

sys.path.insert(0, str(ROOT / "tests/helpers"))

from sounds import tone, write, write_with
from tiny_model import tiny_card, tiny_tflite
from wrong_lengths import KINDS, SECONDS, made, variants

_OFF = 0.13  # s that padding and a codec's delay change
_LONGEST = 400  # characters of a clear line
_NAMES = (
    *(
        "My Sounds",
        'it\'s "loud"',
        "R&D (2024)",
        "12:30:05",
        "100%",
        "who?",
        "[a]",
        "a,b",
        "😭",
        "בכי",
    ),
    *(
        "gro\u0308ßer",
        "yes",
        "None",
        "nan",
        "007",
        "2024-01-05",
        "~",
        "-rf",
        "$HOME",
        "`id`",
        "a;b",
    ),
    *("*", "{x}", "#1", "=1+1", "http:", "a\\b", "é" * 100),
)
_TABLES = {
    "an unknown column": ("path,lable\na.wav,cry\n", "line 1"),
    "a column twice": ("path,label,label\na.wav,cry,cry\n", "line 1"),
    "no column path": ("file,label\na.wav,cry\n", "line 1"),
    "a cell too many": ("path,label\na.wav,cry,1\n", "line 2"),
    "a cell too few": ("path,label\na.wav\n", "line 2"),
    "an open quote": ('path,label\n"a.wav,cry\n', "line"),
    "end before start": ("path,label,start,end\na.wav,cry,2,1\n", "line 2"),
    "a start that is no number": ("path,label,start\na.wav,cry,soon\n", "line 2"),
    "a negative start": ("path,label,start\na.wav,cry,-1\n", "line 2"),
    "half a fold": ("path,label,fold\na.wav,cry,1.5\n", "line 2"),
    "an empty path": ("path,label\n,cry\n", "line 2"),
    "no line": ("path,label\n", "clips.csv"),
    "nothing": ("", "line 1"),
}
_PARAMETERS = {
    "an unknown section": ("nonsense", "x", 1),
    "a typo": ("train", "epoch", 5),
    "a word for a number": ("train", "epochs", "five"),
    "yes for a number": ("promote", "max_drop", True),
    "yes for a label": ("data", "labels", ["a", True]),
    "a label twice": ("data", "labels", ["cry", "cry"]),
    "no rate": ("frontend", "sample_rate", 0),
    "a negative share": ("validation", "max_set_aside_share", -1),
    "not a number": ("train", "epochs", float("nan")),
    "a source that is none": ("data", "source", "folders"),
    "a path that is none": ("data", "path", "nowhere"),
    "a list for a path": ("data", "path", ["a"]),
}


@dataclass(frozen=True)
class Case:
    """A recording and what is right: the seconds it holds, 0: to be refused."""

    kind: str
    name: str
    path: Path
    seconds: float


def recordings(folder: Path) -> Iterator[Case]:
    """All recordings, written below `folder`/cry."""
    scratch = folder / "scratch"
    scratch.mkdir()
    for number, kind in enumerate(KINDS):
        whole = made(scratch, kind)
        for what, (content, times) in variants(whole.read_bytes()).items():
            path = folder / "cry" / f"{number} {what}{whole.suffix}"
            path.write_bytes(content)
            yield Case("length", f"{kind[0]} {kind[1]}: {what}", path, times * SECONDS)
    shutil.rmtree(scratch)
    for number, name in enumerate(_NAMES):
        sound = write(folder / "a.wav", tone(SECONDS, hz=300 + 10 * number))
        (folder / name).mkdir()
        yield Case("name", name, sound.rename(folder / name / name), SECONDS)
    others: dict[str, Callable[[Path], object]] = {
        "empty": lambda path: path.touch(),
        "text": lambda path: path.write_text("no sound\n" * 99),
        "zeros": lambda path: path.write_bytes(bytes(9999)),
        "a zip": lambda path: path.write_bytes(b"PK\3\4" + bytes(9999)),
        "a link to itself": lambda path: path.symlink_to(path.name),
        "a link to nothing": lambda path: path.symlink_to("nothing"),
        "NaN": lambda path: write_with(path, float("nan")),
        "infinity": lambda path: write_with(path, float("inf")),
        "far too loud": lambda path: write(path, tone() * 1e6, subtype="FLOAT"),
        "no samples": lambda path: write(path, tone(0)),
        "channels that cancel": lambda path: write(path, tone()[:, None] * [1, -1]),
        "65 channels": lambda path: write(path, tone()[:, None] * ([1] * 65)),
        "999 Hz": lambda path: write(path, tone(), 999),
        "a playlist": lambda path: path.write_text("#EXTM3U\na.wav\n"),
    }
    for name, make in others.items():
        path = folder / "cry" / f"{name}.wav"
        make(path)
        yield Case("file", name, path, 0)


def judged(cases: list[Case], errors: dict[str, str], seconds: dict[str, float]) -> dict[str, str]:
    """Case -> how it ended: \"\", or what fell. errors, seconds: by path"""
    outcomes = {}
    for case in cases:
        path = str(case.path)
        error, found = errors.get(path, ""), seconds.get(path, 0.0)
        if case.seconds and (error or abs(found - case.seconds) > _OFF):
            outcomes[case.name] = error or f"{found:.2f} s of {case.seconds} s"
        elif not case.seconds and not error:
            outcomes[case.name] = f"{found:.2f} s were read, want a refusal"
        else:
            outcomes[case.name] = "" if len(error) < _LONGEST and "\n" not in error else error
    return outcomes


def by_ingest(cases: list[Case]) -> dict[str, str]:
    """As the clip table has them."""
    refusal = ingest("folder", "sounds")
    if refusal:
        sys.exit(f"error: ingest of {len(cases)} recordings: {refusal}")
    table = pd.read_parquet("data/clips/clips.parquet")
    paths, errors = table["path"].tolist(), table["error"].tolist()
    seconds = dict(zip(paths, table["duration"].tolist(), strict=True))
    return judged(cases, dict(zip(paths, errors, strict=True)), seconds)


def by_predict(cases: list[Case], model: Path) -> dict[str, str]:
    """As `pocketear predict --json` prints them."""
    program = Path(sys.executable).with_name("pocketear")
    words = [str(program), "predict", "--json", "--model", str(model), "--"]
    done = subprocess.run(
        [*words, *(str(case.path) for case in cases)],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if "Traceback" in done.stderr or not done.stdout:
        sys.exit(f"error: predict of {len(cases)} recordings: {done.stderr[-400:]}")
    files = json.loads(done.stdout)["files"]
    errors = {one["path"]: one["error"] for one in files if "error" in one}
    return judged(cases, errors, {one["path"]: one.get("seconds", 0.0) for one in files})


def ingest(source: str, path: str) -> str:
    """Run the stage on a dataset. returns: what it prints as it refuses, \"\" if it does not"""
    change("data", "source", source)
    change("data", "path", path)
    return _ingest()


def _ingest() -> str:
    words = [sys.executable, "-m", "pocketear.stages.ingest", "--out", "data/clips"]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    return done.stderr or "ended without a word" if done.returncode else ""


def change(section: str, name: str, value: object) -> None:
    """Write a parameter into params.yaml."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    params.setdefault(section, {})[name] = value
    Path("params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True), encoding="utf-8")


def refused(line: str, named: str) -> str:
    """What is wrong with a refusal, \"\": nothing."""
    clear = line.startswith("error: ") and line.count("\n") == 1 and len(line) < _LONGEST
    return "" if clear and named in line else line[-200:] or "it was taken"


def mistakes() -> Iterator[tuple[str, str, str]]:
    """Kind, case and outcome of each mistake in a table and in params.yaml."""
    for name, (text, named) in _TABLES.items():
        Path("clips.csv").write_text(text, encoding="utf-8")
        yield "table", name, refused(ingest("csv", "clips.csv"), named)
    good = (ROOT / "params.yaml").read_text(encoding="utf-8")
    for name, (section, key, value) in _PARAMETERS.items():
        Path("params.yaml").write_text(good, encoding="utf-8")
        change(section, key, value)
        yield "parameter", name, refused(_ingest(), "nowhere" if value == "nowhere" else section)


def main() -> None:
    """Print what fell, and write the figures; exit status 1 where something did."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        shutil.copy(ROOT / "params.yaml", folder)
        Path("sounds/cry").mkdir(parents=True)
        cases = list(recordings(Path("sounds")))
        each = [("ingest", case.kind, case.name) for case in cases]
        taken = by_ingest(cases)
        outcomes = {key: taken[key[2]] for key in each}
        model = Path(folder, "tiny.tflite")
        model.write_bytes(write_card(tiny_tflite(), tiny_card()))  # type: ignore[no-untyped-call]
        predicted = by_predict(cases, model)
        outcomes |= {("predict", case.kind, case.name): predicted[case.name] for case in cases}
        outcomes |= {("ingest", kind, name): outcome for kind, name, outcome in mistakes()}
    fell = {" ".join(key): outcome for key, outcome in outcomes.items() if outcome}
    for name, outcome in fell.items():
        print(f"{name:60} {outcome[:160]}")
    kinds = {(kind, name) for _, kind, name in outcomes}
    publish(
        "bad_input",
        {
            "kinds of input": len(kinds),
            "tried": len(outcomes),
            "held": len(outcomes) - len(fell),
            "by": dict(Counter(f"{command} {kind}" for command, kind, _ in outcomes)),
            "fell": fell,
        },
    )
    sys.exit(1 if fell else 0)


if __name__ == "__main__":
    os.environ["PYTHONIOENCODING"] = "utf-8"
    main()
