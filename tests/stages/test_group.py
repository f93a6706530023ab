"""group: real sounds cut, coded and named as people do, without a group written down."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soxr
import yaml
from numpy.typing import NDArray

from pocketear.contracts.groups import Groups
from pocketear.contracts.report_file import read
from pocketear.data.clips import read_clips
from pocketear.data.decoding.audio import load_waveform
from pocketear.stages import group, ingest
from sounds import write, write_by_phone

Sound = NDArray[np.float32]
RATE = 44_100
CLIPS, REPORT, TABLE = Path("data/groups/clips.parquet"), Path("groups.json"), Path("groups.csv")


def cry(esc10: Path, name: str = "1-187207-A") -> Sound:
    return load_waveform(esc10 / "004 - Baby cry" / f"{name}.ogg", RATE)


def run(project: Path, table: str = "", find: str = "auto") -> tuple[pd.DataFrame, Groups]:
    """ingest and group over the folder `sounds`, or over a table in it. returns: by path, report"""
    (project / "sounds").mkdir(exist_ok=True)
    if table:
        (project / "sounds/clips.csv").write_text(table, encoding="utf-8")
    params = yaml.safe_load(Path("params.yaml").read_text())
    params["data"] |= {"source": "csv" if table else "folder", "path": "sounds"}
    params["groups"]["find"] = find
    Path("params.yaml").write_text(yaml.safe_dump(params))
    ingest.main(Path("data/clips"))
    group.main(Path("data/clips/clips.parquet"), CLIPS, REPORT, TABLE)
    clips = read_clips(CLIPS)
    return clips.set_index(clips["path"].str.removeprefix("sounds/")), read(REPORT, Groups)


COPIES: dict[str, Callable[[Path, Sound], Path]] = {
    "other.wav": lambda path, sound: write(path, sound, RATE),
    "quieter.wav": lambda path, sound: write(path, sound * 0.1, RATE),
    "inverted.wav": lambda path, sound: write(path, -sound, RATE),
    "coded.mp3": lambda path, sound: write(path, sound, RATE),
    "coded.ogg": lambda path, sound: write(path, sound, RATE),
    "phone.m4a": lambda path, sound: write_by_phone(path, samples=sound),
    "narrow.wav": lambda path, sound: write(path, soxr.resample(sound, RATE, 8000), 8000),
    "later.wav": lambda path, sound: write(path, sound[12_345:], RATE),
    "part.flac": lambda path, sound: write(path, sound[RATE // 3 : 2 * RATE], RATE),
}


@pytest.mark.slow  # nine formats of one sound are decoded
def test_a_sound_is_found_again_however_it_was_saved_and_no_other_joins(
    esc10: Path, project: Path
) -> None:
    sound = cry(esc10)
    write(Path("sounds/cry/first.wav"), sound, RATE)
    for name, save in COPIES.items():
        save(Path("sounds/cry", name), sound)
    others = sorted((esc10 / "004 - Baby cry").glob("2-*.ogg"))[:4]
    for number, path in enumerate(others):
        write(Path(f"sounds/rest/{'wxyz'[number]}.wav"), load_waveform(path, RATE), RATE)
    clips, found = run(project)
    one = clips.loc[["cry/first.wav", *(f"cry/{name}" for name in COPIES)]]
    assert one["group"].nunique() == 1, one["group"].value_counts()
    assert set(one["group_from"]) == {"found"}
    alone = clips.drop(index=one.index)
    assert alone["group"].nunique() == len(others)
    assert set(alone["group_from"]) == {"unknown"}
    assert [recording.clips for recording in found.recordings] == [tuple(sorted(one["path"]))]
    assert (found.found, found.unknown) == (len(one), len(others))
    assert found.warning == (
        "groups unknown of 29% of the clips: accuracy on new people will be lower"
    )


def test_a_wav_and_its_flac_twin_are_one_sound_though_they_are_rounded_otherwise(
    project: Path,
) -> None:
    """libsndfile rounds a WAV and a FLAC otherwise, and one tone has no landmarks."""
    for number in range(3):
        sound = (0.3 * np.sin(np.arange(8000) * (0.1 + 0.004 * number))).astype(np.float32)
        for ending in ("wav", "flac"):
            write(Path(f"sounds/tone/{'abc'[number] * 3}.{ending}"), sound)
    clips, _ = run(project)
    for column in ("group", "sound"):
        assert clips.groupby(clips.index.str[:8])[column].nunique().max() == 1
        assert clips[column].nunique() == 3


def test_silences_and_one_kind_of_noise_are_no_recording(project: Path) -> None:
    """Clips of one device share its silence and its noise, not a recording."""
    rng = np.random.default_rng(3)
    for number in range(3):
        name = "abc"[number] * 3
        write(Path(f"sounds/x/{name}.wav"), np.zeros(RATE + number, np.float32), RATE)
        write(Path(f"sounds/y/{name}.mp3"), rng.normal(0, 0.05, RATE).astype(np.float32), RATE)
    clips, _ = run(project)
    assert clips["group"].nunique() == 6
    assert set(clips["group_from"]) == {"unknown"}


def test_a_given_group_is_kept_and_a_sound_in_two_of_them_is_a_leak(
    esc10: Path, project: Path
) -> None:
    sound = cry(esc10)
    for name, part in {"a": sound[: 3 * RATE], "b": sound[RATE:], "c": sound[2 * RATE :]}.items():
        write(Path(f"sounds/{name}.wav"), part, RATE)
    table = "path,label,group,fold\na.wav,cry,anna,1\nb.wav,cry,ben,2\nc.wav,cry,,\n"
    clips, found = run(project, table)
    assert clips["group"].to_dict() == {"a.wav": "anna", "b.wav": "ben", "c.wav": "anna"}
    assert clips["group_from"].to_dict() == {"a.wav": "given", "b.wav": "given", "c.wav": "found"}
    assert [(leak.what, leak.values) for leak in found.leaks] == [
        ("fold", ("1", "2")),
        ("group", ("anna", "ben")),
    ]
    assert found.leaks[0].clips == ("sounds/a.wav", "sounds/b.wav")

    clips, _ = run(project, table, find="always")
    assert set(clips["group"]) == {"anna"}
    clips, found = run(project, table, find="never")
    assert clips.loc["c.wav", "group_from"] == "unknown"
    assert (found.recordings, found.leaks) == ((), ())


def test_the_table_for_people_can_be_corrected_and_given_back(esc10: Path, project: Path) -> None:
    sound = cry(esc10)
    write(Path("sounds/a.wav"), sound[: 3 * RATE], RATE)
    write(Path("sounds/b.wav"), sound[RATE:], RATE)
    write(Path("sounds/c.wav"), cry(esc10, "1-211527-A"), RATE)
    first, _ = run(project, "path,label\na.wav,cry\nb.wav,cry\nc.wav,cry\n")
    proposed = pd.read_csv(TABLE, keep_default_na=False)
    assert proposed["evidence"].to_list() == ["same_sound", "same_sound", ""]
    assert proposed["group"].to_list() == [first["group"].iloc[0], first["group"].iloc[0], ""]
    proposed["path"] = proposed["path"].str.removeprefix("sounds/")
    proposed.loc[2, "group"] = "anna"
    again, _ = run(project, proposed.to_csv(index=False))
    assert again["group"].to_list() == proposed["group"].to_list()
    assert set(again["group_from"]) == {"given"}


def test_the_same_data_give_the_same_bytes_and_broken_files_stay_in_the_table(
    esc10: Path, project: Path
) -> None:
    sound = cry(esc10)
    write(Path("sounds/cry/0.wav"), sound[:RATE], RATE)
    write(Path("sounds/cry/1.wav"), sound[RATE // 2 : 2 * RATE], RATE)
    Path("sounds/cry/broken.wav").write_bytes(b"RIFF")
    clips, _ = run(project)
    before = [path.read_bytes() for path in (CLIPS, REPORT, TABLE)]
    assert clips["group"].nunique() == 2
    assert clips.loc["cry/broken.wav", "group_from"] == "unknown"
    run(project)
    assert [path.read_bytes() for path in (CLIPS, REPORT, TABLE)] == before
