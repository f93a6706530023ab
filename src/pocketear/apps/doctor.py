"""doctor: one page of what a project needs on this machine, and what of it is missing.

Nothing is changed, nothing heavy is imported, and nothing is asked of a server but whether it
answers. No password of an address is shown.
"""

import configparser
import json
import os
import re
import shutil
import socket
import sqlite3
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from filelock import FileLock, Timeout

from pocketear.base.addresses import redacted
from pocketear.base.errors import PocketearError
from pocketear.base.loopback import LOOPBACK
from pocketear.base.tables import plain_table
from pocketear.params import load_params

_NAME = re.compile(r"[\w.-]+")
_GIB = 1 << 30
_LEAST_FREE = 2  # GiB: a run of the default set writes about one
_ANSWER_SECONDS = 3.0
# environment: what is at the address in it
_SERVERS = {
    "MLFLOW_TRACKING_URI": "MLflow",
    "PREFECT_API_URL": "Prefect",
    "DASK_SCHEDULER_ADDRESS": "Dask",
}
_PORTS = {
    4200: "make serve, Prefect",
    4201: "make serve, reports",
    5000: "make serve, MLflow",
    8765: "pocketear demo",
}
# program: what cannot be done without it, and how to get it
_TOOLS = {
    "git": ("runs, DVC", "install git"),
    "javac": ("package_android", "install a JDK 17, or run `make system-tools`"),
    "mvn": ("package_android", "install Maven, or run `make system-tools`"),
}
OK, NOTE, WRONG = "ok", "note", "WRONG"


@dataclass(frozen=True)
class Finding:
    """One line of the page. state: OK, NOTE, or WRONG where it blocks work"""

    about: str
    state: str
    found: str


def run() -> bool:
    """Print the page. returns: whether nothing blocks work"""
    found = [one for check in CHECKS for one in check()]
    print(plain_table(("about", "state", "found"), [(f.about, f.state, f.found) for f in found]))
    wrong = sum(one.state == WRONG for one in found)
    print(f"\n{wrong} of {len(found)} block work" if wrong else "\nnothing blocks work")
    return not wrong


def project() -> Iterator[Finding]:
    """Whether this folder is one, and its parameters and data."""
    here = Path.cwd()
    if not Path("dvc.yaml").is_file():
        yield Finding("project", WRONG, f"no dvc.yaml in {here}; go to the project's folder")
        return
    yield Finding("project", OK, str(here))
    if not Path(".git").exists():
        lost = "no Git repository, as in a zip download: DVC needs one; run `git init`, or clone"
        yield Finding("git", WRONG, f"{lost} the repository")
    try:
        data = load_params().data
    except PocketearError as error:
        yield Finding("params.yaml", WRONG, str(error))
        return
    yield Finding("params.yaml", OK, f"data.source {data.source}, data.path {data.path}")
    if not data.path.exists():
        lost = f"{data.path} is not there; `dvc pull` fetches what DVC tracks, or correct data.path"
        yield Finding("data", WRONG, lost)


