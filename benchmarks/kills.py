"""kills: runs are killed at random moments; the next plain run gives an undisturbed run's bytes.

nice python benchmarks/kills.py --kills 20

Works on a small copy of the project in a scratch folder with its own DVC cache: the workspace is
not touched. One undisturbed `dvc repro` comes first. Then, for each kill, one random stage is
undone (its outputs, DVC's record and cache of it, the caches outside DVC) and a run is started:
`dvc repro`, the flow as a script, or a deployment on `make serve`. At a random moment SIGKILL is
sent to the starter, the flow, the worker, the server, the stage, or all at once. Then one plain
run, of another kind, must succeed, after which DVC must find nothing to do and all files must equal
those of the undisturbed run.
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
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import yaml

from claim import publish
from small import small_copy, surroundings

PYTHON = sys.executable
RUNS = {
    "dvc repro": [PYTHON, "-m", "dvc", "repro"],
    "flow": [PYTHON, "flows/retrain.py"],
    "deployment": [PYTHON, "-m", "prefect", "deployment", "run", "retrain/on-demand", "--watch"],
}
CYCLE = (
    "dvc repro",
    "flow",
    "dvc repro",
    "flow",
    "deployment",
)  # of killed runs; the next kind in the cycle is the plain run that follows
ROLES = {  # of a process, by a part of its command line; the first match counts
    "pocketear.stages.": "stage",
    "prefect server": "server",
    "prefect.server": "server",
    "prefect worker": "worker",
    "dvc repro": "dvc",
    "prefect.engine": "flow",
    "flows/retrain.py": "flow",
}
_PORTS = {"prefect": 4310, "mlflow": 4311, "reports": 4312}
_API = {"PREFECT_API_URL": f"http://127.0.0.1:{_PORTS['prefect']}/api"}
_FIRST_GUESS_S = 60.0  # assumed duration of a run, until one has ended before its kill
_END_S = 120.0  # for the surviving processes to notice that the others are gone


@dataclass(frozen=True)
class Kill:
    """One kill and its outcome."""

    run: str
    undone: str
    victim: str
    after_s: float
    left_behind: int  # processes of the killed run that had to be ended by hand
    mended_by: str
    recovered: bool
    mismatches: tuple[str, ...]


class Workspace:
    """A copy of the project with its own cache."""

    def __init__(self, scratch: Path) -> None:
        self._folder, self._cache, self._log = scratch / "project", scratch / "cache", scratch
        small_copy(self._folder, self._cache)
        self.stages = list(yaml.safe_load((self._folder / "dvc.yaml").read_text())["stages"])

    def undo(self, stage: str) -> None:
        """Forget that a stage ever ran, as if it were new."""
        record = self._folder / "dvc.lock"
        lock = yaml.safe_load(record.read_text())
        for out in lock["stages"].pop(stage, {}).get("outs", []):
            path = self._folder / out["path"]
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        record.write_text(yaml.safe_dump(lock))
        shutil.rmtree(self._cache / "runs", ignore_errors=True)
        shutil.rmtree(self._folder / ".pocketear/cache", ignore_errors=True)
        self._call([PYTHON, "-m", "dvc", "gc", "--workspace", "--force", "--quiet"])

    @contextmanager
    def running(self, run: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A run in the background, and what it needs; all of it is stopped at the end."""
        if run == "deployment":
            ports = [f"--{name}-port={port}" for name, port in _PORTS.items()]
            served = self._start([PYTHON, "flows/serve.py", *ports])
            try:
                self._until_ready(served)
                yield self._start(RUNS[run], _API)
            finally:
                served.terminate()
                served.wait()
        else:
            yield self._start(RUNS[run])

    def finish(self, run: str) -> bool:
        """Run to the end. returns: whether it succeeded"""
        with self.running(run) as child:
            return child.wait() == 0

    def hashes(self) -> dict[str, str]:
        """Output -> its hash in dvc.lock, or `changed` where the files differ from it."""
        changed = json.loads(self._call([PYTHON, "-m", "dvc", "status", "--json"]))
        lock = yaml.safe_load((self._folder / "dvc.lock").read_text())
        return {
            out["path"]: "changed" if stage in changed else out["md5"]
            for stage, found in lock["stages"].items()
            for out in found.get("outs", [])
        }

    def last_words(self) -> str:
        """The end of the last log."""
        return (self._log / "run.log").read_text(errors="replace")[-2000:]

    def _start(
        self, command: list[str], more: dict[str, str] | None = None
    ) -> "subprocess.Popen[bytes]":
        environment = surroundings(self._folder) | (more or {})
        with (self._log / "run.log").open("ab") as log:
            return subprocess.Popen(
                command, cwd=self._folder, env=environment, stdout=log, stderr=log
            )

    def _until_ready(self, served: "subprocess.Popen[bytes]") -> None:
        before = (self._log / "run.log").read_text(errors="replace").count("Ctrl-C ends all")
        while (self._log / "run.log").read_text(errors="replace").count("Ctrl-C") == before:
            if served.poll() is not None:
                sys.exit(self.last_words())
            time.sleep(0.5)

    def _call(self, command: list[str]) -> str:
        return subprocess.run(
            command, cwd=self._folder, capture_output=True, text=True, check=True
        ).stdout


