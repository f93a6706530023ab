"""kills: what runs is killed at random moments; the next plain run gives a quiet run's bytes.

python benchmarks/kills.py --kills 20

Works on copies of the project in a scratch folder, with a DVC cache of their own: the workspace is
not touched. Two undisturbed runs come first: what differs between them (measured times, run ids)
varies by nature, is listed, and is not compared. Then, for each kill, a run starts from nothing,
alternately `dvc repro` and the flow; at a random moment one process of it, or all, is killed or
asked to end; then one plain run, of the other kind, must succeed and give the same bytes.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "flows"))

from claim import publish  # noqa: E402  flows/ is a folder of scripts
from copies import make_copy  # noqa: E402

RUNS = {
    "dvc repro": [sys.executable, "-m", "dvc", "repro"],
    "flow": [sys.executable, str(ROOT / "flows/retrain.py")],
}
VICTIMS = ("the starter, killed", "the starter, asked", "one process, killed", "all, killed")
_ORPHANS_SECONDS = 30.0


@dataclass(frozen=True)
class Kill:
    """One kill and what became of it."""

    run: str
    victim: str
    after_s: float
    interrupted: bool  # False: the run had ended by then
    left_behind: int  # processes of the killed run that were still there half a minute later
    recovered: bool
    mismatches: tuple[str, ...]


class Workspace:
    """A copy of the project that can be put back to its beginning."""

    def __init__(self, project: Path, scratch: Path, overrides: list[str]) -> None:
        self._project, self._overrides = project, overrides
        self.folder, self._cache = scratch / "project", scratch / "cache"

    def reset(self) -> None:
        """As after a clone: no outputs, no cache."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self._cache, ignore_errors=True)
        make_copy(self._project, self.folder, self._overrides, self._cache)

    def start(self, run: str) -> "subprocess.Popen[bytes]":
        """Start a run in the background."""
        log = (self.folder.parent / "run.log").open("ab")
        environment = os.environ | {
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        return subprocess.Popen(RUNS[run], cwd=self.folder, env=environment, stdout=log, stderr=log)

    def finish(self, run: str) -> bool:
        """Run to the end; whether it ended well."""
        return self.start(run).wait() == 0

    def hashes(self) -> dict[str, str]:
        """What the stages wrote -> its hash, by DVC's record, once DVC finds the files to match."""
        status = [sys.executable, "-m", "dvc", "status", "--json"]
        done = subprocess.run(status, cwd=self.folder, capture_output=True, text=True, check=True)
        changed = json.loads(done.stdout)
        lock = yaml.safe_load((self.folder / "dvc.lock").read_text(encoding="utf-8"))
        return {
            out["path"]: "changed" if stage in changed else out["md5"]
            for stage, found in lock["stages"].items()
            for out in found.get("outs", [])
        }


def kill_once(
    work: Workspace, expected: dict[str, str], run: str, seconds: float, rng: random.Random
) -> Kill:
    """One run from nothing, killed at a random moment of `seconds`, then one plain run."""
    work.reset()
    victim, after = rng.choice(VICTIMS), rng.uniform(0.0, seconds)
    child = work.start(run)
    time.sleep(after)
    interrupted = child.poll() is None
    family = _family(child.pid)
    _strike(victim, family, rng)
    _, alive = psutil.wait_procs(family, timeout=_ORPHANS_SECONDS)
    for process in alive:  # counted, and not left to disturb what is measured next
        process.kill()
    child.wait()
    other = next(name for name in RUNS if name != run)
    recovered = work.finish(other)
    found = work.hashes() if recovered else {}
    wrong = tuple(path for path, md5 in expected.items() if found.get(path) != md5)
    return Kill(run, victim, round(after, 1), interrupted, len(alive), recovered, wrong)


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _strike(victim: str, family: list[psutil.Process], rng: random.Random) -> None:
    if not family:
        return
    chosen = {
        "the starter, killed": family[:1],
        "the starter, asked": family[:1],
        "one process, killed": [rng.choice(family)],
        "all, killed": family,
    }[victim]
    for process in chosen:
        try:
            process.send_signal(signal.SIGTERM if victim.endswith("asked") else signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue


def measure(project: Path, overrides: list[str], kills: int, seed: int) -> dict[str, object]:
    """Two undisturbed runs, then `kills` disturbed ones."""
    rng = random.Random(seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as scratch:
        work = Workspace(project, Path(scratch), overrides)
        quiet, seconds = [], {}
        for run in RUNS:
            work.reset()
            began = time.monotonic()
            if not work.finish(run):
                sys.exit((Path(scratch) / "run.log").read_text(encoding="utf-8")[-2000:])
            seconds[run] = time.monotonic() - began
            quiet.append(work.hashes())
        stable = {path: md5 for path, md5 in quiet[0].items() if quiet[1].get(path) == md5}
        done = []
        for i in range(kills):
            run = list(RUNS)[i % 2]
            done.append(kill_once(work, stable, run, seconds[run], rng))
            print(_line(i, done[-1]), flush=True)
    return {
        "kills": len(done),
        "interrupted": sum(kill.interrupted for kill in done),
        "recovered": sum(kill.recovered for kill in done),
        "mismatches": sum(len(kill.mismatches) for kill in done),
        "left_behind": sum(kill.left_behind for kill in done),
        "compared": sorted(stable),
        "vary_by_nature": sorted(set(quiet[0]) - set(stable)),
        "each": [asdict(kill) for kill in done],
    }


def _line(i: int, kill: Kill) -> str:
    end = "same bytes" if kill.recovered and not kill.mismatches else f"WRONG: {kill.mismatches}"
    left = f", {kill.left_behind} process(es) left behind" if kill.left_behind else ""
    when = f"after {kill.after_s:6.1f} s" if kill.interrupted else "after its end "
    return f"{i + 1:3}  {kill.run:9}  {when}  {kill.victim:20}  {end}{left}"


def main() -> None:
    """Print one line a kill; write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=ROOT)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    asked = parser.parse_args()
    figures = measure(asked.project.resolve(), asked.set, asked.kills, asked.seed)
    publish("kills", figures)
    sys.exit(0 if figures["recovered"] == asked.kills and not figures["mismatches"] else 1)


if __name__ == "__main__":
    main()
