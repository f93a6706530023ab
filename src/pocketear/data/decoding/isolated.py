"""isolated: `decode_clip` and `stream_waveform` in processes that may die, for files of strangers.

A decoder that crashes, takes too much memory or does not end costs one clip with a reason. The
processes live on from clip to clip and import nothing of the stage that calls them. JSON and bare
samples come back, never a pickle, which a process that was taken over could fill with code.
"""

import atexit
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pocketear.base.arrays import Waveform
from pocketear.base.errors import ClipError, DataError
from pocketear.data.decoding.audio import stream_waveform
from pocketear.data.decoding.measure import decode_clip
from pocketear.data.decoding.recording import Part

_MEMORY = 2 << 30  # bytes of address space of one process, where the system keeps such a limit
_SECONDS = 300.0  # for a clip, or the next piece of a stream; 75 s for an hour of 8 x 192 kHz
_START_SECONDS = 60.0  # until a process has imported what it needs: 0.3 s where a core is free
_END_SECONDS = 5.0  # for a process to end by itself
_SOURCES = str(Path(__file__).parents[2])

Answer = tuple[dict[str, Any], bytes]  # JSON and bare samples; `more` in it: others come behind


class _CrashError(ClipError):
    """The process died of a file."""


class _Decoder:
    """One process that decodes clip after clip."""

    def __init__(self) -> None:
        """raises: DataError if it does not start"""
        self._connection, theirs = Pipe()
        paths = [_SOURCES, *filter(None, [os.environ.get("PYTHONPATH")])]
        command = [sys.executable, "-P", "-m", "pocketear.data.decoding.isolated"]
        with theirs:
            self.process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": ":".join(paths), "OPENBLAS_NUM_THREADS": "1"},
            )
        with suppress(EOFError, OSError):
            if self._connection.poll(_START_SECONDS) and self._connection.recv_bytes():
                return
        raise DataError(
            f"the process that decodes sounds does not start ({_status(self.kill())}); "
            f"see what `{sys.executable} -c 'import pocketear.data.decoding.isolated'` says"
        )

    def ask(self, kind: str, path: Path, *request: float) -> Iterator[Answer]:
        """What the function of `_ANSWERS` says. Not taken to its end, the process is no more.

        raises: ClipError if it takes too long or crashes; then the process is no more
        """
        try:
            # absolute, but no link resolved: the folder may be another one than when it started
            named = os.path.abspath(path)  # noqa: PTH100
            self._connection.send_bytes(json.dumps([kind, _SECONDS, named, *request]).encode())
            while self._connection.poll(_SECONDS):
                answer = json.loads(self._connection.recv_bytes())
                yield answer, self._connection.recv_bytes()
                if not answer.get("more"):
                    return
        except (EOFError, OSError):
            how = _status(self.kill())
            raise _CrashError(
                f"{path}: its decoder crashed ({how}); convert it to WAV or FLAC, or remove it"
            ) from None
        except BaseException:
            self.kill()
            raise
        self.kill()
        raise ClipError(
            f"{path}: not decoded within {_SECONDS:g} s; cut it into parts, or remove it"
        )

    def kill(self) -> int:
        """End it, if it does not end now. returns: its exit status, as subprocess has it"""
        self._connection.close()
        try:
            return self.process.wait(0.1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def end(self) -> None:
        """Have it end by itself."""
        self._connection.close()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


_idle: list[_Decoder] = []
os.register_at_fork(after_in_child=_idle.clear)


def decode_isolated(
    path: Path, start: float, end: float, sample_rate: int
) -> tuple[NDArray[np.int16], dict[str, Any]]:
    """`decode_clip` in another process. Callable from several threads, each has its own.

    raises: ClipError as it does, and if the process crashes or takes too long; DataError if none
        starts
    """
    [(answer, samples)] = _asked("clip", path, start, end, sample_rate)
    return np.frombuffer(samples, "<i2"), answer["measured"]


def stream_isolated(path: Path, sample_rate: int, block: int, longest: float) -> Iterator[Waveform]:
    """`stream_waveform` in another process, which waits where its pieces are not taken.

    raises: as `decode_isolated`
    """
    for _, samples in _asked("stream", path, sample_rate, block, longest):
        yield np.frombuffer(samples, "<f4")


def _asked(kind: str, path: Path, *request: float) -> Iterator[Answer]:
    """A file is to blame for a crash only in a fresh process: an earlier one may have done it."""
    try:
        used = _idle.pop()
    except IndexError:
        used = None
    done = 0
    if used:
        with suppress(_CrashError):
            for answer in _ask(used, kind, path, *request):
                done += 1
                yield answer
            return
    yield from islice(_ask(_Decoder(), kind, path, *request), done, None)


def _ask(decoder: _Decoder, kind: str, path: Path, *request: float) -> Iterator[Answer]:
    """raises: ClipError also where the process could not decode the file"""
    error = None
    for answer, samples in decoder.ask(kind, path, *request):
        error = answer.get("error")
        if error is None:
            yield answer, samples
    _idle.append(decoder)  # only once nothing more comes of it, error or not
    if error is not None:
        raise ClipError(f"{path}: {error}")


@atexit.register
def end_all() -> None:
    """End the processes that wait for a next clip."""
    while _idle:
        _idle.pop().end()


def _status(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def _serve(connection: Connection) -> None:
    """What the process does until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other end decides
    _limit(resource.RLIMIT_AS, _MEMORY)
    _limit(resource.RLIMIT_CORE, 0)
    connection.send_bytes(b"ready")
    with suppress(EOFError, ConnectionError):
        while True:
            kind, seconds, *request = json.loads(connection.recv_bytes())
            answers = _answers(_ANSWERS[kind], *request)
            signal.alarm(int(seconds + _END_SECONDS))  # also where the other end is dead
            for answer, samples in answers:
                signal.alarm(0)  # who listens to a stream may take its time
                connection.send_bytes(json.dumps(answer).encode())
                connection.send_bytes(samples)
                signal.alarm(int(seconds + _END_SECONDS))
            signal.alarm(0)


def _answers(decode: Callable[..., Iterator[Answer]], path: str, *request: Any) -> Iterator[Answer]:
    """What `decode` gives; last, if it fails, the error without the path before it."""
    try:
        yield from decode(Path(path), *request)
    except ClipError as error:
        yield {"error": str(error).removeprefix(f"{path}: ")}, b""
    except MemoryError:
        yield {"error": f"needs more than {_MEMORY >> 30} GiB to decode; cut it into parts"}, b""


def _clip(path: Path, start: float, end: float, sample_rate: int) -> Iterator[Answer]:
    samples, measured = decode_clip(path, start, end, sample_rate)
    yield {"measured": measured}, samples.tobytes()


def _stream(path: Path, sample_rate: int, block: int, longest: float) -> Iterator[Answer]:
    for piece in stream_waveform(path, sample_rate, block, Part(longest=longest)):
        yield {"more": True}, piece.astype("<f4", copy=False).tobytes()
    yield {}, b""


_ANSWERS = {"clip": _clip, "stream": _stream}


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with suppress(ValueError, OSError):  # macOS has no limit of address space
        resource.setrlimit(what, (lowest, lowest))


if __name__ == "__main__":
    _serve(Connection(int(sys.argv[1])))