def versions() -> Iterator[Finding]:
    """Python's and the libraries', against what the project asks for and what is locked."""
    yield Finding("python", OK, f"{sys.version.split()[0]} ({sys.executable})")
    locked: dict[str, set[str]] = {}
    with suppress(OSError, tomllib.TOMLDecodeError, KeyError):
        for one in tomllib.loads(Path("uv.lock").read_text(encoding="utf-8"))["package"]:
            locked.setdefault(one["name"], set()).add(one.get("version", ""))
    asked = [one for one in requires("pocketear") or () if "extra ==" not in one]
    missing, others = [], []
    for name in (_NAME.match(one)[0] for one in asked):  # type: ignore[index]
        try:
            there = version(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        if there not in locked.get(name, {there}):
            others.append(f"{name} {there}, locked {' or '.join(sorted(locked[name]))}")
    if missing:
        yield Finding("libraries", WRONG, f"no {', '.join(missing)}; run `make setup`")
    elif others:
        yield Finding("libraries", NOTE, f"{'; '.join(others)}; `make setup` makes them the same")
    else:
        yield Finding(
            "libraries", OK, f"{len(asked)}" + (", as uv.lock has them" if locked else "")
        )


def remotes() -> Iterator[Finding]:
    """DVC's remotes, and whether a folder that is one is there."""
    config = configparser.ConfigParser(interpolation=None)
    try:
        config.read([".dvc/config", ".dvc/config.local"], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        yield Finding("DVC", WRONG, f".dvc/config: {str(error).splitlines()[0]}; correct it")
        return
    named = [one for one in config.sections() if "remote" in one]
    if not named:
        yield Finding("DVC remote", NOTE, "none: data and outputs are on this machine only")
    for section in named:
        name, url = section.strip("'").removeprefix("remote ").strip('"'), config[section]["url"]
        folder = Path(".dvc", url).resolve()
        if "://" in url:
            yield Finding(f"DVC remote {name}", OK, f"{redacted(url)} (not asked)")
        elif folder.is_dir():
            yield Finding(f"DVC remote {name}", OK, str(folder))
        else:
            lost = f"{folder} is not there; mount it, or correct it: `dvc remote modify {name} url`"
            yield Finding(f"DVC remote {name}", WRONG, lost)


def caches() -> Iterator[Finding]:
    """Whether what is kept between runs can be written, and room for it."""
    for folder in (Path(".dvc/cache"), Path(".pocketear"), Path(tempfile.gettempdir())):
        there = next(one for one in (folder, *folder.parents) if one.exists())
        free = shutil.disk_usage(there).free / _GIB
        if not os.access(there, os.W_OK):
            yield Finding(str(folder), WRONG, "cannot be written; correct its permissions")
        elif free < _LEAST_FREE:
            lost = f"{free:.1f} GiB free, want {_LEAST_FREE}; delete old runs or `dvc gc -w`"
            yield Finding(str(folder), WRONG, lost)
        else:
            yield Finding(str(folder), OK, f"{free:.0f} GiB free")


def servers() -> Iterator[Finding]:
    """Whether those that the environment names answer, and MLflow's database without one."""
    for variable, name in _SERVERS.items():
        address = os.environ.get(variable, "")
        if not address:
            continue
        try:
            parts = urlsplit(address)
            place = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        except ValueError:
            place = (None, 0)
        if not place[0]:
            yield Finding(name, NOTE, f"{variable}: {redacted(address)} (not asked)")
            continue
        try:
            socket.create_connection((place[0], place[1]), _ANSWER_SECONDS).close()
        except OSError as error:
            why = f"{redacted(address)} does not answer ({error.strerror or error})"
            yield Finding(name, WRONG, f"{why}; start it, or correct {variable}")
        else:
            yield Finding(name, OK, f"{redacted(address)} answers")
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        yield _database(Path("mlflow.db"))


def _database(path: Path) -> Finding:
    if not path.is_file():
        return Finding("MLflow", OK, f"{path} is made at the first training")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            stages = [row[0] for row in database.execute("SELECT lifecycle_stage FROM experiments")]
            runs = database.execute("SELECT count(*) FROM runs").fetchone()[0]
    except sqlite3.Error as error:
        lost = f"{path}: {error}; move it aside: the next training makes another"
        return Finding("MLflow", WRONG, lost)
    more = f", {stages.count('deleted')} deleted" if "deleted" in stages else ""
    return Finding("MLflow", OK, f"{path}: {runs} runs, {len(stages)} experiments{more}")


def tools() -> Iterator[Finding]:
    """Programs that stages call."""
    for name, (what, how) in _TOOLS.items():
        path = shutil.which(name)
        lost = f"not found; {what} cannot run without it: {how}"
        yield Finding(name, OK, path) if path else Finding(name, WRONG, lost)


def ports() -> Iterator[Finding]:
    """Ports that commands listen at by default."""
    taken = []
    for port in _PORTS:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((LOOPBACK, port))
            except OSError:
                taken.append(f"{port} is taken ({_PORTS[port]}); give another or stop what has it")
    if taken:
        yield Finding("ports", NOTE, "; ".join(taken))
    else:
        yield Finding("ports", OK, f"{', '.join(map(str, _PORTS))} are free")


def locks() -> Iterator[Finding]:
    """Who works in this folder now; a lock ends with its process, but for DVC's."""
    held = []
    for path in sorted(Path(".pocketear").glob("*.lock")):
        try:
            with FileLock(path, timeout=0):
                pass
        except (Timeout, OSError):
            held.append(f"{path.stem} is running")
    entries: dict[str, object] = {}
    with suppress(OSError, ValueError):
        entries = json.loads(Path(".dvc/tmp/rwlock").read_text(encoding="utf-8"))
    owners = {int(one) for one in _owners(entries)}
    held += [f"DVC in process {one}" for one in sorted(owners) if psutil.pid_exists(one)]
    gone = [str(one) for one in sorted(owners) if not psutil.pid_exists(one)]
    if gone:
        lost = (
            f".dvc/tmp/rwlock names {', '.join(gone)}, which ended; DVC clears it at its next run"
        )
        yield Finding("locks", NOTE, lost)
    yield Finding("locks", NOTE if held else OK, "; ".join(held) or "nothing runs here")


def _owners(entries: object) -> Iterator[int]:
    """The processes that DVC's lock file names, wherever they stand in it."""
    if isinstance(entries, dict):
        if isinstance(entries.get("pid"), int):
            yield entries["pid"]
        for value in entries.values():
            yield from _owners(value)
    elif isinstance(entries, list):
        for value in entries:
            yield from _owners(value)


CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    project,
    versions,
    remotes,
    caches,
    servers,
    tools,
    ports,
    locks,
)