def kill_once(
    work: Workspace, expected: dict[str, str], run: str, follow_up: str, rng: random.Random
) -> Kill:
    """One run with a stage to do, killed at a random moment, then one plain run."""
    stage, longest, victim = rng.choice(work.stages), _FIRST_GUESS_S, ""
    while not victim:
        work.undo(stage)
        with work.running(run) as child:
            began, after = time.monotonic(), rng.uniform(0.0, longest)
            try:
                child.wait(after)
                longest = time.monotonic() - began  # it had ended: try again, sooner
                continue
            except subprocess.TimeoutExpired:
                family = _family(os.getpid())
                victim = _strike(family, rng)
            _wait(child)
    _, alive = psutil.wait_procs(family, timeout=_END_S)
    for process in alive:  # counted, and ended so that they do not disturb the next measurement
        process.kill()
    recovered = work.finish(follow_up)
    found = work.hashes() if recovered else {}
    wrong = tuple(path for path, md5 in expected.items() if found.get(path) != md5)
    return Kill(run, stage, victim, round(after, 1), len(alive), follow_up, recovered, wrong)


def _family(pid: int) -> list[psutil.Process]:
    return list(psutil.Process(pid).children(recursive=True))


def _strike(family: list[psutil.Process], rng: random.Random) -> str:
    """Kill all processes of one random role, or all. returns: the role"""
    by_role: dict[str, list[psutil.Process]] = {"all": family}
    for process in family:
        try:
            line = " ".join(process.cmdline())
        except psutil.Error:
            continue
        role = next((role for part, role in ROLES.items() if part in line), None)
        if role:
            by_role.setdefault(role, []).append(process)
    victim = rng.choice(sorted(by_role))
    for process in by_role[victim]:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    return victim


def _wait(child: "subprocess.Popen[bytes]") -> None:
    """Wait until it ends by itself; a client that watches a dead server never does."""
    try:
        child.wait(_END_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def measure(kills: int, seed: int, scratch: Path) -> dict[str, object]:
    """One undisturbed run, then `kills` disturbed ones."""
    rng = random.Random(seed)  # noqa: S311
    work = Workspace(scratch)
    if not work.finish("dvc repro"):
        sys.exit(work.last_words())
    expected, done = work.hashes(), []
    for i in range(kills):
        run, follow_up = CYCLE[i % len(CYCLE)], CYCLE[(i + 1) % len(CYCLE)]
        done.append(kill_once(work, expected, run, follow_up, rng))
        print(_line(i, done[-1]), flush=True)
        if not done[-1].recovered:
            print(work.last_words(), file=sys.stderr, flush=True)
    return {
        "kills": len(done),
        "recovered": sum(kill.recovered for kill in done),
        "mismatches": sum(len(kill.mismatches) for kill in done),
        "left_behind": sum(kill.left_behind for kill in done),
        "victims": dict(Counter(kill.victim for kill in done)),
        "compared": sorted(expected),
        "each": [asdict(kill) for kill in done],
    }


def _line(i: int, kill: Kill) -> str:
    end = "same bytes" if kill.recovered and not kill.mismatches else f"WRONG: {kill.mismatches}"
    left = f", {kill.left_behind} process(es) left behind" if kill.left_behind else ""
    return (
        f"{i + 1:3}  {kill.run:10} doing {kill.undone:15} after {kill.after_s:5.1f} s: "
        f"{kill.victim:6} killed; then {kill.mended_by:10} {end}{left}"
    )


def main() -> None:
    """Print one line per kill; write the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure(asked.kills, asked.seed, Path(scratch))
    publish("kills", figures)
    sys.exit(0 if figures["recovered"] == asked.kills and not figures["mismatches"] else 1)


if __name__ == "__main__":
    main()
