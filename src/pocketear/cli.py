"""cli: `pocketear COMMAND …`. Nothing heavy is imported before a command needs it."""

import argparse
import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pocketear.base.process import DEBUG, drop_chatter, guard

if TYPE_CHECKING:
    from pocketear.params import Params

Arguments = argparse.Namespace
Option = tuple[tuple[str, ...], dict[str, Any]]
_EPILOGUE = """\
The pipeline itself is DVC's: `dvc repro` makes everything, `make run` sets up first.

examples:
  pocketear predict recording.m4a
  pocketear listen night.wav
  pocketear summary
"""


@dataclass(frozen=True)
class Command:
    """One command: what it does, examples, what runs it, and what it takes."""

    help: str
    examples: tuple[str, ...]
    run: Callable[[Arguments], None]
    options: tuple[Option, ...] = ()


def main(argv: list[str] | None = None) -> None:
    """Run one command, and exit: 0 done, 1 refused with one line, 2 wrong usage."""
    arguments = make_parser().parse_args(argv)
    debug = arguments.debug or DEBUG in os.environ
    if not debug:
        drop_chatter()
    guard(lambda: _run(arguments), debug=debug)


def _run(arguments: Arguments) -> None:
    try:
        COMMANDS[arguments.command].run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def make_parser() -> argparse.ArgumentParser:
    """The command line, every command with its examples."""
    raw = argparse.RawDescriptionHelpFormatter
    about = "From a folder of sounds to gated Android and iOS packages."
    parser = argparse.ArgumentParser(
        "pocketear", description=about, epilog=_EPILOGUE, formatter_class=raw
    )
    debug = "show the traceback of an error"
    parser.add_argument("--debug", action="store_true", help=debug)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        examples = "\n".join(f"  {example}" for example in command.examples)
        one = commands.add_parser(
            name,
            help=command.help,
            description=command.help[0].upper() + command.help[1:] + ".",
            epilog=f"examples:\n{examples}",
            formatter_class=raw,
        )
        for names, settings in command.options:
            one.add_argument(*names, **settings)
        one.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=debug)
    return parser


def notify(arguments: Arguments) -> None:
    """Run `pocketear notify`: Prefect's side of the project is in flows/, which this calls."""
    import subprocess

    script = Path("flows/notify.py")
    if not script.exists():
        raise FileNotFoundError(errno.ENOENT, "not found; run this in the project's folder", script)
    sys.exit(subprocess.run([sys.executable, script], check=False).returncode)


def _params() -> "Params":
    """params.yaml, read before anything that takes long: most errors are there."""
    from pocketear.params import load_params

    return load_params()


def option(*names: str, **settings: Any) -> Option:
    """What `ArgumentParser.add_argument` takes."""
    return names, settings


def predict(arguments: Arguments) -> None:
    """Run `pocketear predict`."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads take time to start, and idle
    from pocketear.apps import predict as predicting

    if not predicting.run(arguments.files, arguments.model, as_json=arguments.json):
        sys.exit(1)


def listen(arguments: Arguments) -> None:
    """Run `pocketear listen`."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from pocketear.apps import listen as listening

    listening.run(arguments.file, arguments.model, as_json=arguments.json)


