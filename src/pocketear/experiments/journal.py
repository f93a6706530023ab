"""journal: what MLflow has not received of a run, on disk.

A journal is a folder: `events.jsonl`, one event a line, the artefacts that these log, and a lock
that the process of the run holds: if nobody does, that process ended or was killed.
"""

import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout
from pydantic import BaseModel, Field, ValidationError

from pocketear.base.errors import DataError

_EVENTS, _LOCK = "events.jsonl", "lock"


class DatasetUse(BaseModel, frozen=True, extra="forbid"):
    """What a run read. use: train | validation | test; digest: DVC's; profile: figures by name"""

    use: str
    name: str
    digest: str
    source: str
    columns: dict[str, str] = {}
    profile: dict[str, int | dict[str, int]] = {}


class Event(BaseModel, frozen=True, extra="forbid", ser_json_inf_nan="constants"):
    """Whatever is logged in a run at one time. A metric may be NaN, as a loss that diverges is.

    time: ms since 1970, now if not given; step: the epoch of the metrics
    artifact: a file, or a folder whose content is logged, below `into`
    status: of MLflow's, if the run ended with it
    """

    time: int = Field(default_factory=lambda: time.time_ns() // 1_000_000)
    tags: dict[str, str] = {}
    params: dict[str, str] = {}
    metrics: dict[str, float] = {}
    step: int = 0
    datasets: tuple[DatasetUse, ...] = ()
    artifact: Path | None = None
    into: str = ""
    status: str = ""


@dataclass(frozen=True)
class Journal:
    """One run's folder, whose name is unique, and the lock on it, which is held."""

    folder: Path
    lock: BaseFileLock

    @classmethod
    def create(cls, parent: Path) -> "Journal":
        """A new, empty journal below `parent`."""
        folder = parent / uuid.uuid4().hex
        folder.mkdir(parents=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire()
        (folder / _EVENTS).touch()  # only from here on does `left_behind` see it
        return cls(folder, lock)

    def append(self, event: Event) -> None:
        """Keep an event and a copy of its artefact; both survive a kill of this process."""
        if event.artifact:
            place = Path(uuid.uuid4().hex, event.artifact.name)
            (self.folder / place).parent.mkdir()
            if event.artifact.is_dir():
                shutil.copytree(event.artifact, self.folder / place)
            else:
                shutil.copyfile(event.artifact, self.folder / place)
            event = event.model_copy(update={"artifact": place})
        with (self.folder / _EVENTS).open("a", encoding="utf-8") as lines:
            lines.write(event.model_dump_json() + "\n")

    def events(self) -> list[Event]:
        """Every event kept, but for a last line that a kill cut short; artefacts are in `folder`.

        raises: DataError if another version of pocketear wrote them, or they are damaged
        """
        lines = (self.folder / _EVENTS).read_text(encoding="utf-8").split("\n")[:-1]
        try:
            return [Event.model_validate_json(line) for line in lines]
        except ValidationError as error:
            reason = "damaged, or written by another version of pocketear"
            raise DataError(f"{self.folder / _EVENTS}: {reason}") from error

    def discard(self) -> None:
        """Delete the journal: MLflow has all of it."""
        (self.folder / _EVENTS).unlink()
        shutil.rmtree(self.folder, ignore_errors=True)  # what stays, `left_behind` removes
        self.lock.release()


def left_behind(parent: Path) -> Iterator[Journal]:
    """The journals below `parent` that no living process writes, each locked while it is used.

    Other processes may create, send and delete journals meanwhile.
    """
    for file in parent.glob(f"*/{_EVENTS}"):
        try:
            with FileLock(file.with_name(_LOCK)).acquire(timeout=0) as lock:
                if file.exists():
                    yield Journal(file.parent, lock)
                else:  # sent just now; asking for its lock may have made its folder again
                    shutil.rmtree(file.parent, ignore_errors=True)
        except (Timeout, FileNotFoundError, FileExistsError):  # in use, or removed just now
            continue
