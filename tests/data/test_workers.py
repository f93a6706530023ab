"""Clips on a Dask cluster: the bytes of one machine, whatever becomes of the workers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from distributed import Client, LocalCluster
from threadpoolctl import threadpool_limits

from places import ROOT
from pocketear.base.errors import ClipError, ClusterError
from pocketear.data import workers
from pocketear.data.cache import waveform_cache
from pocketear.data.decoding.measure import decode_clip
from pocketear.data.workers import ADDRESS, open_workers
from pocketear.params import load_params
from pocketear.stages import featurize
from tables import clip_table

pytestmark = pytest.mark.slow
CLIPS = 120  # more than are in flight at once
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCluster]:
    """Two worker processes on loopback, each of which comes back when it dies."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as two:
        monkeypatch.setenv(ADDRESS, two.scheduler_address)
        yield two


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts `dask NAME …` as documented; whatever still runs ends with the test."""
    running: list[subprocess.Popen[str]] = []

    def one(*arguments: str, source: Path = ROOT / "src") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "dask", *arguments]
        environment = {**os.environ, "PYTHONPATH": str(source)}
        running.append(
            subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, text=True)
        )
        return running[-1]

    yield one
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def scheduler(start: Start, monkeypatch: pytest.MonkeyPatch) -> str:
    """A scheduler without workers. returns: its address"""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    start("scheduler", "--host", address, "--no-dashboard")
    monkeypatch.setenv(ADDRESS, address)
    return address


def start_worker(start: Start, scheduler: str, **options: Path) -> subprocess.Popen[str]:
    process = start("worker", scheduler, "--no-nanny", "--no-dashboard", **options)
    with Client(scheduler, timeout=30, set_as_default=False) as client:
        client.wait_for_workers(1, timeout=60)
    return process


def write_sounds(folder: Path, count: int) -> list[Path]:
    """Noise at three sample rates, mono and stereo, in two formats."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(count):
        path = folder / f"{'ab'[number % 2]}/{number}.{('wav', 'flac')[number % 3 == 0]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        rate = (8000, 16000, 44100)[number % 3]
        shape = (rate + 100 * number, 1 + number % 2)
        soundfile.write(path, rng.uniform(-0.5, 0.5, shape), rate)
        paths.append(path)
    return paths


def run(stage: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"pocketear.stages.{stage}", *arguments]
    return subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def content(*folders: str) -> dict[str, bytes]:
    paths = [path for folder in folders for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in paths}


