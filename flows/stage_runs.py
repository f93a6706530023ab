"""stage_runs: DVC's stages as the flows see them: names, dependencies, and runs of one of them.

Everything is read from dvc.yaml through DVC. Beside a stage, `meta: {retries: 1, timeout_s: 600}`
says how a flow handles its failure.
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

SUPERVISE = Path(__file__).with_name("supervise.py")
_QUIET = {"PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "true"}


class StageError(Exception):
    """A stage failed; the message is one line that says why."""


class PipelineError(Exception):
    """The request cannot be carried out; one line."""


@dataclass(frozen=True)
class Stage:
    """One stage of dvc.yaml. after: the stages that it depends on."""

    name: str
    after: tuple[str, ...]
    retries: int
    timeout_s: float | None


def read_stages(root: Path) -> list[Stage]:
    """The stages of dvc.yaml, each after those that it depends on.

    raises: PipelineError if DVC cannot read the project
    """
    try:
        with Repo(str(root)) as repo:
            graph = nx.subgraph_view(repo.index.graph, filter_node=lambda stage: bool(stage.cmd))
            order = [(stage, graph.successors(stage)) for stage in nx.dfs_postorder_nodes(graph)]
            return [_stage(stage, upstream) for stage, upstream in order]
    except DvcException as error:
        raise PipelineError(f"{root}: {error}".partition("\n")[0]) from error


def _stage(stage: PipelineStage, upstream: Iterator[PipelineStage]) -> Stage:
    meta = stage.meta or {}
    after = tuple(sorted(other.name for other in upstream))
    return Stage(stage.name, after, int(meta.get("retries", 0)), meta.get("timeout_s"))


def stage_that_makes(root: Path, path: Path) -> str:
    """The name of the stage that writes `path`, or a folder that holds it.

    raises: PipelineError if none does
    """
    with Repo(str(root)) as repo:
        for out in repo.index.outs:
            if path.is_relative_to(out.def_path):
                return str(out.stage.name)
    raise PipelineError(f"{root}/dvc.yaml: no stage makes {path}")


class StageRuns:
    """Runs stages with DVC, several at once; `stop` ends all of them.

    environment: variables added to those of this process
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
                return not repo.stage.load_one(str(self._root / "dvc.yaml"), name).changed()
        except DvcException:  # another dvc command holds the repository's lock: `dvc repro` waits
            return False

    def run(
        self,
        stage: Stage,
        log: Callable[[str], None],
        *,
        force: bool = False,
        upstream: bool = False,
    ) -> bool:
        """`dvc repro` of one stage; whether a command ran.

        log: called with every line of its output
        upstream: also run every stage that it depends on, first

        raises: StageError with the line of its output that says why
        """
        options = ["--force"] * force + ["--single-item"] * (not upstream)
        child = self._start([sys.executable, "-m", "dvc", "repro", *options, stage.name])
        expired = threading.Event()
        timer = threading.Timer(stage.timeout_s or threading.TIMEOUT_MAX, _expire, (child, expired))
        timer.daemon = True
        timer.start()
        try:
            lines = _read_lines(child, log)
            status = child.wait()
        finally:
            timer.cancel()
            self._running.discard(child)
        if expired.is_set():
            raise StageError(f"{stage.name}: ended after {stage.timeout_s} s, its time limit")
        if status:
            raise StageError(f"{stage.name}: {_reason(lines, status)}")
        return any(line.startswith("Running stage ") for line in lines)

    def stop(self) -> None:
        """End every running stage, and refuse to start another."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for child in running:
            _end(child)
        for child in running:
            child.wait()

    def _start(self, command: list[str]) -> "subprocess.Popen[str]":
        with self._lock:
            if self._stopped:
                raise StageError("not started: the flow is ending")
            child = subprocess.Popen(
                [sys.executable, str(SUPERVISE), *command],
                cwd=self._root,
                env=os.environ | _QUIET | self._environment | _path() | _own_code(self._root),
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
    """A PATH on which a stage's `python` is this one."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def _own_code(root: Path) -> dict[str, str]:
    """A copy runs its own code: DVC has hashed that, not the project's."""
    source = root / "src"
    return {"PYTHONPATH": str(source.absolute())} if source.is_dir() else {}


def _read_lines(child: "subprocess.Popen[str]", log: Callable[[str], None]) -> list[str]:
    lines = []
    for line in child.stdout or ():
        if text := line.rstrip():
            lines.append(text)
            log(text)
    return lines


def _expire(child: "subprocess.Popen[str]", expired: threading.Event) -> None:
    expired.set()
    _end(child)


def _end(child: "subprocess.Popen[str]") -> None:
    if child.stdin:
        child.stdin.close()  # supervise.py then ends the command's whole group


def _reason(lines: list[str], status: int) -> str:
    """The line that explains a failure: the stage's own error line, else DVC's, else the last."""
    for prefix in ("error: ", "ERROR: "):
        matching = [line for line in lines if line.startswith(prefix)]
        if matching:
            return matching[0].removeprefix(prefix)
    return lines[-1] if lines else f"ended with status {status}"
