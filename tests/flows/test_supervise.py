"""A supervised command ends with the process that started it, children and all."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from places import ROOT

SUPERVISE = str(ROOT / "flows/supervise.py")
FAMILY = "import subprocess, sys; subprocess.run(['sleep', '60'])"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def start(*command):
    return subprocess.Popen([sys.executable, SUPERVISE, *command], stdin=subprocess.PIPE)


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


@pytest.mark.parametrize("end", ["pipe closed", "terminated"])
def test_children_of_the_command_end_too(end):
    supervisor = start(sys.executable, "-c", FAMILY)
    family = descendants(supervisor, 2)
    if end == "pipe closed":
        supervisor.stdin.close()
    else:
        supervisor.terminate()
    supervisor.wait()
    assert psutil.wait_procs(family, timeout=20)[1] == []


def test_a_command_that_ignores_sigterm_is_killed_when_its_starter_is():
    script = (
        "import subprocess, sys\n"
        f"command = [sys.executable, {SUPERVISE!r}, sys.executable, '-c', {STUBBORN!r}]\n"
        "subprocess.Popen(command, stdin=subprocess.PIPE).wait()\n"
    )
    starter = subprocess.Popen([sys.executable, "-c", script])
    family = descendants(starter, 2)
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    assert psutil.wait_procs(family, timeout=30)[1] == []
