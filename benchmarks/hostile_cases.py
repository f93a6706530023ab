"""hostile_cases: what hostile.py tries. A case returns what fell, or "" if all held."""

import csv
import importlib
import io
import json
import os
import random
import re
import resource
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPResponse
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from hostile_broken import BROKEN, careless_server
from project import ROOT

sys.path[:0] = [str(ROOT / "tests/helpers"), str(ROOT / "flows")]

Case = Callable[[Path], str]
CASES: dict[str, tuple[str, Case]] = {}
PYTHON = sys.executable
INGEST = [PYTHON, "-m", "pocketear.stages.ingest", "--out", "data/clips"]
VALIDATE = [
    *(PYTHON, "-m", "pocketear.stages.validate", "--clips", "data/clips/clips.parquet"),
    *("--valid", "data/valid/clips.parquet", "--report", "reports/validation"),
]
POCKETEAR = [PYTHON, "-c", "from pocketear.cli import main; main()"]
_PEAK_MB = 900  # of a command; ingest of a good clip takes 300
_SECONDS = 40 if BROKEN in os.environ else 120  # of processor time
_SECRET = "Zq7secret"  # noqa: S105
_SHELL = ["$(touch PWNED)", "`touch PWNED`", "a;touch PWNED;b", "a|touch PWNED", "a&&touch PWNED"]


@dataclass(frozen=True)
class Ended:
    """How a command ended. text: what it printed"""

    status: int
    text: str
    peak_mb: float

    def refused(self) -> str:
        """Whether it ended with one short line, what fell if not."""
        lines = [line for line in self.text.splitlines() if "error: " in line]
        if self.status != 1 or len(lines) != 1 or len(self.text) > 8000:
            return f"status {self.status}, {len(self.text)} characters: {self.text[-150:]!r}"
        return self.held()

    def held(self) -> str:
        """Whether it showed no traceback and took little memory, what fell if not."""
        if "Traceback" in self.text:
            return f"traceback: {self.text.strip().splitlines()[-1][:150]}"
        return f"{self.peak_mb:.0f} MB" if self.peak_mb > _PEAK_MB else ""


def case(kind: str, name: str) -> Callable[[Case], Case]:
    """Enter a function among CASES."""

    def enter(function: Case) -> Case:
        CASES[name] = (kind, function)
        return function

    return enter


def run(command: list[str], **more: str) -> Ended:
    """Run a command in the working folder; in a broken copy, by a shell."""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": "", "OPENBLAS_NUM_THREADS": "1", **more}
    by_shell = os.environ.get(BROKEN) == "shell"
    with tempfile_text() as printed:
        process = subprocess.Popen(
            " ".join(command) if by_shell else command,
            shell=by_shell,
            env=environment, stdout=printed, stderr=printed, preexec_fn=_limits,
        )  # fmt: skip
        timer = threading.Timer(2 * _SECONDS, process.kill)
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        timer.cancel()
        printed.seek(0)
        text = printed.read()
    return Ended(os.waitstatus_to_exitcode(status), text, used.ru_maxrss / 1024)


@contextmanager
def tempfile_text() -> Iterator[io.TextIOWrapper]:
    """A file for what a command prints: a pipe would have to be emptied meanwhile."""
    place = Path(os.devnull).with_name("shm") / f"hostile-{os.getpid()}"
    try:
        with place.open("w+", errors="replace") as file:
            yield file
    finally:
        place.unlink(missing_ok=True)


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (12 << 30, 12 << 30))


def helper(name: str) -> Any:
    """A module of tests/helpers."""
    return importlib.import_module(name)


def tiny_model() -> bytes:
    """A whole .tflite with its card."""
    from pocketear.runtimes.card import write_card

    tiny = helper("tiny_model")
    return write_card(tiny.tiny_tflite(), tiny.tiny_card())


