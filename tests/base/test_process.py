import subprocess
import sys
from pathlib import Path

import pytest

from pocketear.base import process
from pocketear.base.errors import DataError

CODE = """
from pathlib import Path
from pocketear.base import process
from pocketear.base.errors import DataError
def main(clips: Path, wanted_out: Path) -> None:
    '''Say what is read.'''
    if not clips.exists(): raise DataError(f"{clips}: not found; copy it")
    print(wanted_out.read_text())
process.run(main)
"""


def stage(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, check=False
    )


def test_an_expected_error_is_one_line_and_a_status(tmp_path: Path) -> None:
    done = stage("--clips", str(tmp_path / "none"), "--wanted-out", "x")
    assert done.returncode == 1
    assert done.stderr == f"error: {tmp_path}/none: not found; copy it\n"


def test_an_error_of_the_disk_names_the_file(tmp_path: Path) -> None:
    done = stage("--clips", str(tmp_path), "--wanted-out", str(tmp_path / "gone"))
    assert done.stderr == f"error: {tmp_path}/gone: No such file or directory\n"


def test_help_says_what_the_stage_does() -> None:
    done = stage("--help")
    assert done.returncode == 0
    assert "Say what is read." in done.stdout
    assert "--wanted-out PATH" in done.stdout


def test_a_bug_keeps_its_traceback() -> None:
    code = "from pocketear.base import process\nprocess.guard(lambda: 1 / 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ZeroDivisionError" in done.stderr
    assert done.returncode == 1


def test_a_full_disk_says_what_to_do(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from pocketear.base import process\n"
        "process.guard(lambda: Path('/dev/full').write_text('x'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"error: {tmp_path}: No space left on device; "
        "free some space and run it again: nothing is lost\n"
    )


def test_a_message_is_one_line_of_bearable_length_whatever_it_repeats(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A name in it may hold line ends, and escape codes of a terminal."""

    def refuse() -> None:
        raise DataError("a\nerror: all is well\x1b]0;title\x07\u202e" + "x" * 1_000_000)

    with pytest.raises(SystemExit):
        process.guard(refuse)
    printed = capsys.readouterr().err
    (line,) = printed.splitlines()
    assert line.startswith(r"error: a\nerror: all is well\x1b]0;title\x07\u202ex")
    assert line.endswith("(1,000,031 characters in all)")
    assert len(line) < 5000
