"""command: a stage's `main(clips: Path, ...)` -> its command line, with one-line errors."""

import argparse
import errno
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from pocketear.base.errors import PocketearError

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
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
        print(f"error: {_line(error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept", file=sys.stderr)
        sys.exit(130)


def _line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno in _DISK_FULL:
        where = error.filename or Path.cwd()
        return f"{where}: {error.strerror}; free some space and run it again: nothing is lost"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    if isinstance(error, MemoryError):
        return "out of memory: use fewer workers or shorter clips"
    return str(error)