def choose(**sections: dict[str, Any]) -> None:
    """Set keys of sections of params.yaml in the working folder."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    for name, values in sections.items():
        params[name] |= values
    Path("params.yaml").write_text(yaml.safe_dump(params))


def good_clips(folder: str = "sounds", labels: tuple[str, ...] = ("cry", "laugh")) -> Path:
    """A folder of one clip for each label, chosen in params.yaml."""
    from sounds import tone, write

    choose(data={"source": "folder", "path": folder, "labels": [], "other": ""})
    for number, label in enumerate(labels):
        write(Path(folder, label, "good.wav"), tone(1.0, hz=300 + 100 * number))
    return Path(folder)


def clips() -> dict[str, str]:
    """Path below the sounds -> its error, as ingest's table has it."""
    table = pd.read_parquet("data/clips/clips.parquet")
    return dict(zip(table["path"].map(str), table["error"].map(str), strict=True))


def not_run() -> str:
    """What fell if a name was run as a command."""
    return "a command in a name was run" if list(Path().rglob("PWNED")) else ""


# --- names and parameters that a shell would run


@case("shell", "file names, by ingest")
def _(folder: Path) -> str:
    sounds = good_clips()
    for name in _SHELL:
        (sounds / "cry" / f"{name}.wav").write_bytes((sounds / "cry/good.wav").read_bytes())
    ended = run(_shown_to_a_shell(INGEST, sounds / "cry"))
    fell = ended.held() or not_run()
    used = 0 if fell else sum(not error for error in clips().values())
    return fell or ("" if used == 7 else f"{used} of 7 taken")


def _shown_to_a_shell(command: list[str], folder: Path) -> list[str]:
    """The command; in a broken copy, one that names the files too, as a careless script would."""
    names = [str(path) for path in folder.iterdir()] if BROKEN in os.environ else []
    return [*command, *names]


@case("shell", "label names, by ingest")
def _(folder: Path) -> str:
    good_clips(labels=tuple(_SHELL))
    ended = run(_shown_to_a_shell(INGEST, Path("sounds")))
    return ended.held() or not_run() or ("" if len(clips()) == 5 else "not all taken")


@case("shell", "data.path, by ingest")
def _(folder: Path) -> str:
    path = good_clips("so;touch PWNED;unds $(touch PWNED)")
    ended = run(_shown_to_a_shell(INGEST, path.parent))
    return ended.held() or not_run() or ("" if len(clips()) == 2 else "not all taken")


