"""A fold's copy of the project has the recordings and the backbone that Git does not track."""

import subprocess
from pathlib import Path

from copies import make_copy

BACKBONE = "data/backbone/yamnet.tflite"


def test_what_params_name_and_git_ignores_is_linked(project: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    for path, content in (("sounds/cry/a.wav", b"RIFF"), (BACKBONE, b"TFL3")):
        Path(path).parent.mkdir(parents=True)
        Path(path).write_bytes(content)
    Path(".gitignore").write_text(f"/sounds\n/{BACKBONE}\n")  # as `dvc add` writes it
    overrides = [
        "data.source=folder", "data.path=sounds", "frontend.preset=yamnet",
        "model.architecture=yamnet", f"model.start={BACKBONE}",
    ]  # fmt: skip
    copy = make_copy(Path.cwd(), project / "copies/fold_1", overrides)
    assert (copy / "sounds/cry/a.wav").read_bytes() == b"RIFF"
    assert (copy / BACKBONE).read_bytes() == b"TFL3"
    assert "yamnet" in (copy / "params.yaml").read_text()


def test_a_copy_has_the_history_and_the_settings_of_its_project(project: Path) -> None:
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@localhost")
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["dvc", "init", "-q"], check=True)
    remote = ["dvc", "remote", "add", "-q", "--local", "-d", "team", "s3://sounds/here"]
    subprocess.run(remote, check=True)
    Path(".gitignore").write_text("/copies\n")
    subprocess.run(["git", "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "all"], check=True)
    Path("notes.txt").write_text("not committed yet")
    copy = make_copy(Path.cwd(), project / "copies/one", ["train.epochs=7"])
    assert (copy / "notes.txt").read_text() == "not committed yet"
    for asked in (["git", "rev-parse", "HEAD"], ["dvc", "remote", "list"], ["dvc", "cache", "dir"]):
        here, there = (
            subprocess.run(asked, cwd=folder, check=True, capture_output=True, text=True).stdout
            for folder in (project, copy)
        )
        assert here == there
    status = ["git", "status", "--porcelain"]
    changed = subprocess.run(status, cwd=copy, check=True, capture_output=True, text=True).stdout
    assert sorted(changed.split()) == ["??", "M", "notes.txt", "params.yaml"]
