"""process: a stage's `main(clips: Path, ...)` -> its command line, with one-line errors.

And what C++ libraries write to file descriptor 2, without their chatter: TensorFlow and LiteRT
announce themselves there, most of it where TF_CPP_MIN_LOG_LEVEL does not reach, and MP3's decoder
complains of each damaged frame. What they cannot do becomes an exception.
"""

import argparse
import errno
import inspect
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pocketear.base.errors import PocketearError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LONGEST = 4000  # characters of a message
DEBUG = "POCKETEAR_DEBUG"  # any value: show the traceback of an expected error too


def run(main: Callable[..., None]) -> None:
    """Call `main` with one `--option PATH` for each of its parameters, and exit.

    Exit status: 0 done, 1 refused with one line on standard error, 130 interrupted.
    """
    parser = argparse.ArgumentParser(description=inspect.getdoc(main))
    for name in inspect.signature(main).parameters:
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True, metavar="PATH")
    guard(lambda: main(**vars(parser.parse_args())), debug=DEBUG in os.environ)


def guard(action: Callable[[], None], *, debug: bool = False) -> None:
    """Run `action`; an expected error becomes one line and exit status 1."""
    try:
        action()
    except (PocketearError, OSError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        print(f"error: {_one_line(_wording(error))}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept", file=sys.stderr)
        sys.exit(130)


def _one_line(text: str) -> str:
    """A message as one line of a bearable length, whatever name or value it repeats."""
    plain = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_LONGEST])
    return plain if len(text) <= _LONGEST else f"{plain}… ({len(text):,} characters in all)"


def _wording(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        where = error.filename or Path.cwd()
        return f"{where}: {error.strerror}; free some space and run it again: nothing is lost"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    if isinstance(error, MemoryError):
        return "out of memory: use fewer workers or shorter clips"
    return str(error)


# Abseil's information, warnings and errors, LiteRT's and mpg123's; never a fatal line.
_CHATTER = re.compile(
    rb"[IWE]\d{4} \d\d:\d\d:\S+ +\d+ \S+:\d+\] "
    rb"|WARNING: All log messages before absl::InitializeLog"
    rb"|INFO: Created TensorFlow Lite "
    rb"|\[src/libmpg123/|Warning: Xing stream size off "
)


def drop_chatter() -> None:
    """From here on, lines of chatter written to file descriptor 2 itself are left out.

    sys.stderr goes past this, straight to where it went: tracebacks, errors and progress bars are
    never touched. A process of its own reads the rest, so that the last words of one that aborts
    arrive too. Call it before any thread is started.
    """
    straight, (reading, writing) = os.dup(2), os.pipe()
    sys.stderr.flush()
    if os.fork() == 0:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends when its last writer does
        for inherited in {0, 1, 2, writing} - {reading, straight}:
            os.close(inherited)
        _forward(reading, straight)
        os._exit(0)
    os.dup2(writing, 2)
    os.close(writing)
    os.close(reading)
    sys.stderr = os.fdopen(straight, "w", 1, sys.stderr.encoding, sys.stderr.errors)


def _forward(reading: int, to: int) -> None:
    rest = b""
    while piece := os.read(reading, 1 << 16):
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if not _CHATTER.match(line):
                os.write(to, line + b"\n")
    os.write(to, rest)