def dvc_project() -> None:
    """A DVC project with the stage `ingest` of dvc.yaml."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    one = stages["ingest"]
    one["deps"] = [dep for dep in one["deps"] if not dep.startswith("src/")]
    if BROKEN in os.environ:
        one["cmd"] = f"ls ${{data.path}}; {one['cmd']}"
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"ingest": one}}))
    run([PYTHON, "-m", "dvc", "init", "--no-scm", "--quiet"])


def dvc_repro() -> Ended:
    """Run the stage `ingest` by DVC."""
    path = f"{Path(PYTHON).parent}:{os.environ['PATH']}"
    return run([PYTHON, "-m", "dvc", "repro", "ingest"], PATH=path, DVC_NO_ANALYTICS="1")


@case("shell", "data.path, by dvc repro ingest")
def _(folder: Path) -> str:
    good_clips("so;touch PWNED;unds")
    dvc_project()
    ended = dvc_repro()
    return not_run() or ended.held() or ("" if len(clips()) == 2 else ended.text[-200:])


@case("shell", "file names, by dvc repro ingest")
def _(folder: Path) -> str:
    sounds = good_clips("sounds;touch PWNED" if BROKEN in os.environ else "sounds")
    for name in _SHELL:
        (sounds / "cry" / f"{name}.wav").write_bytes((sounds / "cry/good.wav").read_bytes())
    dvc_project()
    ended = dvc_repro()
    return not_run() or ended.held() or ("" if len(clips()) == 7 else ended.text[-200:])


# --- recordings


def recording(name: str, make: Callable[[Path], object], expected: str = "") -> None:
    """A case: a file among good clips. expected: a part of its error; "": it may be a clip"""

    @case("recording", name)
    def _(folder: Path) -> str:
        sounds = good_clips()
        make(sounds / "cry")
        ended = run(INGEST)
        if fell := ended.held():
            return fell
        errors = clips() if ended.status == 0 else {}
        good = [path for path, error in errors.items() if path.endswith("good.wav") and not error]
        if len(good) != 2:
            return f"the good clips were not taken: {ended.text[-150:]}"
        bad = [error for path, error in errors.items() if not path.endswith("good.wav")]
        if expected and not all(re.search(expected, error) for error in bad):
            return f"its error: {bad}"
        return "a file was read that it names" if _SECRET in str(errors) else ""


def _named(folder: Path, name: str, text: str) -> None:
    (folder.parent.parent / "secret.txt").write_text(_SECRET)
    from sounds import tone, write

    write(folder.parent.parent / "private.wav", tone(1.0, hz=777))
    (folder / name).write_text(text.replace("PRIVATE", str(Path("private.wav").resolve())))


def _floats(folder: Path) -> None:
    import soundfile

    samples = np.full(16000, np.nan, np.float32)
    soundfile.write(folder / "nan.wav", samples, 16000, "FLOAT")
    soundfile.write(folder / "huge.wav", samples * 0 + 1e38, 16000, "FLOAT")


def _bomb_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1 << 28))


def _wav_that_lies(folder: Path) -> None:
    content = bytearray((folder / "good.wav").read_bytes())
    content[40:44] = (0xFFFFFFF0).to_bytes(4, "little")
    (folder / "lies.wav").write_bytes(content)


def _enter_recordings() -> None:
    from sounds import declaring, silence

    any_error = "."
    recording(
        "FLAC declaring 2^36-1 samples",
        lambda f: declaring(silence(f / "x.flac", 1, 16000, 1), 2**36 - 1),
        any_error,
    )
    recording("silent FLAC, 8 channels, 192 kHz", lambda f: silence(f / "x.flac", 120, 192000, 8))
    playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://PRIVATE\n#EXT-X-ENDLIST\n"
    recording("m3u8 in .m4a", lambda f: _named(f, "x.m4a", playlist), any_error)
    recording("m3u8 in .mp3", lambda f: _named(f, "x.mp3", playlist), any_error)
    concat = "ffconcat version 1.0\nfile 'PRIVATE'\n"
    recording("ffconcat in .m4a", lambda f: _named(f, "x.m4a", concat), any_error)
    recording("ffconcat in .wav", lambda f: _named(f, "x.wav", concat), any_error)
    recording("zip bomb named .wav", lambda f: _bomb_zip(f / "x.wav"), any_error)
    recording("NaN and 1e38 in float WAV", _floats, any_error)
    recording("WAV declaring 4 GB", _wav_that_lies)
    recording("link to /dev/zero", lambda f: (f / "x.wav").symlink_to("/dev/zero"), any_error)
    recording("named pipe", lambda f: os.mkfifo(f / "x.wav"), any_error)
    recording("link to a password file", lambda f: (f / "x.wav").symlink_to("/etc/passwd"), ".")


_enter_recordings()


# --- YAML


def _bomb() -> str:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for before, now in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{now}: &{now} [{','.join([f'*{before}'] * 9)}]")
    return "\n".join(lines) + "\n"


YAMLS = {
    "aliases": _bomb(),
    "python/object": "seed: !!python/object/apply:os.system ['touch PWNED']\n",
    "python/name": "seed: !!python/name:os.system\n",
    "100,000 brackets": "seed: " + "[" * 100_000,
    "a number of 100,000 digits": "seed: " + "9" * 100_000,
    "a key of 1 MB": "x" * 1_000_000 + ": 1\n",
    "control characters": 'seed: "\\e]0;title\\a\\nerror: none"\n',
}


def yaml_case(name: str, text: str, *, recipe: bool) -> None:
    """A case: a hostile params.yaml, or a recipe."""
    kind = "recipe" if recipe else "params.yaml"

    @case("yaml", f"{name} in {kind}")
    def _(folder: Path) -> str:
        if recipe:
            choose(data={"source": "recipe", "path": "recipe.yaml"})
        Path("recipe.yaml" if recipe else "params.yaml").write_text(text)
        ended = run(INGEST)
        if any(ord(sign) < 32 and sign not in "\n" for sign in ended.text):
            return "control characters reach the terminal"
        return not_run() or ended.refused()


for _name, _text in YAMLS.items():
    yaml_case(_name, _text, recipe=False)
for _name in ("aliases", "python/object", "100,000 brackets"):
    yaml_case(_name, YAMLS[_name], recipe=True)


# --- what people open


FORMULA = "=cmd|' C calc'!A0"
MARKUP = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "\"'><svg onload=alert(1)>",
    "</title></style><b onclick=alert(1)>",
    "[a](javascript:alert(1)) ![b](http://x.invalid/p.png)",
)


def _cells(path: Path) -> list[str]:
    with path.open(newline="", encoding="utf-8") as file:
        return [cell for row in csv.reader(file) for cell in row]


def _formulas(path: Path) -> str:
    bad = [cell for cell in _cells(path) if cell[:1] in tuple("=+-@\t\r") and not _is_number(cell)]
    return f"{path.name} holds {bad[0]!r}" if bad else ""


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", cell) is not None


@case("csv", "formulas as labels and path, in set_aside.csv")
def _(folder: Path) -> str:
    from sounds import tone, write

    choose(data={"source": "csv", "path": "clips.csv", "labels": [], "other": ""})
    write(Path("=1+1/a.wav"), tone(1.0) * 0)
    write(Path("good.wav"), tone(1.0))
    Path("clips.csv").write_text(f'path,label\n=1+1/a.wav,"{FORMULA}"\ngood.wav,cry\n')
    fell = run(INGEST).held() or run(VALIDATE).held()
    place = next(Path().rglob("set_aside.csv"))
    return fell or _formulas(place) or ("" if FORMULA in str(_cells(place)) else "label lost")


@case("csv", "formulas as labels, in alarms.csv and confusion.csv")
def _(folder: Path) -> str:
    from pocketear.base.tables import write_csv
    from pocketear.report.tables import read_table
    from pocketear.stages import evaluate

    labels = [FORMULA, "+1", "@A1", "cry"]
    scores = {f"score_{name}": [0.25] * 4 for name in labels}
    table = pd.DataFrame({"label": labels, "predicted": labels, **scores})
    evaluate.plots(table, folder, 5)
    write_csv(pd.DataFrame({"label": labels, "misses": 0.5}), folder / "alarms.csv")
    back = read_table(folder / "confusion.csv", ["actual"])["actual"].to_list()
    fell = _formulas(folder / "confusion.csv") or _formulas(folder / "alarms.csv")
    return fell or ("" if back == labels else f"read back as {back}")


class _Page(HTMLParser):
    """What of a page a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._script = tag == "script" and dict(attrs).get("type") != "application/json"
        # Great Expectations has calls of its own
        ours = [(name, value) for name, value in attrs if "alert(1)" in (value or "")]
        found = [f"{tag} {name}" for name, _ in ours if name.startswith("on")]
        links = [value for _, value in attrs if value and value.startswith("javascript:")]
        self.runs += [*found, *links]

    def handle_data(self, data: str) -> None:
        if self._script and "alert(1)" in data:
            self.runs.append(data[:80])

    def handle_endtag(self, tag: str) -> None:
        self._script = self._script and tag != "script"


