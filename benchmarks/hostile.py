"""hostile: inputs and calls made to do harm, on the real commands and servers; held of tried.

nice python benchmarks/hostile.py [--only WORD] [--broken]

Each case has a folder of its own, and holds if nothing is run, written outside, leaked or used up,
and what is refused is one line. Recordings are decoded by `ingest` with two good clips beside them,
which must be taken. Servers are on loopback, `make serve` (Prefect, MLflow) among them. --broken:
the same cases, kind by kind, on a copy of the source without that kind's checks, with commands
given to a shell and a careless server, to see that they can fall; exit status 1 where none of a
kind does, and nothing is written.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from claim import publish
from hostile_broken import BROKEN, WITHOUT, broken_copy, check_imports
from project import ROOT

sys.path.insert(0, str(ROOT / "tests/helpers"))


def try_all(only: str, at_once: int) -> dict[str, dict[str, str]]:
    """Case -> its kind and how it ended: `held`, or what fell."""
    from hostile_cases import CASES
    from hostile_serve import KIND, serving

    kinds = {os.environ[BROKEN]} if BROKEN in os.environ else set(WITHOUT)
    names = [
        name for name, (kind, _) in CASES.items() if kind in kinds and only in f"{kind} {name}"
    ]
    done: dict[str, dict[str, str]] = {}
    called = any(CASES[name][0] == KIND for name in names)
    with (
        serving() if called else contextlib.nullcontext(),
        ProcessPoolExecutor(at_once, get_context("fork")) as pool,
    ):
        for name, fell in zip(names, pool.map(try_one, names), strict=True):
            kind = CASES[name][0]
            done[name] = {"kind": kind, "outcome": fell or "held"}
            print(f"{kind:11} {name:46} {fell[:120] or 'held'}", flush=True)
    return done


def try_one(name: str) -> str:
    """Try a case in a folder of its own. returns: what fell, or \"\""""
    from hostile_cases import CASES

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "outside/of/it/case")  # what climbs out of it is removed too
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "params.yaml", folder)
        try:
            with contextlib.chdir(folder):
                return CASES[name][1](folder)
        except Exception as error:  # noqa: BLE001  what a case does not expect has fallen
            return f"{type(error).__name__}: {str(error)[:200]}"


def _try_broken(kind: str) -> int:
    """Try a kind's cases on a copy without its checks. returns: 1 where each of them held"""
    with tempfile.TemporaryDirectory() as scratch:
        source = broken_copy(Path(scratch), kind)
        check_imports(source, kind)
        environment = {**os.environ, BROKEN: kind, "PYTHONPATH": str(source)}
        given = [word for word in sys.argv[1:] if word != "--broken"]
        words = [sys.executable, __file__, *given]
        return subprocess.run(words, env=environment, check=False).returncode


def main() -> None:
    """Print the table, write the figures; exit status 1 where one fell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases with this in their kind or name")
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--at-once", type=int, default=1, help="cases (default: %(default)s)")
    asked = parser.parse_args()
    if asked.broken:
        sys.exit(max(map(_try_broken, WITHOUT)))
    each = try_all(asked.only, asked.at_once)
    fell = [name for name, one in each.items() if one["outcome"] != "held"]
    if BROKEN in os.environ:
        still = [name for name in each if name not in fell]
        print(f"{os.environ[BROKEN]}: {len(fell)} of {len(each)} fell; {', '.join(still)}\n")
        sys.exit(1 if each and not fell else 0)
    held = len(each) - len(fell)
    print(f"{held} of {len(each)} held")
    if not asked.only:
        kinds = dict(Counter(one["kind"] for one in each.values()))
        publish(
            "hostile",
            {"tried": len(each), "held": held, "fell": fell, "kinds": kinds, "each": each},
        )
    sys.exit(1 if fell else 0)


if __name__ == "__main__":
    main()
