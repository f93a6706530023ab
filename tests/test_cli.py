"""The command line as a user meets it: help, examples, errors, and the small commands."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pocketear.cli import COMMANDS, make_parser
from pocketear.runtimes.card import write_card
from reported_project import write_reported
from tiny_model import tiny_card, tiny_tflite

POCKETEAR = str(Path(sys.executable).with_name("pocketear"))


def pocketear(*arguments: object, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [POCKETEAR, *map(str, arguments)], input=stdin, capture_output=True, check=False
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys; from pocketear.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print([m for m in ('numpy', 'yaml', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    for name in COMMANDS:
        assert re.search(rf"^    {name}\b", done.stdout, re.M)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_command_that_parses(name: str) -> None:
    assert COMMANDS[name].examples
    for example in COMMANDS[name].examples:
        call = re.split(r"[<>#]", example.rpartition("| ")[2])[0]
        words = shlex.split(call)
        assert words[:2] == ["pocketear", name]
        assert make_parser().parse_args(words[1:]).command == name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_ends_with_its_examples(name: str) -> None:
    shown = pocketear(name, "--help")
    assert shown.returncode == 0
    assert shown.stdout.rstrip().endswith(COMMANDS[name].examples[-1])


@pytest.mark.parametrize("arguments", [[], ["lisen"], ["predict"], ["promote", "a", "b"]])
def test_wrong_usage(arguments: list[str]) -> None:
    done = pocketear(*arguments)
    assert done.returncode == 2
    assert "usage: pocketear" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [["predict", "a.wav"], ["listen", "a.wav"], ["models"], ["compare", "1", "2"], ["promote"],
     ["rollback"], ["report"], ["explain"], ["notify"], ["evaluate", "."]],
)  # fmt: skip
def test_outside_a_project_an_error_is_one_line(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = pocketear(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: \S+: .*not found.*project's folder.*\n", done.stderr)


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--debug", "models"] if place == "before" else ["models", "--debug"]
    done = pocketear(*words)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_reader_that_has_enough(project: Path) -> None:
    write_reported(project)
    done = subprocess.run(
        ["bash", "-c", f"{POCKETEAR} summary | head -1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.endswith("\n0\n")


@pytest.fixture
def model(project: Path) -> Path:
    path = project / "models/litert/cry_laugh_int8.tflite"
    path.parent.mkdir(parents=True)
    path.write_bytes(write_card(tiny_tflite(), tiny_card(thresholds=LOUD)))
    return path


LOUD = {"crying_baby": 0.5, "laughing": 0.5}
SOUND = (np.random.default_rng(0).normal(0, 0.3, 16_000 * 4).clip(-1, 1) * 32767).astype("<i2")


def test_a_file_and_the_same_pcm_give_the_same_events(model: Path) -> None:
    soundfile.write("night.wav", SOUND, 16_000)
    printed = pocketear("listen", "--json", "night.wav")
    live = pocketear("listen", "--json", "-", stdin=SOUND.tobytes() + b"\x00")
    assert (printed.returncode, live.returncode) == (0, 0)
    assert printed.stdout == live.stdout
    assert '"ended": true' in printed.stdout
    assert re.search(r"\d+ events in 4.0 s of sound, real-time factor 0\.\d+", printed.stderr)


def test_a_table_has_each_event_once(model: Path) -> None:
    soundfile.write("night.wav", SOUND, 16_000)
    rows = pocketear("listen", "night.wav").stdout.splitlines()
    ended = pocketear("listen", "--json", "night.wav").stdout.count('"ended": true')
    assert len(rows) == ended
    assert all(re.fullmatch(r" +[\d.]+ – +[\d.]+ s  \d\.\d\d  \w+", row) for row in rows)


def test_a_model_that_breaks_is_noted(model: Path) -> None:
    weights = np.random.default_rng(7).normal(0, 0.5, (3, 1_600)).astype("<f4")  # tiny_tflite's
    broken = np.full_like(weights, np.nan)
    model.write_bytes(model.read_bytes().replace(weights.tobytes(), broken.tobytes()))
    done = pocketear("listen", "-", stdin=SOUND.tobytes())
    assert (done.returncode, done.stdout) == (0, "")
    assert "79 windows ignored: samples or scores that are not finite numbers" in done.stderr


def test_a_wav_given_as_pcm_is_noticed(model: Path) -> None:
    soundfile.write("night.wav", SOUND, 16_000)
    done = pocketear("listen", "-", stdin=Path("night.wav").read_bytes())
    assert done.returncode == 1
    assert "give its name" in done.stderr


@pytest.mark.parametrize("name", ["missing.wav", "text.wav", "."])
def test_what_listen_cannot_read(model: Path, name: str) -> None:
    Path("text.wav").write_text("not sound")
    done = pocketear("listen", name)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.mark.slow
def test_the_summary_says_every_gate_and_where_to_look(project: Path) -> None:
    write_reported(project, skill=0.0)
    (project / "models/litert").mkdir(parents=True)
    (project / "models/litert/cry_laugh_int8.tflite").write_bytes(b"x" * 12_345)
    assert pocketear("report").stdout == "reports/report.html\n"
    done = pocketear("summary")
    printed = done.stdout
    assert done.returncode == 1, "so `make run` fails where a gate refuses"
    assert re.search(r"LiteRT int8: accuracy +≥ 80.0 % +\d+\.\d % +(pass|FAIL)", printed)
    assert "verdict: refused by" in printed
    assert re.search(r"models/litert/cry_laugh_int8.tflite +12.3 kB", printed)
    assert "reports/report.html" in printed


def test_gates_that_passed_alike_are_one_line_of_the_closest(project: Path) -> None:
    write_reported(project, skill=9.0)
    verdict = json.loads(Path("reports/verdict.json").read_text())
    named = {gate["name"]: gate for gate in verdict["gates"]}
    one, other = "litert_int8.accuracy", "coreml_fp16.accuracy"
    named[one] |= {"limit": 0.8, "value": 0.95, "passed": True}
    named[other] |= {"limit": 0.8, "value": 0.90, "passed": True}
    Path("reports/verdict.json").write_text(json.dumps(verdict))
    rows = [line for line in pocketear("summary").stdout.splitlines() if "accuracy" in line]
    assert re.match(r"accuracy, closest of 2: Core ML fp16 +≥ 80.0 % +90.0 % +pass", rows[0])
    named[one] |= {"value": 0.7, "passed": False}
    Path("reports/verdict.json").write_text(json.dumps(verdict))
    printed = pocketear("summary").stdout
    assert re.search(r"LiteRT int8: accuracy +≥ 80.0 % +70.0 % +FAIL", printed)
    assert re.search(r"Core ML fp16: accuracy +≥ 80.0 % +90.0 % +pass", printed)


def test_the_summary_of_a_run_that_stopped_early(project: Path) -> None:
    done = pocketear("summary")
    assert done.returncode == 0
    assert "no verdict" in done.stdout


@pytest.mark.slow
def test_the_text_of_a_pull_request(project: Path) -> None:
    write_reported(project, skill=2.0)
    shutil.copytree("reports", "main/reports")
    shutil.rmtree("reports")
    shutil.rmtree("data")
    write_reported(project, skill=9.0)
    printed = pocketear("report", "--markdown", "--against", "main/reports").stdout
    assert printed.startswith("### cry_laugh 0.1.0: accepted\n")
    row = next(line for line in printed.splitlines() if line.startswith("| LiteRT int8 (ships)"))
    assert re.search(r"\| 100.0 % \(\+\d+\.\d\) \|", row)
    assert "On the main branch: " in printed
    text, _, plots = printed.partition("<details>")
    assert {line.count("|") for line in text.splitlines() if line.startswith("|")} == {7}
    assert re.search(r"^\| laugh +\| 0 +\| 6 +\| 0 +\|$", plots, re.MULTILINE)
    assert "line [1, 0.5, 0.4]\n  line [1, 0.6, 0.7]\n```" in plots
    done = pocketear("report", "--markdown", "--against", "nowhere")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
