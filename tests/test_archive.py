import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from pocketear.archive import read_folder, read_zip, replacing, write_zip
from pocketear.errors import PackagingError


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


def test_a_kill_leaves_the_last_good_file(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("good")
    code = (
        "import sys, time; from pathlib import Path; from pocketear.archive import replacing\n"
        "with replacing(Path(sys.argv[1])) as fresh:\n"
        "    fresh.write_text('half'); print('writing', flush=True); time.sleep(60)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")], stdout=subprocess.PIPE
    )
    assert writer.stdout
    writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    assert (tmp_path / "out").read_text() == "good"