def _page(path: Path) -> str:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return f"{path.name} runs {page.runs[0]!r}" if page.runs else ""


def _markdown(text: str) -> str:
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    kinds = {child.type for token in tokens for child in token.children or ()}
    blocks = [token.content for token in tokens if token.type == "html_block"]
    wrong = kinds & {"html_inline", "link_open", "image"} or [b for b in blocks if "(1)" in b]
    return f"Markdown holds {sorted(wrong)}" if wrong else ""


def _reported() -> None:
    choose(data={"labels": list(MARKUP), "other": ""})
    helper("reported_project").write_reported(Path(), labels=MARKUP)


@case("markup", "labels in report.html")
def _(folder: Path) -> str:
    _reported()
    ended = run([*POCKETEAR, "report"])
    pages = list(Path("reports").glob("*.html"))
    return ended.held() or _page(pages[0]) if pages else f"no page: {ended.text[-200:]}"


@case("markup", "labels in pull_request.md")
def _(folder: Path) -> str:
    _reported()
    ended = run([*POCKETEAR, "report", "--markdown"])
    text = ended.text
    return ended.held() or _markdown(text) or ("" if "Confusion" in text else text[-200:])


@case("markup", "labels and reasons in MODEL_CARD.md")
def _(folder: Path) -> str:
    from pocketear.packaging.model_card import render

    card = helper("tiny_model").tiny_card(
        labels=MARKUP, thresholds=dict.fromkeys(MARKUP, 0.6), background=(), licence=MARKUP[0]
    )
    return _markdown(
        render(card, helper("packaged_project").ACCEPTED.model_copy(update={"reasons": MARKUP}), {})
    )


