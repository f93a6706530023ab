"""leash: run a command that ends when whoever started it lets go, whatever became of that one.

`python leash.py COMMAND …` runs COMMAND in a process group of its own until standard input closes:
the starter holds the other end of the pipe, and the system closes it even when that one is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

_GRACE_SECONDS = 5.0  # between asking and killing


def main() -> int:
    """Run the command of sys.argv; its exit status, or 128 + the signal that ended it."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_when_let_go, args=(child,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: _signal(child, signal.SIGTERM))
    status = child.wait()
    return status if status >= 0 else 128 - status


def _end_when_let_go(child: "subprocess.Popen[bytes]") -> None:
    os.read(sys.stdin.fileno(), 1)  # returns only at the end: nobody writes
    _signal(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_SECONDS)
    _signal(child, signal.SIGKILL)  # whatever is left of the group, too


def _signal(child: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main())
