"""Training: repeatable to the byte, learns what can be learnt, stops when it no longer does."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from places import ROOT
from pocketear.base.archive import sha256
from pocketear.base.errors import DataError, ParamsError
from pocketear.data.store import Store
from pocketear.data.windows import cut_windows
from pocketear.experiments.client import connect, experiment_id
from pocketear.experiments.runs import BACKBONE_TAG
from pocketear.params import load_params
from pocketear.runtimes.keras import load_keras
from pocketear.training import fitting
from pocketear.training.augment import unchanged
from pocketear.training.checkpoint import Checkpoint
from pocketear.training.distribution import open_strategy
from pocketear.training.sides import Side, TrainingSide, side_of
from pocketear.training.validation import validation_of
from ports import free_ports
from small_store import LABELS, WINDOW, make_store


@pytest.fixture
def store(project: Path) -> Store:
    return make_store(project)


def fitted(store: Store, val: Side | None = None, **changes):
    """A model fitted without augmentation. returns: it, its history, the rows of on_epoch"""
    import keras

    from pocketear.training import network

    keras.utils.set_random_seed(0)
    params = load_params()
    plain = unchanged(params.augment).model_copy(update={"shift": False})
    hop = params.listener.hop_length
    whole = network.build(params.frontend, params.model, LABELS, store.normalisation, hop)
    rows: list[dict[str, float]] = []
    extractor, _ = fitting.in_two(whole)
    history = fitting.fit(
        whole,
        TrainingSide(side_of(store, store.index["split"], "train", LABELS), plain, seed=0),
        validation_of(extractor, val or side_of(store, store.index["split"], "val", LABELS)),
        fitting.Course(
            params.train.model_copy(update=changes),
            lambda epoch, row: rows.append({"epoch": epoch, **row}),
        ),
    )
    return whole, history, rows


def clip_scores(whole, side: Side) -> np.ndarray:
    """(clip, label): the mean of a clip's windows."""
    return np.stack([
        whole.predict_on_batch(cut_windows(side.waveform(clip), WINDOW, WINDOW)).mean(axis=0)
        for clip in range(len(side))
    ])  # fmt: skip


def start_training(out: str, *program: str, root: Path | None = None) -> subprocess.Popen[str]:
    program = program or ("-m", "pocketear.stages.train")
    command = [sys.executable, *program, "--features", "features"]
    return subprocess.Popen(
        [*command, "--out", f"{out}/keras", "--report", f"{out}/report"],
        stderr=subprocess.PIPE, text=True, cwd=root,
    )  # fmt: skip


