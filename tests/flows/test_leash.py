"""A command on a leash ends with whoever started it, children and all."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from .conftest import ROOT

LEASH = str(ROOT / "flows/leash.py")
FAMILY = "import subprocess, sys; subprocess.run(['sleep', '60'])"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def start(*command):
    return subprocess.Popen([sys.executable, LEASH, *command], stdin=subprocess.PIPE)


def descendants(process, count):
    """All processes below, once there are `count`."""
    until = time.monotonic() + 60
    while len(found := psutil.Process(process.pid).children(recursive=True)) < count:
        assert time.monotonic() < until
        time.sleep(0.05)
    return found


def test_the_exit_status_is_the_commands():
    assert start("sh", "-c", "exit 7").wait() == 7
    assert start("sh", "-c", "kill -9 $$").wait() == 128 + signal.SIGKILL


@pytest.mark.parametrize("end", ["let go", "terminated"])
def test_children_of_the_command_end_too(end):
    leash = start(sys.executable, "-c", FAMILY)
    family = descendants(leash, 2)
    if end == "let go":
        leash.stdin.close()
    else:
        leash.terminate()
    leash.wait()
    assert psutil.wait_procs(family, timeout=20)[1] == []


def test_a_command_that_will_not_end_is_killed_when_its_starter_is():
    script = (
        "import subprocess, sys\n"
        f"command = [sys.executable, {LEASH!r}, sys.executable, '-c', {STUBBORN!r}]\n"
        "subprocess.Popen(command, stdin=subprocess.PIPE).wait()\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", script])
    family = descendants(starter, 2)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    assert psutil.wait_procs(family, timeout=30)[1] == []
