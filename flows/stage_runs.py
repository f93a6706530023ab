"""stage_runs: DVC's stages as the flows see them: which there are, what waits for what, one run.

Everything is read from dvc.yaml through DVC; a stage is known by its name alone. Beside a stage,
`meta: {retries: 1, timeout_s: 600}` says what a flow may do about a failure.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import PipelineStage

LEASH = Path(__file__).with_name("leash.py")
_QUIET = {"PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "true"}


class StageError(Exception):
    """A stage did not end well; the message is its own last word."""


class PipelineError(Exception):
    """What was asked for cannot be run; one line."""


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml."""

    name: str
    after: tuple[str, ...]
    retries: int
    timeout_s: float | None


def read_stages(root: Path) -> list[Stage]:
    """The stages of dvc.yaml, each after those that it waits for.

    raises: PipelineError if DVC cannot read the project
    """
    try:
        with Repo(str(root)) as repo:
            graph = nx.subgraph_view(repo.index.graph, filter_node=lambda stage: bool(stage.cmd))
            order = [(stage, graph.successors(stage)) for stage in nx.dfs_postorder_nodes(graph)]
            return [_stage(stage, awaited) for stage, awaited in order]
    except DvcException as error:
        raise PipelineError(f"{root}: {error}".partition("\n")[0]) from error


def _stage(stage: PipelineStage, awaited: Iterator[PipelineStage]) -> Stage:
    meta = stage.meta or {}
    after = tuple(sorted(other.name for other in awaited))
    return Stage(stage.name, after, int(meta.get("retries", 0)), meta.get("timeout_s"))


def stage_that_makes(root: Path, path: Path) -> str:
    """The name of the stage that writes `path`.

    raises: PipelineError if none does
    """
    with Repo(str(root)) as repo:
        for out in repo.index.outs:
            if out.def_path == path.as_posix():
                return str(out.stage.name)
    raise PipelineError(f"{root}/dvc.yaml: no stage makes {path}")


class StageRuns:
    """Runs stages with DVC, several at once; `stop` ends all of them.

    environment: added to what the stages are run with
    """

    def __init__(self, root: Path, environment: Mapping[str, str] | None = None) -> None:
        self._root = root
        self._environment = dict(environment or {})
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False
        self._lock = threading.Lock()

    def up_to_date(self, name: str) -> bool:
        """Whether DVC finds nothing to do for a stage."""
        try:
            with self._lock, Repo(str(self._root)) as repo, repo.lock:
                return not repo.stage.load_one(name=name).changed()
        except DvcException:  # another dvc command holds the repository for a moment: let it decide
            return False

    def run(
        self,
        stage: Stage,
        tell: Callable[[str], None],
        *,
        force: bool = False,
        upstream: bool = False,
    ) -> bool:
        """`dvc repro` of one stage, its output told line by line; whether a command ran.

        upstream: and, before it, of every stage that it waits for

        raises: StageError with the last line that says why
        """
        options = ["--force"] * force + ["--single-item"] * (not upstream)
        child = self._start([sys.executable, "-m", "dvc", "repro", *options, stage.name])
        late = threading.Event()
        timer = threading.Timer(stage.timeout_s or threading.TIMEOUT_MAX, _let_go, (child, late))
        timer.daemon = True
        timer.start()
        lines: list[str] = []
        try:
            for line in child.stdout or ():
                if text := line.rstrip():
                    lines.append(text)
                    tell(text)
            status = child.wait()
        finally:
            timer.cancel()
            self._running.discard(child)
        if late.is_set():
            raise StageError(f"{stage.name}: ended after {stage.timeout_s} s, its time limit")
        if status:
            raise StageError(f"{stage.name}: {_reason(lines, status)}")
        return any(line.startswith("Running stage ") for line in lines)

    def stop(self) -> None:
        """End every stage that runs, and start none any more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for child in running:
            _let_go(child, threading.Event())
        for child in running:
            child.wait()

    def _start(self, command: list[str]) -> "subprocess.Popen[str]":
        with self._lock:
            if self._stopped:
                raise StageError("not started: the flow is ending")
            child = subprocess.Popen(
                [sys.executable, str(LEASH), *command],
                cwd=self._root,
                env=os.environ | _QUIET | self._environment | _path(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # a signal to the flow's group must not reach it first
            )
            self._running.add(child)
            return child


def _path() -> dict[str, str]:
    """Where a stage's `python` is found: beside ours."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def _let_go(child: "subprocess.Popen[str]", told: threading.Event) -> None:
    told.set()
    if child.stdin:
        child.stdin.close()  # the leash ends the whole group of the command


def _reason(lines: list[str], status: int) -> str:
    """What a person wants to read: the stage's own error line, else DVC's, else the last."""
    for start in ("error: ", "ERROR: "):
        told = [line for line in lines if line.startswith(start)]
        if told:
            return told[0].removeprefix(start)
    return lines[-1] if lines else f"ended with status {status}"
