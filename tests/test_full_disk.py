"""featurize on a file system that is full: one line, the last good state, then the same bytes."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from pocketear.base import process
from pocketear.data.clips import write_clips
from pocketear.stages import featurize
from tables import clip_table


@pytest.fixture
def disk(project):
    """A file system of 2 MB, as the project's folder `disk`."""
    place = project / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def clips(project):
    """Eight seconds of noise in eight files, and their table: 256 kB of samples."""
    table = clip_table({"a": 4, "b": 4}).assign(split=["train", "train", "val", "test"] * 2)
    rng = np.random.default_rng(0)
    for path in table["path"]:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.uniform(-0.5, 0.5, 16_000), 16_000)
    write_clips(table, project / "clips.parquet")
    return project / "clips.parquet"


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("full", ["outputs", "cache"])
def test_a_full_disk_costs_nothing_but_time(project, disk, clips, capsys, full):
    featurize.main(clips, project / "undisturbed")
    expected = bytes_of(project / "undisturbed")
    out = disk / "features"
    (out if full == "outputs" else disk / "cache").mkdir()
    if full == "outputs":
        (out / "last good").touch()
    else:
        out = project / "features"
        (project / ".pocketear").rename(project / "old")
        (project / ".pocketear").symlink_to(disk / "cache")
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize
    (disk / "filler").write_bytes(bytes(free - 100_000))

    with pytest.raises(SystemExit) as ended:
        process.guard(lambda: featurize.main(clips, out))
    assert ended.value.code == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "No space left on device; free some space and run it again" in error
    assert not out.exists() or bytes_of(out) == {"last good": b""}
    assert {path.name for path in out.parent.glob(".features*")} == set(), "nothing half made"

    (disk / "filler").unlink()
    featurize.main(clips, out)
    assert bytes_of(out) == expected
