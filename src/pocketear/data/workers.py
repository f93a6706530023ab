"""workers: where pure functions of a clip are called: in this process, or on a Dask cluster.

The address of a cluster is the variable that Dask itself reads, not a parameter: where a function
is called changes no byte. A worker needs neither a clone nor a shared disk; files and arrays go
over the wire, and what is kept is kept by the caller. `distributed` is imported only where an
address is set.
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from pocketear.base.addresses import redacted
from pocketear.base.errors import ClipError, ClusterError
from pocketear.base.fingerprint import fingerprint

ADDRESS = "DASK_SCHEDULER_ADDRESS"
_LIBRARIES = ("numpy", "scipy", "librosa", "soundfile", "soxr", "av")
_ANSWER_SECONDS = 10
_LOOK_SECONDS = 2.0
_ALONE_SECONDS = 30.0  # a cluster may be without a worker for as long: one that died comes back
_ONE_AT_A_TIME = Lock()  # ast.parse fails in two threads of Python 3.11 (python/cpython#106905)

Result = TypeVar("Result")


class Here:
    """This process: a call is a call."""

    threads: int | None = None  # as many as it has processors

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function of this package."""
        return function(*arguments)

    def on_file(self, function: Callable[..., Result], path: Path, *arguments: Any) -> Result:
        """Call a function whose first argument is a file."""
        return function(path, *arguments)


class Cluster:
    """A Dask cluster. Each of `threads` callers has one call in flight, so memory is bounded."""

    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, redacted(address)
        self._fingerprint = _own()
        self.threads = 2 * sum(client.nthreads().values())  # one computes, one is on the wire

    def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call a function of this package on a worker. Its errors are raised here.

        raises: ClusterError if the workers have other code or libraries, or all are gone
        """
        submitted = self._client.submit(
            checked, self._fingerprint, function, *arguments, pure=False
        )
        result: Result = self._result(submitted)
        return result

    def on_file(self, function: Callable[..., Result], path: Path, *arguments: Any) -> Result:
        """`call`, where the worker sees a copy of the file."""
        try:
            content = path.read_bytes()
        except OSError:
            return function(path, *arguments)  # which knows what to say about it
        result: Result = self.call(with_copy, function, path, content, *arguments)
        return result

    def _result(self, submitted: Any) -> Any:
        from concurrent.futures import CancelledError

        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker

        alone = 0.0
        while alone < _ALONE_SECONDS:
            try:
                return submitted.result(timeout=_LOOK_SECONDS)
            except TimeoutError:
                alone = 0.0 if self._has_workers() else alone + _LOOK_SECONDS
            except UnboundLocalError:  # dask/distributed#8514: a time-out just as a worker dies
                if submitted.status == "error":
                    raise
            except (CancelledError, CommClosedError) as error:
                raise self._broken("the scheduler is gone") from error
            except KilledWorker as error:
                what = "a clip ended several workers; have they memory enough, and pocketear?"
                raise self._broken(what) from error
        raise self._broken(  # one that cannot import this package ends at its first clip
            f"all workers are gone; start one (`dask worker {self._address}`) where pocketear is"
        )

    def _has_workers(self) -> bool:
        try:
            return bool(self._client.nthreads())
        except OSError as error:
            raise self._broken("the scheduler is gone") from error

    def _broken(self, what: str) -> ClusterError:
        return ClusterError(
            f"{self._address}: {what}; fix that and run this again (what was done is kept), "
            f"or unset {ADDRESS} to do without"
        )


def _own() -> str:
    """What all that is ever sent to a worker is a function of."""
    with _ONE_AT_A_TIME:
        return fingerprint("stages/featurize.py", _LIBRARIES)


@contextmanager
def open_workers() -> Iterator[Here | Cluster]:
    """Dask's workers where DASK_SCHEDULER_ADDRESS is set, else this process.

    raises: ClusterError if no scheduler answers, or it has no worker
    """
    address = os.environ.get(ADDRESS)
    if not address:
        yield Here()
        return
    with _connected(address) as client:
        yield Cluster(client, address)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise ClusterError(
            f"{ADDRESS} is set, but Dask is not installed; `uv sync --extra cluster`, "
            "or unset it to do without"
        ) from error
    try:
        client = Client(address, timeout=_ANSWER_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"{redacted(address)}: no Dask scheduler answers there within {_ANSWER_SECONDS} s; "
            f"start one (`dask scheduler`), correct {ADDRESS}, or unset it to do without"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_ALONE_SECONDS)
        except TimeoutError as error:
            shown = redacted(address)
            raise ClusterError(
                f"{shown}: the scheduler has no worker; start one (`dask worker {shown}`)"
            ) from error
        yield client


def checked(expected: str, function: Callable[..., Result], *arguments: Any) -> Result:
    """Call a function on a worker, unless it would make other bytes than here.

    raises: ClusterError if the code or a library differs
    """
    if _own() != expected:
        mine, yours = _own().split(), expected.split()
        differ = [f"{a} (here {b})" for a, b in zip(mine[1:], yours[1:], strict=True) if a != b]
        if mine[0] != yours[0]:
            differ.insert(0, "another version of pocketear")
        raise ClusterError(
            f"a Dask worker has {', '.join(differ)}, and would make other bytes; "
            "start the workers with this commit's code and uv.lock"
        )
    _use_one_blas_thread()
    return function(*arguments)


@cache
def _use_one_blas_thread() -> None:
    """As the stages do (stages/__init__): the rounding of a product depends on their number."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


def with_copy(
    function: Callable[..., Result], path: Path, content: bytes, *arguments: Any
) -> Result:
    """Call a function with a copy of a file from another machine, errors naming the original."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(content)
        try:
            return function(copy, *arguments)
        except ClipError as error:
            raise ClipError(str(error).replace(str(copy), str(path))) from None
