"""What a team keeps on other machines: MLflow on PostgreSQL, DVC's data on S3; real servers."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from judged_project import TFLITE, write_judged
from places import ROOT
from pocketear.contracts.report_file import read, write
from pocketear.contracts.verdict import Verdict
from pocketear.experiments import promotion, registry, runs
from pocketear.experiments.candidate import Candidate
from pocketear.experiments.client import connect, experiment_id
from pocketear.params import load_params
from ports import free_ports

pytest_plugins = ["tracked_project"]
pytestmark = pytest.mark.slow
ACCOUNT = "postgres"  # PostgreSQL refuses to run as root


class PostgreSQL:
    """A server of its own in a folder of its own."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_ports(1)[0]
        self.address = f"postgresql+psycopg2://{ACCOUNT}@127.0.0.1:{self.port}/postgres"
        programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
        found = programs[-1] if programs else shutil.which("pg_ctl")
        if not found:
            pytest.skip("no PostgreSQL (Debian: postgresql)")
        self._pg_ctl, self._user = str(found), ACCOUNT if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, self._user)
        self._run("initdb", "-o", f"--username={ACCOUNT} --auth=trust --no-sync")

    def start(self):
        self._run("start", "-w", "-o", f"-p {self.port} -h 127.0.0.1 -k {self.folder}")

    def stop(self):
        self._run("stop", "-m", "immediate")

    def _run(self, action, *options):
        data = ["-D", str(self.folder / "data"), "-l", str(self.folder / "log")]
        command = [self._pg_ctl, action, *(data if action == "start" else data[:2]), *options]
        subprocess.run(
            command, user=self._user, cwd=self.folder, check=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip


@pytest.fixture
def postgresql():
    """One that runs. Not below tmp_path, whose parents are the test's own user's alone."""
    with tempfile.TemporaryDirectory() as folder:
        server = PostgreSQL(Path(folder))
        server.start()
        yield server
        server.stop()


def test_postgresql_stops_during_a_training_and_nothing_of_its_run_is_lost(
    tracked, monkeypatch, capsys, postgresql
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgresql.address)
    with runs.training_run(load_params(), Path("data/split/clips.parquet")) as run:
        run.on_epoch(1, {"loss": 2.0})
        postgresql.stop()
        run.on_epoch(2, {"loss": 1.0})
    assert "training goes on" in capsys.readouterr().err
    postgresql.start()

    assert runs.send_pending() == 1
    with connect() as client:
        (sent,) = client.search_runs([experiment_id(client)])
        losses = client.get_metric_history(sent.info.run_id, "training/loss")
    assert sent.info.status == "FINISHED"
    assert [(point.step, point.value) for point in losses] == [(1, 2.0), (2, 1.0)]

    write_judged(tracked)
    registry.register(Candidate(Path("models"), Path("reports"), load_params()))
    assert promotion.promote(load_params()).aliases == ("challenger", "champion")


@pytest.fixture
def team(postgresql, bucket, tmp_path, monkeypatch):
    """MLflow's server of a team: its database on PostgreSQL, its artefacts on S3."""
    (port,) = free_ports(1)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", bucket)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--workers", "1"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", postgresql.address),
        *("--artifacts-destination", "s3://sounds/mlflow"),
    ]
    log = (tmp_path / "mlflow.log").open("w")
    server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    try:
        until = time.monotonic() + 300
        while not answers(port):
            assert time.monotonic() < until, (tmp_path / "mlflow.log").read_text()
            time.sleep(0.5)
        yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def answers(port):
    try:
        with urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return True
    except OSError:
        return False


@pytest.mark.usefixtures("team")
def test_long_reasons_and_files_of_a_version_are_whole_on_postgresql_and_s3(tracked):
    write_judged(tracked, accepted=False)
    verdict = read(Path("reports/verdict.json"), Verdict)
    reasons = tuple(f"gate {i}: {'泣き声 too much, ' * 10}" for i in range(100))
    write(verdict.model_copy(update={"reasons": reasons}), Path("reports/verdict.json"))
    made = registry.register(Candidate(Path("models"), Path("reports"), load_params()))
    assert len(made.tags["reasons"]) == 5000
    back = registry.download(made, "reports/verdict.json", tracked / "back")
    assert back.read_bytes() == Path("reports/verdict.json").read_bytes()
    promotion.fetch(made, tracked / "fetched")
    assert (tracked / "fetched" / TFLITE.name).read_bytes() == TFLITE.read_bytes()


@pytest.mark.usefixtures("team")
def test_the_model_of_the_default_run_is_registered_compared_and_promoted(tracked):
    """In CI, the one that the job `run` made; the small stand-in has shorter texts."""
    if not (ROOT / "reports/verdict.json").is_file():
        pytest.skip("no default run (`make run`)")
    default = Candidate(ROOT / "models", ROOT / "reports", load_params())
    made = registry.register(default)
    assert made.tags["gates"].endswith(f"of {len(default.verdict.gates)} passed")
    assert registry.register(default).version == made.version == "1"
    if default.verdict.accepted:
        params = load_params()
        asked = params.promote.model_copy(update={"demonstrations": True})
        promotion.promote(params.model_copy(update={"promote": asked}))
        assert promotion.compare(params, "champion", "1").clips > 0


def dvc(*arguments):
    command = [sys.executable, "-m", "dvc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def bucket(monkeypatch):
    """An S3-compatible server with one bucket; gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    import boto3

    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="sounds")
    yield address
    server.stop()


def test_data_goes_to_s3_and_comes_back_in_a_clone_without_a_cache(tmp_path, monkeypatch, bucket):
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "-q"], check=True)
    for command in (
        ["init", "-q"],
        ["remote", "add", "-d", "storage", "s3://sounds/here"],
        ["remote", "modify", "storage", "endpointurl", bucket],
    ):
        assert dvc(*command).returncode == 0
    Path("sounds/cry").mkdir(parents=True)
    clips = {Path(f"sounds/cry/{i}.wav"): os.urandom(1000) for i in range(20)}
    for path, content in clips.items():
        path.write_bytes(content)
    assert dvc("add", "-q", "sounds").returncode == 0
    assert dvc("push").returncode == 0

    shutil.rmtree("sounds")
    shutil.rmtree(".dvc/cache")
    assert dvc("pull").returncode == 0
    assert {path: path.read_bytes() for path in clips} == clips

    assert dvc("remote", "modify", "storage", "url", "s3://no-such-bucket/here").returncode == 0
    shutil.rmtree(".dvc/cache")
    shutil.rmtree("sounds")
    refused = dvc("pull")
    assert refused.returncode != 0
    assert "ERROR: " in refused.stderr
    assert "Traceback" not in refused.stderr
