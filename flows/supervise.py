"""supervise: run a command that ends when the process that started it does, for whatever reason.

`python supervise.py COMMAND …` runs COMMAND in a process group of its own until standard input
closes. The starter holds the other end of that pipe, and the system closes it even when the
starter is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading

_GRACE_SECONDS = 5.0  # between SIGTERM and SIGKILL


def main() -> int:
    """Run the command of sys.argv; its exit status, or 128 + the signal that ended it."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_with_starter, args=(child,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: _signal(child, signal.SIGTERM))
    status = child.wait()
    return status if status >= 0 else 128 - status


def _end_with_starter(child: "subprocess.Popen[bytes]") -> None:
    os.read(sys.stdin.fileno(), 1)  # returns only when the pipe closes: nobody writes to it
    _signal(child, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(_GRACE_SECONDS)
    _signal(child, signal.SIGKILL)  # and whatever is left of its group


def _signal(child: "subprocess.Popen[bytes]", number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main())
