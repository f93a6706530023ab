import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pocketear.base.archive import read_folder, read_zip, write_zip
from pocketear.base.errors import PackagingError
from pocketear.base.files import remove_older, replacing


def test_a_zip_is_the_same_bytes_whenever_it_is_made(tmp_path: Path) -> None:
    files = {"b.txt": b"two", "a/ä.bin": bytes(1000)}
    write_zip(tmp_path / "one.zip", files)
    time.sleep(2.1)  # a zip's clock ticks every two seconds
    write_zip(tmp_path / "two.zip", dict(reversed(files.items())))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert read_zip(tmp_path / "one.zip") == files


def test_stored_files_can_be_mapped_into_memory(tmp_path: Path) -> None:
    model = bytes(range(256)) * 40
    write_zip(tmp_path / "x.aar", {"assets/m.tflite": model}, stored=["assets/m.tflite"])
    assert model in (tmp_path / "x.aar").read_bytes()


@pytest.mark.parametrize("name", ["../evil", "/etc/passwd", "a/../../b", "..\\evil", "C:\\x"])
def test_a_zip_that_would_write_outside_is_refused(tmp_path: Path, name: str) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as bad:
        bad.writestr(name, b"x")
    with pytest.raises(PackagingError, match="outside"):
        read_zip(tmp_path / "bad.zip")


def test_half_a_zip_is_one_clear_line(tmp_path: Path) -> None:
    write_zip(tmp_path / "x.zip", {"a": bytes(5000)})
    (tmp_path / "x.zip").write_bytes((tmp_path / "x.zip").read_bytes()[:40])
    with pytest.raises(PackagingError, match=r"x\.zip: not a whole zip"):
        read_zip(tmp_path / "x.zip")


def test_a_failure_leaves_the_last_good_folder(tmp_path: Path) -> None:
    with replacing(tmp_path / "out") as fresh:
        fresh.mkdir()
        (fresh / "x").write_text("good")
    with pytest.raises(RuntimeError), replacing(tmp_path / "out") as fresh:
        fresh.mkdir()
        (fresh / "x").write_text("half")
        raise RuntimeError
    assert read_folder(tmp_path / "out") == {"x": b"good"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


WRITER = (
    "import sys, time; from pathlib import Path; from pocketear.base.files import replacing\n"
    "with replacing(Path(sys.argv[1])) as fresh:\n"
    "    fresh.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
)


@contextmanager
def writing(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in the middle of writing `path`, killed at the end."""
    command = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        yield writer
        os.kill(writer.pid, signal.SIGKILL)


def test_a_kill_leaves_the_last_good_file_and_the_next_run_clears_up(tmp_path: Path) -> None:
    out = tmp_path / "o[u]t"
    out.write_text("good")
    with writing(out):
        pass
    assert out.read_text() == "good"
    assert len(list(tmp_path.iterdir())) == 2
    with replacing(out) as fresh:
        fresh.write_text("better")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["better"]


def test_a_kill_between_two_renames_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / ".out.x.tmp" / "old").mkdir(parents=True)
    (tmp_path / ".out.x.tmp" / "old" / "file").write_text("good")
    with pytest.raises(RuntimeError), replacing(tmp_path / "out"):
        raise RuntimeError
    assert read_folder(tmp_path) == {"out/file": b"good"}


def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    with writing(tmp_path / "out") as writer:
        with replacing(tmp_path / "out") as fresh:
            fresh.write_text("first")
        assert writer.poll() is None
        (half,) = tmp_path.glob(".out.*/out")
        assert half.read_text() == "half"


def test_only_what_nobody_wrote_for_long_is_removed(tmp_path: Path) -> None:
    for name in ("old.npz", "old/part", "new.npz", "new/part"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    long_ago = time.time() - 15 * 24 * 3600
    for name in ("old.npz", "old"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    remove_older(tmp_path, days=14)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "new.npz"]
    remove_older(tmp_path / "none", days=14)