def test_ingest_and_featurize_write_the_bytes_of_one_machine(
    project: Path, cluster: LocalCluster
) -> None:
    """As processes, broken files among the sounds: they are set aside for the same reasons."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["data"] |= {"source": "folder", "path": "sounds"}
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    paths = write_sounds(project / "sounds", 24)
    paths[3].write_bytes(b"not a sound")
    paths[4].write_bytes(paths[4].read_bytes()[:5000])
    paths[5].write_bytes(b"")

    made = []
    for address in ("", cluster.scheduler_address):
        shutil.rmtree(".pocketear", ignore_errors=True)
        done = run("ingest", "--out", "clips", **{ADDRESS: address})
        assert done.returncode == 0, done.stderr
        table = pd.read_parquet("clips/clips.parquet")
        assert table["error"].astype(bool).sum() == 3
        table[table["error"] == ""].assign(split="train").to_parquet("split.parquet")
        done = run("featurize", "--clips", "split.parquet", "--out", "out", **{ADDRESS: address})
        assert done.returncode == 0, done.stderr
        made.append(content("clips", "out"))
    assert len(made[0]) == 5
    assert made[0] == made[1]
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        asked = client.run(
            lambda: sys.modules["pocketear.base.fingerprint"].fingerprint.cache_info().misses
        )
    assert list(asked.values()) == [1, 1], "a worker computed nothing"


@pytest.fixture
def clips(project: Path) -> pd.DataFrame:
    """The table of `CLIPS` sounds."""
    table = clip_table({"a": CLIPS // 2, "b": CLIPS // 2}).assign(split="train")
    paths = write_sounds(project / "sounds", CLIPS)
    return table.assign(path=[str(path) for path in paths])


def computed(
    clips: pd.DataFrame, when_begun: Callable[[], None] = lambda: None, *, anew: bool = True
) -> list[bytes]:
    """Features of every clip; `when_begun` is called when a few are done."""
    if anew:
        shutil.rmtree(".pocketear", ignore_errors=True)
    params = load_params().frontend
    with threadpool_limits(1, user_api="blas"), open_workers() as opened:  # as a stage has it
        stream = featurize.compute(clips, waveform_cache(params.sample_rate), params, opened)
        first = [one.tobytes() for one in islice(stream, 5)]
        when_begun()
        return first + [one.tobytes() for one in stream]


def test_a_worker_that_is_killed_changes_nothing(
    clips, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = [nanny.pid for nanny in cluster.workers.values()]
    spread = computed(clips, lambda: os.kill(pids[0], signal.SIGKILL))
    monkeypatch.delenv(ADDRESS)
    assert spread == computed(clips)


def test_when_all_workers_are_gone_one_line_says_so_and_nothing_is_lost(
    clips, start: Start, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_ALONE_SECONDS", 4.0)
    monkeypatch.setattr(workers, "_LOOK_SECONDS", 1.0)
    worker = start_worker(start, scheduler)
    with pytest.raises(ClusterError, match=r"all workers are gone; start .*kept") as no:
        computed(clips, worker.kill)
    assert "\n" not in str(no.value)
    kept = featurize.feature_cache(load_params().frontend)._data.stat().st_size
    monkeypatch.delenv(ADDRESS)
    gone_on = computed(clips, anew=False)
    assert 0 < kept < sum(map(len, gone_on))
    assert gone_on == computed(clips)


def test_when_the_scheduler_is_gone_one_line_says_so(
    clips, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_LOOK_SECONDS", 1.0)
    with pytest.raises(ClusterError, match="run this again") as no:
        computed(clips, cluster.close)
    assert "\n" not in str(no.value)


def test_a_worker_with_other_code_is_refused(project: Path, start: Start, scheduler: str) -> None:
    shutil.copytree(ROOT / "src", project / "src")
    reference = project / "src/pocketear/frontend/librosa_features.py"
    reference.write_text(reference.read_text() + "CHANGED = True\n")
    start_worker(start, scheduler, source=project / "src")
    with (
        open_workers() as opened,
        pytest.raises(ClusterError, match="another version of pocketear"),
    ):
        opened.call(len, [1])


def test_errors_of_a_clip_name_the_clip(project: Path, cluster: LocalCluster) -> None:
    Path("bad.wav").write_bytes(b"not a sound")
    with open_workers() as opened:
        for path in (Path("bad.wav"), Path("none.wav")):
            with pytest.raises(ClipError) as here:
                decode_clip(path, 0, 0, 16_000)
            with pytest.raises(ClipError) as there:
                opened.on_file(decode_clip, path, 0, 0, 16_000)
            assert str(there.value) == str(here.value)


def test_an_address_where_nobody_answers_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_ANSWER_SECONDS", 1)
    shown = {
        "tcp://127.0.0.1:9": "tcp://127.0.0.1:9",
        "nonsense://x": "nonsense://x",
        "127.0.0.1:http": "…",  # no address: it may hold a secret
    }
    for address, name in shown.items():
        monkeypatch.setenv(ADDRESS, address)
        with (
            pytest.raises(ClusterError, match=f"^{name}: no Dask scheduler answers"),
            open_workers(),
        ):
            pass


def test_a_scheduler_without_workers_is_refused(
    scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_ALONE_SECONDS", 1)
    with pytest.raises(ClusterError, match="no worker; start one"), open_workers():
        pass


def test_dask_is_neither_needed_nor_loaded_without_an_address(project: Path) -> None:
    code = (
        "import sys; sys.modules['distributed'] = None; from pocketear.data import workers\n"
        "try:\n with workers.open_workers() as w: print(w.call(len, [1]))\n"
        "except workers.ClusterError as e: print(e)"
    )
    for address, printed in (("", "1"), ("tcp://x:1", "uv sync --extra cluster")):
        environment = {**os.environ, ADDRESS: address}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert printed in done.stdout
