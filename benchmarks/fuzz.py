"""fuzz: real files with random changes, to each reader of others' files; held of tried.

nice python benchmarks/fuzz.py [--cases 2000] [--only WORD]

A case holds if the file is read, or refused by one short line of pocketear's. It falls by any other
exception, by a crash, after 20 s, or beyond 3 GiB of address space. Each target runs in a process
of its own; one that dies goes on behind the case. Cases are the same in each run.
"""

import argparse
import os
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from claim import publish
from pocketear.base.arrays import Waveform
from project import ROOT

sys.path.insert(0, str(ROOT / "tests/helpers"))

_SECONDS, _MEMORY = 20, 3 << 30


@dataclass(frozen=True)
class Target:
    """A reader. seeds: file name -> content that is changed; errors: those that refuse"""

    seeds: dict[str, bytes]
    read: Callable[[Path], object]
    errors: tuple[type[Exception], ...]


def targets(folder: Path) -> dict[str, Target]:
    """What reads files of others, by name. folder: empty"""
    import zipfile

    from mutations import recordings, zipped_card
    from pocketear.base.errors import ClipError, ParamsError, RunnerError
    from pocketear.base.yaml_text import read_yaml
    from pocketear.data.decoding.isolated import decode_isolated
    from pocketear.data.decoding.untrusted import stream_untrusted
    from pocketear.params import load_params
    from pocketear.runtimes.card import read_card

    params = {"params.yaml": (ROOT / "params.yaml").read_bytes()}
    sounds = recordings(folder)
    plain = {name: sounds[name] for name in ("pcm.wav", "float.wav", "a.aiff", "a.flac")}
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    cards = {f"{method}.tflite": zipped_card(folder, method) for method in methods}
    return {
        "YAML": Target(params, lambda path: read_yaml(_text(path), "x.yaml"), (ValueError,)),
        "params.yaml": Target(params, load_params, (ParamsError,)),
        "model card": Target(cards, read_card, (RunnerError,)),
        "plain recording, in process": Target(plain, _all_of(stream_untrusted), (ClipError,)),
        "recording, apart": Target(
            sounds, lambda path: decode_isolated(path, 0, 0, 16_000), (ClipError,)
        ),
    }


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _all_of(stream: Callable[[Path, int, int], Iterator[Waveform]]) -> Callable[[Path], object]:
    return lambda path: sum(map(len, stream(path, 16_000, 1 << 18)))


def attempt(target: Target, number: int, path: Path) -> str:
    """How case `number` ends: `read`, `refused`, `decoder died`, or what fell."""
    from mutations import mutated

    rng = random.Random(number)  # noqa: S311  the same in each run
    name = rng.choice(sorted(target.seeds))
    file = path / name
    # "card" is at the end of a model
    head = len(target.seeds[name]) if name.endswith(".tflite") else 400
    file.write_bytes(mutated(target.seeds[name], rng, head))
    signal.alarm(_SECONDS)
    try:
        target.read(file)
    except target.errors as error:
        if "\n" in str(error) or len(str(error)) > 8000:
            return f"no short line: {str(error)[:200]!r}"
        return "decoder died" if "its decoder crashed" in str(error) else "refused"
    except Exception as error:  # noqa: BLE001  any other is what is looked for
        return f"{type(error).__name__}: {str(error)[:200]}"
    finally:
        signal.alarm(0)
    return "read"


def run(target: Target, cases: int, folder: Path) -> tuple[Counter[str], dict[str, str]]:
    """Try the cases of a target. returns: outcomes counted, and what fell by its number"""
    counts: Counter[str] = Counter()
    fell: dict[str, str] = {}
    log = folder / "outcomes"
    number = 0
    while number < cases:
        child = os.fork()
        if not child:
            _in_child(target, range(number, cases), folder, log)
        _, status = os.waitpid(child, 0)
        ended = log.read_text(encoding="utf-8").splitlines()
        for line in ended:
            outcome = line if line in ("read", "refused", "decoder died") else "fell"
            counts[outcome] += 1
            if outcome == "fell":
                fell[str(number)] = line
            number += 1
        if code := os.waitstatus_to_exitcode(status):
            counts["fell"] += 1
            fell[str(number)] = f"the process ended: {code}"
            number += 1
    return counts, fell


def _in_child(target: Target, numbers: range, folder: Path, log: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders complain of what is damaged
    with log.open("w", encoding="utf-8", buffering=1) as outcomes:
        for number in numbers:
            print(attempt(target, number, folder).replace("\n", " "), file=outcomes)
    os._exit(0)


def main() -> None:
    """Print the table, write the figures; exit status 1 where one fell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="a target (default: %(default)s)")
    parser.add_argument("--only", default="", help="targets with this in their name")
    asked = parser.parse_args()
    figures: dict[str, dict[str, int]] = {}
    all_fell: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as seeds:
        for name, target in targets(Path(seeds)).items():
            if asked.only not in name:
                continue
            with tempfile.TemporaryDirectory() as folder:
                counts, fell = run(target, asked.cases, Path(folder))
            figures[name] = dict(counts)
            all_fell |= {name: fell} if fell else {}
            print(f"{name:30} {dict(counts)} {list(fell.items())[:3]}", flush=True)
    if not asked.only:
        tried = sum(sum(counts.values()) for counts in figures.values())
        held = tried - sum(map(len, all_fell.values()))
        publish("fuzz", {"tried": tried, "held": held, "targets": figures, "fell": all_fell})
    sys.exit(1 if all_fell else 0)


if __name__ == "__main__":
    main()
