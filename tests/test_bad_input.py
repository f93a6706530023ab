"""Sounds and settings as they come from people, through the stages that meet them first."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from places import ROOT
from pocketear.base import process
from pocketear.data.clips import read_clips
from pocketear.stages import ingest, split, validate
from sounds import halved, tone, write, write_by_phone, write_with

pytestmark = pytest.mark.slow
CLIPS = {name: Path(f"data/{name}/clips.parquet") for name in ("clips", "valid", "split")}
REPORT = Path("reports/validation")
COMMANDS = {
    name: stage["cmd"].split()[1:]
    for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()
}


def choose(**sections: dict[str, Any]) -> None:
    """Set keys of sections of params.yaml in the working folder."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    for name, values in sections.items():
        params[name] |= values
    Path("params.yaml").write_text(yaml.safe_dump(params))


@pytest.fixture
def sounds(project: Path) -> Path:
    """A folder of two labels with twenty tones each, chosen in params.yaml."""
    choose(data={"source": "folder", "path": "sounds"})
    for label, hz in (("cry", 400), ("laugh", 900)):
        for number in range(20):
            write(project / f"sounds/{label}/{number:02}.wav", tone(0.5, hz=hz + 10 * number))
    return project / "sounds"


def journey() -> None:
    """From the folder to the split, as `dvc repro` goes."""
    ingest.main(CLIPS["clips"].parent)
    validate.main(CLIPS["clips"], CLIPS["valid"], REPORT)
    split.main(CLIPS["valid"], CLIPS["split"])


