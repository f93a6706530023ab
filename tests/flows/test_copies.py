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