def evaluate(arguments: Arguments) -> None:
    """Run `pocketear evaluate`."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from pocketear.apps import evaluate as evaluating

    renaming = evaluating.Renaming(arguments.other, dict(arguments.map))
    evaluating.run(
        arguments.sounds, arguments.model, arguments.out, renaming, as_json=arguments.json
    )


def label_errors(arguments: Arguments) -> None:
    """Run `pocketear label-errors`."""
    from pocketear.apps import label_errors as finding

    finding.run(Path("reports"), arguments.out)


def report(arguments: Arguments) -> None:
    """Run `pocketear report`."""
    params = _params()
    from pocketear.base.errors import DataError
    from pocketear.base.files import replacing
    from pocketear.report import markdown, page
    from pocketear.report.findings import read_findings

    found = read_findings(Path("reports"), Path("data/features"), params)
    if arguments.markdown:
        before = arguments.against and read_findings(arguments.against, None, params)
        if before and not before.metrics:
            raise DataError(f"{arguments.against}: holds no metrics.json; give a folder of reports")
        print(markdown.text(found, before), end="")
        return
    with replacing(Path("reports/report.html")) as fresh:
        fresh.write_text(page.render(found), encoding="utf-8")
    print("reports/report.html")


def summary(arguments: Arguments) -> None:
    """Run `pocketear summary`."""
    from pocketear.report import summary as summing

    print(summing.text(Path()))
    if summing.refused(Path()):
        sys.exit(1)


def explain(arguments: Arguments) -> None:
    """Run `pocketear explain`."""
    params = _params()
    import shutil

    from pocketear.report import explain as explaining
    from pocketear.report.findings import read_findings

    found = read_findings(Path("reports"), Path("data/features"), params)
    print(explaining.text(found, arguments.gate, shutil.get_terminal_size().columns))


def suggest(arguments: Arguments) -> None:
    """Run `pocketear suggest`."""
    params = _params()
    from pocketear.apps import suggest as suggesting

    suggesting.run(params, write=arguments.write)


def search(arguments: Arguments) -> None:
    """Run `pocketear search`."""
    params = _params()
    from pocketear.base.errors import ParamsError
    from pocketear.experiments import search as searching
    from pocketear.experiments import search_results as results

    phone, out = arguments.phone, Path("reports/search")
    if phone not in params.gate.budgets:
        known = ", ".join(params.gate.budgets)
        raise ParamsError(f"--phone {phone}: gate.budgets in params.yaml has {known}")
    plan = searching.Plan(arguments.trials, arguments.folds, phone, arguments.storage)
    trials = searching.search(params, Path("data/features"), plan)
    budget = params.gate.budgets[phone].max_instructions
    if trials:
        results.write(trials, budget, out)
    print(results.text(trials, budget, out))


def demo(arguments: Arguments) -> None:
    """Run `pocketear demo`."""
    from pocketear.apps.default_model import shipped_model
    from pocketear.apps.demo import server

    server.run(arguments.model or shipped_model(), arguments.port)


def doctor(arguments: Arguments) -> None:
    """Run `pocketear doctor`."""
    from pocketear.apps import doctor as examining

    if not examining.run():
        sys.exit(1)


def models(arguments: Arguments) -> None:
    """Run `pocketear models`."""
    params = _params()
    from pocketear.experiments import promotion

    print(promotion.render_models(promotion.models(params)))


def compare(arguments: Arguments) -> None:
    """Run `pocketear compare`."""
    params = _params()
    from pocketear.experiments import promotion

    found = promotion.compare(params, arguments.first, arguments.second)
    print(promotion.render_comparison(found))


def promote(arguments: Arguments) -> None:
    """Run `pocketear promote`."""
    params = _params()
    from pocketear.experiments import promotion

    made = promotion.promote(params, arguments.version, arguments.override)
    print(f"{made.name} version {made.version} is the champion")


def rollback(arguments: Arguments) -> None:
    """Run `pocketear rollback`."""
    params = _params()
    from pocketear.experiments import promotion

    made, folder = promotion.rollback(params)
    print(f"{made.name} version {made.version} is the champion again; its files are in {folder}")


def _renaming(text: str) -> tuple[str, str]:
    """FOUND=LABEL, of --map."""
    found, _, label = text.rpartition("=")
    if not found or not label:
        raise argparse.ArgumentTypeError(f"want FOUND=LABEL, got {text!r}")
    return found, label


def _count(text: str) -> int:
    return _at_least(text, 1)


def _folds(text: str) -> int:
    return _at_least(text, 2)


def _at_least(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"want {least} or more, got {text!r}")
    return int(text)


_MODEL = option(
    "--model", type=Path, metavar="PATH", help="a .tflite (default: the one that ships)"
)
_JSON = option("--json", action="store_true", help="print JSON")

COMMANDS = {
    "predict": Command(
        "classify sound files with the model that ships, and say when each label sounds",
        (
            "pocketear predict baby.wav memo.m4a",
            "pocketear predict --json night.flac > night.json",
            "pocketear predict --model models/litert/cry_laugh_fp32.tflite clips/*.ogg",
        ),
        predict,
        (
            option("files", nargs="+", type=Path, metavar="FILE", help="any format, any rate"),
            _MODEL,
            _JSON,
        ),
    ),
    "listen": Command(
        "print the events that a phone would report in a long recording or a live stream",
        (
            "pocketear listen night.wav",
            "pocketear listen --json night.flac > events.jsonl",
            "pocketear listen - < night.s16    # raw PCM: 16-bit, mono, at the model's sample rate",
            "arecord -q -t raw -f S16_LE -c 1 -r 16000 | pocketear listen -    # a microphone",
        ),
        listen,
        (option("file", metavar="FILE|-", help="a sound file, or - for raw PCM"), _MODEL, _JSON),
    ),
    "evaluate": Command(
        "judge the model that ships on labelled sounds that it never saw, on a page and as JSON",
        (
            "pocketear evaluate ~/recordings          # a folder for each label",
            "pocketear evaluate ~/recordings/clips.csv --out judged",
            "pocketear evaluate downloaded --map crying_baby=cry --other dog rain clock_tick",
            "pocketear evaluate ~/recordings --model ../other/models/litert/cry_laugh_int8.tflite",
        ),
        evaluate,
        (
            option(
                "sounds",
                type=Path,
                metavar="FOLDER|TABLE",
                help="LABEL/clip.wav or LABEL/GROUP/clip.wav, or a table: path, label, group …",
            ),
            _MODEL,
            option(
                "--out",
                type=Path,
                default=Path("unseen"),
                metavar="DIR",
                help="where evaluation.html, evaluation.json and clips.csv go (default: unseen)",
            ),
            option(
                "--other",
                nargs="+",
                action="extend",
                default=[],
                metavar="LABEL",
                help="labels of the sounds that are background to the model",
            ),
            option(
                "--map",
                nargs="+",
                action="extend",
                default=[],
                metavar="FOUND=LABEL",
                type=_renaming,
                help="labels of the sounds that the model has by another name",
            ),
            _JSON,
        ),
    ),
    "label-errors": Command(
        "list the clips whose label is probably wrong, by scores of models that never saw them",
        ("pocketear label-errors", "pocketear label-errors --out reports/suspects.csv"),
        label_errors,
        (
            option(
                "--out",
                type=Path,
                default=Path("reports/suspects.csv"),
                metavar="TABLE",
                help="(default: %(default)s)",
            ),
        ),
    ),
    "suggest": Command(
        "say which window, hop and sample rate fit the clips, and why, before anything is trained",
        (
            "pocketear suggest            # after `dvc repro validate`",
            "pocketear suggest --write    # into params.yaml, whose comments stay",
        ),
        suggest,
        (option("--write", action="store_true", help="put them into params.yaml"),),
    ),
    "search": Command(
        "try recipes: which is most accurate on people it never saw at which cost on a phone",
        (
            "pocketear search --trials 20",
            "pocketear search --trials 20    # again: goes on where it stopped",
            "pocketear search --phone a76 --storage postgresql://host/studies",
        ),
        search,
        (
            option("--trials", type=_count, default=10, help="in this call (default: %(default)s)"),
            option("--folds", type=_folds, default=3, help="of groups (default: %(default)s)"),
            option("--phone", default="a53", help="a class of gate.budgets (default: %(default)s)"),
            option(
                "--storage",
                default="sqlite:///search.db",
                metavar="URL",
                help="Optuna's database; several processes may share it (default: %(default)s)",
            ),
        ),
    ),
    "demo": Command(
        "try the model that ships in a browser on this machine, by microphone or file",
        ("pocketear demo", "pocketear demo --port 9000"),
        demo,
        (
            _MODEL,
            option("--port", type=int, default=8765, help="0: any (default: %(default)s)"),
        ),
    ),
    "doctor": Command(
        "say in one page what is missing here: versions, remotes, servers, tools, locks, disk",
        ("pocketear doctor    # exit status 1 where something blocks work",),
        doctor,
    ),
    "summary": Command(
        "print the gates, the files made, and where to look", ("pocketear summary",), summary
    ),
    "explain": Command(
        "say why each gate failed in this run, and what to change, the likeliest cause first",
        (
            "pocketear explain",
            "pocketear explain litert_int8.miss_rate",
            "pocketear explain logits.max_rel",
        ),
        explain,
        (option("gate", nargs="?", default="", metavar="GATE", help="(default: all that failed)"),),
    ),
    "report": Command(
        "write the report page of what is in reports/, or print it for a pull request",
        (
            "pocketear report",
            "pocketear report --markdown > comment.md",
            "pocketear report --markdown --against ../main/reports",
        ),
        report,
        (
            option("--markdown", action="store_true", help="print the text of a pull request"),
            option("--against", type=Path, metavar="FOLDER", help="the reports to compare with"),
        ),
    ),
    "models": Command(
        "list the registered versions of the model, with verdict and aliases",
        ("pocketear models",),
        models,
    ),
    "compare": Command(
        "compare two versions on the clips that both were tested on",
        ("pocketear compare champion challenger", "pocketear compare 3 7"),
        compare,
        (
            option("first", metavar="A", help="a version's number or alias"),
            option("second", metavar="B", help="a version's number or alias"),
        ),
    ),
    "promote": Command(
        "make a version the champion, unless it is worse than today's on the same clips",
        ("pocketear promote", "pocketear promote 7"),
        promote,
        (
            option("version", nargs="?", default="challenger", help="(default: %(default)s)"),
            option("--override", default="", metavar="REASON", help="skip the comparison; logged"),
        ),
    ),
    "rollback": Command(
        "make the champion before this one champion again, and fetch its files",
        ("pocketear rollback",),
        rollback,
    ),
    "notify": Command(
        "notify Prefect that data or parameters changed, so that it runs the pipeline",
        ("pocketear notify",),
        notify,
    ),
}


if __name__ == "__main__":
    main()
