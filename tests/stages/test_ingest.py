"""Datasets as people have them, through the real stage."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from decoder_processes import little_time
from pocketear.base.errors import ClipError, DataError
from pocketear.data.cache import CACHE
from pocketear.data.clip_table import sha256
from pocketear.data.clips import COLUMNS, read_clips
from pocketear.stages import ingest
from sounds import declaring, halved, silence, tone, write, write_by_phone, write_with

RECIPE = """\
{seed: 1, sample_rate: 16000, seconds: 0.5, clips_per_group: 2,
 labels: {cry: {clips: 4, sounds: [cry]}, rest: {clips: 2, sounds: [rain, silence]}},
 noises: [pink], snr_db: [0, 20], level_dbfs: [-30, -15], overdrive: [1, 1],
 pitch_hz: [300, 600], tract: [1, 1], hoarseness: [0, 0.2], reverberation_seconds: [0.1, 0.2],
 microphone_low_hz: [80, 80], microphone_high_hz: [7000, 7000], agc: [0, 0]}
"""
OUT = Path("data/clips")


def choose(**data: Any) -> None:
    """Set keys of the section `data` of params.yaml in the working folder."""
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["data"] |= {"source": "folder", "path": "sounds", **data}
    Path("params.yaml").write_text(yaml.safe_dump(params))


def run() -> pd.DataFrame:
    """Ingest, and give the clip table by path."""
    ingest.main(OUT)
    return read_clips(OUT / "clips.parquet").set_index("path", drop=False)


def start(**options: Any) -> "subprocess.Popen[str]":
    """The stage as DVC runs it."""
    command = [sys.executable, "-m", "pocketear.stages.ingest", "--out", str(OUT)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


@pytest.fixture
def sounds(project: Path) -> Path:
    """A folder of two labels with three tones each, all different, chosen in params.yaml."""
    choose()
    for label, hz in (("cry", 400), ("laugh", 500)):
        for number in range(3):
            write(project / f"sounds/{label}/{number}.wav", tone(0.5, hz=hz + 10 * number))
    return project / "sounds"


def test_the_table_has_a_row_a_clip_with_what_was_measured(sounds: Path) -> None:
    table = run()
    assert list(table.columns) == list(COLUMNS)
    assert list(table["path"]) == [
        f"sounds/{a}/{n}.wav" for a in ("cry", "laugh") for n in range(3)
    ]
    clip = table.loc["sounds/cry/0.wav"]
    assert (clip["label"], clip["error"], clip["sample_rate"]) == ("cry", "", 16_000)
    assert clip["duration"] == pytest.approx(0.5)
    assert clip["level_dbfs"] == pytest.approx(20 * np.log10(0.5 / np.sqrt(2)), abs=0.01)


def test_hashes_are_those_of_sha256sum(sounds: Path) -> None:
    done = subprocess.run(["sha256sum", sounds / "cry/0.wav"], capture_output=True, text=True)
    assert run().loc["sounds/cry/0.wav", "sha256"] == done.stdout.split()[0]


# playlists of a sound that is there
HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n../laugh/0.wav\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile ../laugh/0.wav\n"
# name of the file: how it is made, what its row says
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.wav": (lambda p: p.touch(), "the file is empty"),
    "text.wav": (lambda p: p.write_text("no sound\n" * 99), "not a sound file that can be read"),
    "cut.flac": (lambda p: halved(write(p, tone(9))), "truncated, its end is missing"),
    "cut.mp3": (lambda p: halved(write(p, tone(9))), "truncated"),
    "cut.m4a": (lambda p: halved(write_by_phone(p)), "truncated, its end is missing"),
    "cut.3gp": (lambda p: halved(write_by_phone(p)), "truncated, its end is missing"),
    "nan.wav": (lambda p: write_with(p, np.nan), "sample 7 is NaN or infinite"),
    "inf.wav": (lambda p: write_with(p, np.inf), "sample 7 is NaN or infinite"),
    "archive.zip": (lambda p: p.write_bytes(b"PK\3\4" * 99), "not a sound file that can be read"),
    "list.m3u8": (lambda p: p.write_text(HLS), "not a container that holds sound itself"),
    "list.m4a": (lambda p: p.write_text(CONCAT), "not a container that holds sound itself"),
    "huge.flac": (lambda p: declaring(silence(p, 2, 16_000, 8), 2**36 - 1), "declares 4294967 s, "),
    "headless.raw": (lambda p: p.write_bytes(bytes(999)), "not a sound file that can be read"),
    "gone.wav": (lambda p: p.symlink_to("nowhere.wav"), "a link to nothing"),
    "self.wav": (lambda p: p.symlink_to("self.wav"), "a link to nothing"),
}


def test_what_cannot_be_decoded_is_a_row_that_says_why(sounds: Path) -> None:
    for name, (make, _) in BAD.items():
        make(sounds / "cry" / name)
    table = run()
    for name, (_, reason) in BAD.items():
        clip = table.loc[f"sounds/cry/{name}"]
        assert reason in clip["error"], name
        assert name not in clip["error"]  # validate puts the path before it
        assert np.isnan(clip["duration"])
    assert set(table.index[table["error"] == ""]) == {
        f"sounds/{label}/{n}.wav" for label in ("cry", "laugh") for n in range(3)
    }


def test_what_can_be_decoded_is_measured_whatever_it_is(sounds: Path) -> None:
    for subtype in ("PCM_U8", "PCM_24", "DOUBLE"):
        write(sounds / f"cry/{subtype}.wav", subtype=subtype)
    for channels in (2, 8):
        write(sounds / f"cry/{channels} channels.wav", np.repeat(tone()[:, None], channels, 1))
    for rate in (8000, 192_000):
        write(sounds / f"cry/{rate}.wav", sample_rate=rate)
    write(sounds / "cry/silence.wav", np.zeros(16_000, np.float32))
    write_by_phone(sounds / "cry/memo.m4a")
    write_by_phone(sounds / "cry/memo.3gp", "libopencore_amrnb", 8000)
    table = run().rename(index=lambda path: path.removeprefix("sounds/cry/"))
    assert len(table) == 16
    assert set(table["error"]) == {""}
    assert table.loc["PCM_24.wav", "subtype"] == "PCM_24"
    assert table.loc["8 channels.wav", "channels"] == 8
    assert table.loc["192000.wav", "sample_rate"] == 192_000
    assert table.loc["silence.wav", "silence_share"] == 1
    assert table.loc["memo.m4a", "subtype"] == "AAC"
    assert table.loc["memo.3gp", "subtype"] == "AMRNB"


@pytest.mark.slow
def test_decoders_that_die_cost_their_clips_and_the_run_goes_on(sounds: Path) -> None:
    for number in range(2):
        silence(sounds / f"cry/long {number}.flac", 3000 + number, 48_000, 1)
    run_apart = start(preexec_fn=little_time(4))  # the stage itself needs one or two seconds
    _, errors = run_apart.communicate()
    assert run_apart.returncode == 0
    assert "Traceback" not in errors
    table = read_clips(OUT / "clips.parquet").set_index("path")
    bad = table[table["error"] != ""]
    assert set(bad.index) == {f"sounds/cry/long {number}.flac" for number in range(2)}
    assert set(bad["error"]) == {
        "its decoder crashed (SIGXCPU); convert it to WAV or FLAC, or remove it"
    }
    assert len(table) == 8


def test_names_with_spaces_quotes_and_unicode(sounds: Path) -> None:
    names = ['it\'s "loud".wav', "Weinen – größer.wav", "泣き声 1.wav", "100% & $HOME;.wav"]
    for number, name in enumerate(names):
        write(sounds / "cry" / name, tone(hz=300 + number))
    table = run()
    assert {f"sounds/cry/{name}" for name in names} <= set(table.index)
    assert set(table["error"]) == {""}


def test_a_name_that_is_not_utf8_is_named_and_not_dropped(sounds: Path) -> None:
    write(sounds / "cry/remy.wav", tone(hz=900))
    (sounds / "cry/remy.wav").rename(os.fsdecode(bytes(sounds / "cry") + b"/r\xe9my.wav"))
    clip = run().loc["sounds/cry/r\\xe9my.wav"]
    assert clip["error"] == "its name is not UTF-8; rename it"


def test_clips_without_a_group_are_grouped_by_content(sounds: Path) -> None:
    shutil.copy(sounds / "cry/0.wav", sounds / "laugh/copy.wav")
    (sounds / "cry/anna").mkdir()
    (sounds / "cry/1.wav").rename(sounds / "cry/anna/1.wav")
    table = run()
    assert table.loc["sounds/cry/anna/1.wav", "group"] == "anna"
    copies = table.loc[["sounds/cry/0.wav", "sounds/laugh/copy.wav"]]
    assert copies["group"].nunique() == copies["sha256"].nunique() == 1
    assert table["group"].nunique() == 6


def test_labels_are_one_way_of_writing(sounds: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "bébé") for form in ("NFC", "NFD"))
    for number, folder in enumerate((composed, decomposed)):
        write(sounds / folder / f"{number}.wav", tone(hz=700 + number))
    table = run()
    assert set(table["label"]) == {"cry", "laugh", composed}


@pytest.mark.parametrize(
    ("labels", "other", "label", "error"),
    [
        (["laugh"], "", "cry", "label 'cry' is not in data.labels; list it, or set data.other"),
        (["laugh", "rest"], "rest", "rest", ""),
        (
            ["laugh", "crry", "rest"],
            "rest",
            "cry",
            "label 'cry' is not in data.labels; is it 'crry'?",
        ),
    ],
)
def test_a_label_that_is_not_listed(
    sounds: Path, labels: list[str], other: str, label: str, error: str
) -> None:
    choose(labels=labels, other=other)
    clip = run().loc["sounds/cry/0.wav"]
    assert (clip["label"], clip["error"]) == (label, error)
    assert clip["duration"] == 0.5


def test_a_label_that_does_not_fit_in_a_line_is_refused(sounds: Path) -> None:
    write(sounds / "two\nlines/a.wav")
    table = run()
    assert "not plain text; rename it" in table["error"]["sounds/two\nlines/a.wav"]


def test_the_same_data_give_the_same_bytes(sounds: Path, tmp_path: Path) -> None:
    (sounds / "cry/text.wav").write_text("no sound")
    run()
    cold = (OUT / "clips.parquet").read_bytes()
    run()
    assert (OUT / "clips.parquet").read_bytes() == cold
    write(sounds / "cry/more.wav", tone(2))
    run()
    assert (OUT / "clips.parquet").read_bytes() != cold


def test_a_dataset_elsewhere_is_named_from_the_project(
    sounds: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "inner").mkdir()
    shutil.copy("params.yaml", "inner")
    monkeypatch.chdir(project / "inner")
    for data in ("../sounds", str(sounds)):
        choose(path=data)
        assert run().index[0] == "../sounds/cry/0.wav"


def test_a_recipe_is_rendered_and_named_where_it_lies(project: Path) -> None:
    choose(source="recipe", path="tiny.yaml")
    Path("tiny.yaml").write_text(RECIPE)
    table = run()
    assert set(table.index) == {f"data/clips/audio/cry/0000{n}.wav" for n in range(4)} | {
        f"data/clips/audio/rest/0000{n}.wav" for n in range(2)
    }
    assert all(Path(path).is_file() for path in table.index)
    assert set(table["error"]) == {""}
    first = table.loc[["data/clips/audio/cry/00000.wav", "data/clips/audio/rest/00001.wav"]]
    assert first["group"].nunique() == 1
    assert table["group"].nunique() == 2


def test_parts_of_one_recording_are_clips_of_their_own(project: Path) -> None:
    choose(source="csv")
    write(project / "sounds/night.flac", np.concatenate([tone(1.0), 0.1 * tone(2.0)]))
    rows = "path,label,group,fold,start,end\nnight.flac,cry,n,1,0,1\nnight.flac,rest,n,1,1,\n"
    (project / "sounds/clips.csv").write_text(rows + "gone.wav,rest,,,,\n")
    ingest.main(OUT)
    table = read_clips(OUT / "clips.parquet")
    assert list(table["label"]) == ["rest", "cry", "rest"]
    assert table["error"][0].startswith("no such file")
    assert list(table["duration"][1:]) == [1.0, 2.0]
    assert table["level_dbfs"][1] - table["level_dbfs"][2] == pytest.approx(20, abs=0.1)
    assert table["sha256"][1] == table["sha256"][2]


def test_the_same_recording_in_two_folds_shows_in_the_table(project: Path) -> None:
    choose(source="csv")
    write(project / "sounds/a.wav")
    shutil.copy("sounds/a.wav", "sounds/b.wav")
    (project / "sounds/clips.csv").write_text("path,label,fold\na.wav,cry,1\nb.wav,cry,2\n")
    table = run()
    assert table["sha256"].nunique() == 1
    assert set(table["fold"]) == {1, 2}


@pytest.mark.slow
def test_the_real_esc10(project: Path, esc10: Path) -> None:
    choose(source="esc", path=str(esc10), labels=["baby_cry", "other"], other="other")
    table = run()
    assert len(table) == 400
    assert set(table["error"]) == {""}
    assert table.groupby(["label", "fold"]).size().to_dict() == {
        ("baby_cry", fold): 8 for fold in range(1, 6)
    } | {("other", fold): 72 for fold in range(1, 6)}
    assert set(table["sample_rate"]) == {44_100}
    assert table["duration"].between(3, 8).all()


@pytest.mark.parametrize("source", ["folder", "csv", "esc", "recipe"])
def test_a_missing_dataset_is_one_line_that_says_how_to_get_it(project: Path, source: str) -> None:
    choose(source=source)
    with pytest.raises(DataError, match=r"^sounds: not found; `dvc pull` .*data\.path") as refused:
        run()
    assert "\n" not in str(refused.value)
    assert not OUT.exists()


def test_a_refused_dataset_leaves_the_last_table(sounds: Path) -> None:
    run()
    before = (OUT / "clips.parquet").read_bytes()
    shutil.rmtree(sounds / "cry")
    shutil.rmtree(sounds / "laugh")
    with pytest.raises(DataError, match=r"^sounds: holds no LABEL/clip.wav; make a folder for e"):
        run()
    assert (OUT / "clips.parquet").read_bytes() == before


@pytest.mark.slow
def test_a_kill_leaves_the_last_table_and_the_next_run_goes_on(sounds: Path) -> None:
    run()
    before = (OUT / "clips.parquet").read_bytes()
    for number in range(15):
        write(sounds / f"cry/long {number}.wav", tone(20, 44_100, 300 + number), 44_100)
    index = next(CACHE.glob("waveforms/*/*/index.jsonl"))
    size = index.stat().st_size
    killed = start()
    while index.stat().st_size == size and killed.poll() is None:
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert (OUT / "clips.parquet").read_bytes() == before
    table = run()
    assert len(table) == 21
    assert set(table["error"]) == {""}


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_leaves_the_last_table(sounds: Path) -> None:
    run()
    before = (OUT / "clips.parquet").read_bytes()
    write(sounds / "cry/long.flac", tone(20), 16_000)

    def no_more_than(size: int = 300_000) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    full = start(preexec_fn=no_more_than)
    _, errors = full.communicate()
    assert full.returncode == 1
    assert errors.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in errors
    assert (OUT / "clips.parquet").read_bytes() == before
    assert set(run()["error"]) == {""}


@pytest.mark.slow
def test_two_runs_at_once_leave_a_whole_table(sounds: Path) -> None:
    runs = [start(), start()]
    errors = [one.communicate()[1] for one in runs]
    assert 0 in [one.returncode for one in runs], errors
    assert not any("Traceback" in text for text in errors)
    assert len(read_clips(OUT / "clips.parquet")) == 6


def test_a_file_is_refused_where_it_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ClipError, match="no such file"):
        sha256(tmp_path)
