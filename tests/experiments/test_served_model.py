"""A registered model takes waveforms and files, and scores as LiteRT does; it can be served."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from judged_project import LABELS, TFLITE, write_judged
from places import ROOT
from pocketear.experiments import client, registry
from pocketear.experiments.candidate import Candidate
from pocketear.params import load_params
from pocketear.runtimes.litert import litert_runner
from tiny_model import WINDOW

pytest_plugins = ["tracked_project"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def registered_once(empty_store, tmp_path_factory):
    """A project's folder with one registered version."""
    root = tmp_path_factory.mktemp("registered")
    for name in ("pyproject.toml", "uv.lock", "params.yaml"):
        shutil.copy(ROOT / name, root)
    shutil.copy(empty_store, root / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        write_judged(root)
        registry.register(Candidate(Path("models"), Path("reports"), load_params()))
    return root


@pytest.fixture
def registered(registered_once, monkeypatch):
    """The same, as the working folder."""
    monkeypatch.chdir(registered_once)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def recording():
    """Two and a half windows of noise, as samples and as a 16-bit file."""
    pcm = np.random.default_rng(3).integers(-9000, 9000, WINDOW * 5 // 2, dtype=np.int16)
    soundfile.write("clip.wav", pcm, 16_000, subtype="PCM_16")
    return pcm.astype(np.float32) / 32768


def expected(waveform):
    """The mean over windows half a window apart, which fit this clip exactly."""
    starts = range(0, len(waveform) - WINDOW + 1, WINDOW // 2)
    windows = np.stack([waveform[start : start + WINDOW] for start in starts])
    return litert_runner(TFLITE)(windows).mean(axis=0)


def test_waveforms_and_files_get_the_scores_of_the_file_that_ships(registered, recording):
    import mlflow

    mlflow.set_tracking_uri(client.address())
    model = mlflow.pyfunc.load_model("models:/cry_laugh@challenger")
    given = pd.DataFrame({"waveform": [recording.tolist(), None], "path": [None, "clip.wav"]})
    scores = model.predict(given)
    columns = [f"score_{label}" for label in LABELS]
    np.testing.assert_allclose(scores[columns].to_numpy(), [expected(recording)] * 2, atol=1e-6)
    assert set(scores["label"]) == {LABELS[expected(recording).argmax()]}


ELSEWHERE = """
import importlib.util, json, sys
sys.path = [place for place in sys.path if place != sys.argv[1]]
assert not importlib.util.find_spec("pocketear"), "the project's own code is not to be found"
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[2])
scores = model.predict(pd.DataFrame({"path": [sys.argv[3]]}))
import pocketear
print(json.dumps({"code": list(pocketear.__path__), "scores": scores.iloc[0, 1:].tolist()}))
"""


def test_a_model_has_the_code_that_it_needs_and_nothing_else(registered, recording, tmp_path):
    import mlflow

    mlflow.set_tracking_uri(client.address())
    saved = Path(mlflow.artifacts.download_artifacts("models:/cry_laugh@challenger"))
    (tmp_path / "elsewhere").mkdir()
    command = [sys.executable, "-c", ELSEWHERE, str(ROOT / "src"), str(saved)]
    done = subprocess.run(
        [*command, str(Path("clip.wav").resolve())],
        cwd=tmp_path / "elsewhere", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["code"] == [str(saved / "code/pocketear")]
    np.testing.assert_allclose(found["scores"], expected(recording), atol=1e-6)

    rooms = {path.name for path in (saved / "code/pocketear").iterdir() if path.is_dir()}
    assert not rooms & {"stages", "training", "report", "packaging", "phone", "apps"}
    assert not (saved / "code/pocketear/experiments/registry.py").exists()
    kept = {path.name for path in saved.rglob("*")}
    assert not kept & {"uv.lock", "pyproject.toml"}
    assert not [name for name in kept if name.endswith(".pkl")], "nothing is unpickled"


def test_a_served_model_answers_a_real_request(registered, recording):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["mlflow", "models", "serve", "-m", "models:/cry_laugh@challenger"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"MLFLOW_TRACKING_URI": client.address()}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    server = subprocess.Popen(
        [sys.executable, "-m", *command], env=environment, start_new_session=True
    )
    try:
        body = {"dataframe_split": {"columns": ["path"], "data": [["clip.wav"]]}}
        answer = post(port, body)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()
    (row,) = answer["predictions"]
    np.testing.assert_allclose(
        [row[f"score_{label}"] for label in LABELS], expected(recording), atol=1e-6
    )


def post(port, body):
    until = time.monotonic() + 120
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(
                "POST", "/invocations", json.dumps(body), {"Content-Type": "application/json"}
            )
            return json.load(connection.getresponse())
        except ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