def made_in(out: Path) -> dict[Path, bytes]:
    """Every file that a training wrote, by its path from `out`."""
    return {path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")}


def second(folders: pytest.TempPathFactory) -> Path:
    """A copy of the project as it is now."""
    return shutil.copytree(".", folders.mktemp("second") / "project")


@pytest.mark.slow
def test_two_runs_write_the_same_bytes(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As the stage is run: in processes of their own, augmentation on, at the same time."""
    other = second(tmp_path_factory)
    runs = {root: start_training("a", root=root) for root in (Path(), other)}
    lines = {root: run.communicate()[1].splitlines() for root, run in runs.items()}
    assert [run.returncode for run in runs.values()] == [0, 0], lines[other][-3:]
    made = [made_in(root / "a") for root in runs]
    assert sorted(path.name for path in made[0]) == [
        "code.sha256", "history.csv", "labels.txt", "model.keras",
    ]  # fmt: skip
    assert made[0] == made[1]
    assert Path("a/keras/labels.txt").read_text().split() == list(LABELS)
    epochs = [line for line in lines[other] if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/2", "2/2"]
    assert list(pd.read_csv("a/report/history.csv")) == [
        "epoch", "loss", "accuracy", "learning_rate", "val_loss", "val_accuracy",
    ]  # fmt: skip


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_and_gives_the_same_bytes(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Dropout, momentum, the schedule and the best epoch's weights are all part of the state."""
    set_params(epochs=5)
    other = second(tmp_path_factory)
    whole = start_training("a", root=other)
    killed = start_training("a")
    assert killed.stderr
    for line in killed.stderr:
        if line.startswith("epoch 2/5"):
            killed.kill()
    killed.wait()
    assert whole.communicate()[0] is None and whole.returncode == 0
    assert not Path("a/keras").exists()
    again = start_training("a")
    lines = again.communicate()[1].splitlines()
    assert again.returncode == 0, lines[-3:]
    (went_on,) = (line for line in lines if line.startswith("train: goes on after epoch"))
    assert int(went_on.split(",")[0].split()[-1]) >= 2
    assert [line.split()[1] for line in lines if line.startswith("epoch ")] == [
        f"{epoch}/5" for epoch in range(1, 6)
    ]
    assert made_in(Path("a")) == made_in(other / "a")
    assert not [*Path(".pocketear/training").iterdir()]


def test_a_checkpoint_that_a_disk_lost_is_none(project: Path) -> None:
    Path("cut.npz").write_bytes(b"PK\3\4 and no more")
    assert Checkpoint(Path("cut.npz")).restore(network=None) is None


@pytest.mark.slow
def test_labels_that_sound_different_are_learnt(store: Store) -> None:
    whole, history, rows = fitted(store, epochs=60)
    for split in ("train", "val", "test"):
        side = side_of(store, store.index["split"], split, LABELS)
        assert (clip_scores(whole, side).argmax(axis=1) == side.targets.argmax(axis=1)).all()
    assert history["val_accuracy"].iloc[-1] == 1
    assert [row["epoch"] for row in rows] == list(range(1, 61)) == list(history.index)
    assert history["learning_rate"].iloc[-1] < 1e-3 < history["learning_rate"].max()


@pytest.mark.slow
def test_a_pretrained_network_learns_its_last_layer_only(store: Store, yamnet: Path) -> None:
    """Run as a stage: its epochs are one, the model names its backbone, and so does the run."""
    from pocketear.training import network

    Path("data/backbone").mkdir(parents=True)
    Path("data/backbone/yamnet.tflite").symlink_to(yamnet)
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["frontend"]["preset"] = "yamnet"
    content["model"] |= {
        "architecture": "yamnet", "layers": 4, "start": "data/backbone/yamnet.tflite",
    }  # fmt: skip
    Path("params.yaml").write_text(yaml.safe_dump(content))
    training = start_training(".")
    lines = training.communicate()[1].splitlines()
    assert training.returncode == 0, lines[-3:]
    assert [line.split()[1] for line in lines if line.startswith("epoch ")] == ["1/1"]
    assert len(pd.read_csv("report/history.csv")) == 1
    digest = sha256(yamnet.read_bytes())
    assert Path("keras/backbone.sha256").read_text().strip() == digest
    with connect() as client:
        (run,) = client.search_runs([experiment_id(client)])
    assert run.data.tags[BACKBONE_TAG] == digest
    params, whole = load_params(), load_keras(Path("keras/model.keras"))
    untrained = network.build(
        params.frontend, params.model, LABELS, store.normalisation, WINDOW
    )  # as it starts
    for before, after in zip(untrained.layers, whole.layers, strict=True):
        same = all(map(np.array_equal, before.get_weights(), after.get_weights()))
        assert same != (after.name == "logits"), after.name
    side = side_of(store, store.index["split"], "test", LABELS)
    assert (clip_scores(whole, side).argmax(axis=1) == side.targets.argmax(axis=1)).all()


@pytest.mark.slow
def test_training_stops_and_goes_back_to_the_best_epoch(store: Store) -> None:
    """Validation that contradicts training gets worse with every lesson learnt."""
    side = side_of(store, store.index["split"], "val", LABELS)
    wrong = Side(side.store, side.rows, np.roll(side.targets, 1, axis=1))
    whole, history, _ = fitted(store, val=wrong, epochs=30, patience=4)
    assert len(history) == history["val_loss"].idxmin() + 4 < 30
    loss = -np.log((clip_scores(whole, side) * wrong.targets).sum(axis=1)).mean()
    assert loss == pytest.approx(history["val_loss"].min(), rel=1e-4)


@pytest.mark.slow
def test_a_loss_that_breaks_is_refused_with_its_cure(store: Store) -> None:
    with pytest.raises(ParamsError, match=r"broke in epoch \d+; lower train.learning_rate"):
        fitted(store, learning_rate=1e30)


def test_a_side_without_clips_is_refused(store: Store) -> None:
    store.index = store.index[store.index["split"] != "val"]
    with pytest.raises(DataError, match="no clip is on the val side"):
        side_of(store, store.index["split"], "val", LABELS)


@pytest.mark.slow
def test_two_devices_learn_what_one_does(store: Store) -> None:
    set_params(epochs=100, strategy="mirrored")
    run = start_training("a", str(ROOT / "tests/helpers/two_devices.py"))
    errors = run.communicate()[1]
    assert run.returncode == 0, errors
    history = pd.read_csv("a/report/history.csv")
    assert history["val_loss"].iloc[-1] < 0.5 * history["val_loss"].iloc[0]

    from pocketear.runtimes.keras import keras_runner

    score = keras_runner(Path("a/keras/model.keras"))
    for split in ("val", "test"):
        side = side_of(store, store.index["split"], split, LABELS)
        windows = [cut_windows(side.waveform(clip), WINDOW, WINDOW) for clip in range(len(side))]
        scores = np.stack([score(one).mean(axis=0) for one in windows])
        assert (scores.argmax(axis=1) == side.targets.argmax(axis=1)).all()


def test_sharing_is_refused_where_there_is_one_device() -> None:
    with pytest.raises(ParamsError, match=r"train\.strategy is mirrored, but TensorFlow sees one"):
        open_strategy("mirrored")


def start_workers(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[str]]:
    """The chief, which is to write to `worker0`, and another one."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = []
    for index in range(2):
        task = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        monkeypatch.setenv("TF_CONFIG", json.dumps(task))
        started.append(start_training(f"worker{index}"))
    return started


@pytest.mark.slow
def test_two_machines_make_the_model_of_two_devices_and_only_the_chief_writes_it(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three processes, so two that share are as repeatable to the byte as one."""
    set_params(strategy="mirrored", batch_size=5)  # shares that change, of one device only
    mirrored = start_training("mirrored", str(ROOT / "tests/helpers/two_devices.py"))
    errors = mirrored.communicate()[1]
    assert mirrored.returncode == 0, errors
    set_params(strategy="multi_worker")
    for run in start_workers(monkeypatch):
        errors = run.communicate()[1]
        assert run.returncode == 0, errors
    made = [Path(out, "keras/model.keras").read_bytes() for out in ("worker0", "mirrored")]
    assert made[0] == made[1]
    assert not Path("worker1").exists()


@pytest.mark.slow
def test_when_a_machine_is_gone_the_chief_says_so_and_writes_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_params(strategy="multi_worker", epochs=5000)
    chief, other = start_workers(monkeypatch)
    for line in chief.stderr or ():
        if line.startswith("epoch 2/"):
            break
    other.kill()
    other.communicate()
    lines = chief.communicate()[1].splitlines()
    assert chief.returncode == 1
    assert any(line.startswith("error: a worker of TF_CONFIG is gone") for line in lines)
    assert not Path("worker0/keras").exists()


@pytest.mark.parametrize("config", ["", "{", '{"cluster": {"worker": ["a:1"]}, "task": {}}'])
def test_several_machines_without_their_addresses_are_refused(
    config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ParamsError, match="TF_CONFIG does not name two workers or more"):
        open_strategy("multi_worker")


def set_params(**changes: object) -> None:
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["train"] |= changes
    Path("params.yaml").write_text(yaml.safe_dump(params))