@case("markup", "labels in Data Docs")
def _(folder: Path) -> str:
    from sounds import tone, write

    choose(data={"source": "csv", "path": "clips.csv", "labels": [], "other": ""})
    lines = ["path\tlabel"]
    for number, label in enumerate(MARKUP):
        write(Path(f"{number}.wav"), tone(1.0, hz=300 + 50 * number))
        lines.append(f"{number}.wav\t" + '"' + label.replace('"', '""') + '"')
    Path("clips.csv").write_text("\n".join(lines) + "\n")
    fell = run(INGEST).held() or run(VALIDATE).held()
    pages = [path for path in Path().rglob("*.html") if "docs" in path.parts]
    if fell or not pages:
        return fell or "no page"
    return next(filter(None, map(_page, pages)), "")


# --- models


def model_case(name: str, change: Callable[[bytes], bytes]) -> None:
    """A case: a .tflite that `pocketear predict` is given."""

    @case("model", name)
    def _(folder: Path) -> str:
        from sounds import tone, write

        write(Path("a.wav"), tone(1.0))
        Path("m.tflite").write_bytes(change(tiny_model()))
        ended = run([*POCKETEAR, "predict", "--model", "m.tflite", "a.wav"])
        outside = [path for path in folder.parent.glob("evil*")]
        return "written outside" if outside else ended.refused()


def _with_entries(entries: dict[str, bytes], content: bytes, *, repeat: int = 1) -> bytes:
    graph = content[: content.index(b"PK\x03\x04")]
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            for number in range(repeat):
                archive.writestr(f"{name}{number or ''}", data)
    return graph + made.getvalue()