def refusal(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr where the journey has to end, with status 1."""
    with pytest.raises(SystemExit) as ended:
        process.guard(journey)
    assert ended.value.code == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert not CLIPS["split"].exists()
    return line


def set_aside() -> dict[str, str]:
    """Path below `sounds` -> reason."""
    table = pd.read_csv(REPORT / "set_aside.csv")
    return dict(zip(table["path"].str.removeprefix("sounds/"), table["reason"], strict=True))


SET_ASIDE: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.wav": (lambda p: p.touch(), "the file is empty; record or copy it again"),
    "text.wav": (lambda p: p.write_text("no sound\n" * 99), "convert it to WAV or FLAC"),
    "cut.wav": (
        lambda p: halved(write(p, tone(3))),
        "truncated, its end is missing; copy it again",
    ),
    "cut.ogg": (lambda p: halved(write(p, tone(20))), "truncated, its end is missing"),
    "cut.m4a": (lambda p: halved(write_by_phone(p)), "truncated, its end is missing"),
    "nan.wav": (
        lambda p: write_with(p, np.nan),
        "sample 7 is NaN or infinite; export the clip again",
    ),
    "inf.wav": (lambda p: write_with(p, -np.inf), "sample 7 is NaN or infinite"),
    "loop.wav": (lambda p: p.symlink_to(p.name), "a link to nothing"),
    "silence.wav": (lambda p: write(p, np.zeros(16_000, np.float32)), "too quiet: -200 dBFS"),
    "click.wav": (lambda p: write(p, tone(0.1)), "lasts 0.1 s, want 0.2 to 600"),
    "square.wav": (lambda p: write(p, np.sign(tone(hz=333))), "clipped: "),
    "shifted.wav": (lambda p: write(p, tone(hz=334) / 2 + 0.5), "has a DC offset of 0.5"),
    "copy.wav": (lambda p: shutil.copy(p.with_name("00.wav"), p), "in the set already"),
}


def test_every_faulty_clip_is_set_aside_with_its_reason_and_the_rest_goes_on(sounds: Path) -> None:
    choose(validation={"max_set_aside_share": 0.5})
    for name, (make, _) in SET_ASIDE.items():
        make(sounds / "cry" / name)
    (sounds / "cry" / "again").symlink_to(sounds, target_is_directory=True)
    journey()
    reasons = set_aside()
    assert set(reasons) == {f"cry/{name}" for name in SET_ASIDE}
    for name, (_, reason) in SET_ASIDE.items():
        assert reason in reasons[f"cry/{name}"], name
    assert len(read_clips(CLIPS["split"])) == 40


def test_unusual_clips_are_as_good_as_any(sounds: Path) -> None:
    for hz, subtype in enumerate(("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")):
        write(sounds / f"cry/{subtype}.wav", tone(hz=1200 + hz), subtype=subtype)
    for channels in (2, 8):
        write(
            sounds / f"cry/{channels} channels.wav", np.outer(tone(), np.linspace(1, 0, channels))
        )
    for rate in (8000, 11_025, 44_100, 48_000, 96_000, 192_000):
        write(sounds / f"cry/{rate}.wav", sample_rate=rate)
    for name in ('it\'s "loud".flac', "größer – 泣き声.ogg", "$HOME & 100%;.mp3"):
        write(sounds / "laugh" / name)
    write_by_phone(sounds / "laugh/memo.m4a")
    write_by_phone(sounds / "laugh/memo.3gp", "libopencore_amrnb", 8000)
    journey()
    assert set_aside() == {}
    assert len(read_clips(CLIPS["split"])) == 40 + 5 + 2 + 6 + 3 + 2


def test_beyond_the_tolerance_clips_are_named(
    sounds: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        (sounds / f"cry/empty {number}.wav").touch()
    line = refusal(capsys)
    assert "3 of 43 clips cannot be used (6.98%, want at most 5%)" in line
    assert "sounds/cry/empty 0.wav: the file is empty" in line
    kept = line.rpartition("every clip's reason: ")[2]
    assert len(pd.read_csv(kept)) == 3


def test_a_label_with_one_clip(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(sounds / "cough/only.wav", tone(2))
    line = refusal(capsys)
    assert "label 'cough' has 1 usable clips, want at least 5; add clips" in line


def test_a_label_misspelt(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(sounds / "laugth/a.wav", tone(2))
    assert "label 'laugth' has 1 usable clips, " in refusal(capsys)
    choose(data={"labels": ["cry", "laugh"]})
    journey()
    assert set_aside() == {"laugth/a.wav": "label 'laugth' is not in data.labels; is it 'laugh'?"}


def test_the_same_recording_in_two_folds(sounds: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(sounds / "cry/01.wav", sounds / "cry/leak.wav")
    files = sorted(sounds.rglob("*.wav"))
    rows = [f"{p.relative_to(sounds)},{p.parent.name},{n % 5 + 1}" for n, p in enumerate(files)]
    (sounds / "clips.csv").write_text("\n".join(["path,label,fold", *rows]))
    choose(data={"source": "csv"}, split={"by": "fold"})
    line = refusal(capsys)
    assert "sounds/cry/01.wav and others: the same recording is in two folds; keep one" in line


def stage(name: str, **options: Any) -> "subprocess.Popen[str]":
    """A stage's own command of dvc.yaml, as a process."""
    return subprocess.Popen(
        [sys.executable, *COMMANDS[name]], stderr=subprocess.PIPE, text=True, **options
    )


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("ingest", "epochs:", "epoch:", "train.epoch is not a known parameter (a typo?)"),
        ("split", "min_clips_per_label: 5", "min_clips_per_label: five", "a valid integer"),
        ("gate", "epochs:", "epoch:", "train.epoch is not a known parameter (a typo?)"),
    ],
)
def test_a_mistake_in_params_stops_a_stage(
    project: Path, name: str, old: str, new: str, message: str
) -> None:
    text = Path("params.yaml").read_text()
    Path("params.yaml").write_text(text.replace(old, new))
    refused = stage(name)
    _, line = refused.communicate()
    assert refused.returncode == 1
    assert line.startswith("error: params.yaml: ")
    assert message in line
    assert line.count("\n") == 1


def test_a_missing_dataset(project: Path) -> None:
    choose(data={"source": "folder", "path": "sounds"})
    refused = stage("ingest")
    _, line = refused.communicate()
    assert refused.returncode == 1
    assert line == (
        "error: sounds: not found; `dvc pull` fetches what DVC tracks, "
        "else copy it there or correct data.path in params.yaml\n"
    )


def test_a_full_disk_and_two_runs_at_once_in_featurize(sounds: Path) -> None:
    journey()
    write(sounds / "cry/long.flac", tone(60))

    def no_more_than(size: int = 200_000) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    full = stage("featurize", preexec_fn=no_more_than)
    _, errors = full.communicate()
    assert full.returncode == 1
    assert errors.splitlines()[-1].endswith("free some space and run it again: nothing is lost")
    assert "Traceback" not in errors
    assert not list(Path("data").glob(".features*"))
    runs = [stage("featurize"), stage("featurize")]
    both = [one.communicate()[1] for one in runs]
    assert 0 in [one.returncode for one in runs], both
    assert not any("Traceback" in text for text in both)
    assert {path.name for path in Path("data/features").iterdir()} == {
        *("features.f32", "index.parquet", "normalisation.json", "waveforms.i16")
    }