def _card_with(change: Callable[[dict[str, Any]], None], content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        card, labels = json.loads(archive.read("pocketear.json")), archive.read("labels.txt")
    change(card)
    text = json.dumps(card).encode()
    return _with_entries({"labels.txt": labels, "pocketear.json": text}, content)


_LABELS = b"background\ncrying_baby\nlaughing\n"
MODELS: dict[str, Callable[[bytes], bytes]] = {
    "card with names outside its zip": partial(
        _with_entries, {"../evil": b"x", "labels.txt": _LABELS}
    ),
    "card of 200 MB": partial(
        _with_entries, {"labels.txt": _LABELS, "pocketear.json": b" " * (200 << 20)}
    ),
    "card of 100,000 brackets": partial(
        _with_entries, {"labels.txt": _LABELS, "pocketear.json": b"[" * 100_000}
    ),
    "zip of 5,000 entries": partial(
        _with_entries, {"labels.txt": _LABELS, "pocketear.json": b"{}", "x": b"x"}, repeat=5000
    ),
    "window of 2^40 samples": partial(_card_with, lambda c: c.update(window_length=2**40)),
    "sample rate of -1": partial(_card_with, lambda c: c.update(sample_rate=-1)),
    "labels that are a mapping of 10,000": partial(
        _card_with, lambda c: c.update(labels={str(n): n for n in range(10_000)})
    ),
    "cut in half": lambda content: content[: len(content) // 2],
    "not a model at all": lambda content: b"MZ" + bytes(1000),
}
for _name, _change in MODELS.items():
    model_case(_name, _change)


@case("model", "300 random changes of a card's bytes")
def _(folder: Path) -> str:
    from pocketear.base.errors import RunnerError
    from pocketear.runtimes.card import read_card

    content, rng = tiny_model(), random.Random(7)  # noqa: S311
    begin = content.index(b"PK\x03\x04")
    for _ in range(300):
        changed = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            changed[rng.randrange(begin, len(changed))] = rng.randrange(256)
        Path("m.tflite").write_bytes(changed)
        with one_line(RunnerError):
            read_card(Path("m.tflite"))
    return ""


@contextmanager
def one_line(kind: type[Exception]) -> Iterator[None]:
    """Pass over errors of one kind, whose message must be one line."""
    try:
        yield
    except kind as error:
        if "\n" in str(error) or len(str(error)) > 2000:
            raise AssertionError(f"no short line: {str(error)[:200]!r}") from error


@case("model", ".keras with code in a Lambda layer")
def _(folder: Path) -> str:
    make = (
        "import keras; m = keras.Sequential([keras.Input((1,)), "
        "keras.layers.Lambda(lambda x: (__import__('os').system('touch PWNED'), x)[1])]); "
        "m.save('m.keras')"
    )
    load = "from pathlib import Path; from pocketear.runtimes.keras import load_keras; "
    run([PYTHON, "-c", make])
    Path("PWNED").unlink(missing_ok=True)
    if not Path("m.keras").exists():
        return "no model was made"
    loaded = "load_keras(Path('m.keras'))(__import__('numpy').ones((1, 1)))"
    ended = run([PYTHON, "-c", load + loaded])
    refused = "RunnerError" in ended.text and ended.status == 1
    return not_run() or ("" if refused else f"not refused: {ended.text[-200:]}")


# --- zips and folders from a registry


def registry_case(name: str, entries: dict[str, bytes], *, file: str = "m.zip") -> None:
    """A case: what a registry gives for a version, fetched as `pocketear rollback` does."""

    @case("registry", name)
    def _(folder: Path) -> str:
        from pocketear.base.errors import PackagingError
        from pocketear.experiments import promotion, registry

        given = folder / "given"
        given.mkdir()
        with zipfile.ZipFile(given / file, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry, content in entries.items():
                archive.writestr(entry, content)
        version = registry.Version("m", "1", "run", (), {}, 0)
        kept, registry.download = registry.download, lambda *_: given
        try:
            promotion.fetch(version, folder / "deep/champion")
        except PackagingError as error:
            return "" if "\n" not in str(error) and len(str(error)) < 500 else str(error)[:200]
        finally:
            registry.download = kept
            Path("/tmp/evil-pocketear").unlink(missing_ok=True)  # noqa: S108  where --broken puts it
        outside = {path.name for path in folder.rglob("evil*")}
        return f"taken, with {outside}" if outside else "taken"


for _name, _entries in {
    "entry ../../evil": {"../../evil": b"x"},
    "entry /tmp/evil": {"/tmp/evil-pocketear": b"x"},  # noqa: S108
    "entry ..\\..\\evil": {"..\\..\\evil": b"x"},
    "entry C:evil": {"C:evil": b"x"},
    "entry .": {".": b"x"},
    "entry a//evil": {"a//evil": b"x"},
    "20,000 entries": {f"evil{n}": b"" for n in range(20_000)},
    "2 GB of zeros": {f"evil{n}": bytes(1 << 28) for n in range(8)},
}.items():
    registry_case(_name, _entries)
registry_case("zip named ...zip", {"evil": b"x"}, file="...zip")


# --- addresses with a password


def address_case(address: str) -> None:
    """A case: an address that holds a secret, which no command prints."""

    @case("address", address.replace(_SECRET, "SECRET"))
    def _(folder: Path) -> str:
        ended = run(
            [*POCKETEAR, "models"], MLFLOW_TRACKING_URI=address, MLFLOW_HTTP_REQUEST_MAX_RETRIES="0"
        )
        return "the password is printed" if _SECRET in ended.text else ended.refused()


for _address in (
    f"htp://user:{_SECRET}@127.0.0.1:1",
    f"user:{_SECRET}@127.0.0.1:1",
    f"http://user:{_SECRET}/x@127.0.0.1:1",
    f"http://user:a@{_SECRET}@127.0.0.1:1",
    f"http://127.0.0.1:{_SECRET}/",
    f"postgresql+psycopg2://user:a@{_SECRET}@127.0.0.1:1/db",
    f"postgresql+nodriver://user:x@127.0.0.1:1/db?password={_SECRET}",
):
    address_case(_address)


# --- servers


@contextmanager
def _served(server: ThreadingHTTPServer) -> Iterator[int]:
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[HTTPResponse, bytes]:
    """One request, whose path is sent as it is."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"Host": f"127.0.0.1:{port}", **headers}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    return answer, answer.read()


def server_case(name: str, path: str, method: str = "GET", **headers: str) -> None:
    """Two cases: a call that the demo's server and that of the reports must refuse."""

    def demo(folder: Path) -> ThreadingHTTPServer:
        from pocketear.apps.demo.server import make_server

        return make_server({"/": (b"page", "text/html")}, 0)

    def reports(folder: Path) -> ThreadingHTTPServer:
        from reports_server import make_server

        Path("reports").mkdir(exist_ok=True)
        Path("reports/index.html").write_text("page")
        return make_server(folder / "reports", 0)

    for which, make in (("demo", demo), ("reports", reports)):

        @case("server", f"{which}: {name}")
        def _(folder: Path, make: Callable[[Path], ThreadingHTTPServer] = make) -> str:
            Path("secret.txt").write_text(_SECRET)
            Path("reports").mkdir(exist_ok=True)
            with _served(careless_server(folder) if BROKEN in os.environ else make(folder)) as port:
                answer, content = ask(port, path, method, **headers)
            if _SECRET.encode() in content or b"root:" in content:
                return "a file outside is given"
            if name.startswith("foreign Origin"):
                policy = answer.headers.get("Cross-Origin-Resource-Policy")
                open_to = answer.headers.get("Access-Control-Allow-Origin")
                return "" if policy == "same-origin" and not open_to else "open to other sites"
            return "" if answer.status >= 400 else f"answered {answer.status}"


for _name, _path, _method, _headers in (
    ("foreign Host", "/", "GET", {"Host": "evil.example"}),
    ("foreign Host with a port", "/", "GET", {"Host": "evil.example:80"}),
    ("Host like our own", "/", "GET", {"Host": "localhost.evil.example"}),
    ("foreign Origin", "/", "GET", {"Origin": "http://evil.example"}),
    ("path ../", "/../secret.txt", "GET", {}),
    ("path %2e%2e/", "/%2e%2e/secret.txt", "GET", {}),
    ("path to /etc/passwd", "//../../../../../../../etc/passwd", "GET", {}),
    ("POST", "/", "POST", {"Content-Length": "0"}),
):
    server_case(_name, _path, _method, **_headers)
