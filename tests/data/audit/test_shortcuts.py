"""The audit on real clips: each planted shortcut is found by name, and real labels are not."""

import io
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from pocketear.contracts.audit import Audit, AuditedProperty
from pocketear.data.audit.chart import draw
from pocketear.data.audit.conclusions import summarise
from pocketear.data.audit.shortcuts import PROPERTIES, TOGETHER, audit, by_group
from pocketear.data.decoding.measure import measure
from pocketear.data.decoding.recording import Coding, Recording
from pocketear.params import AuditParams
from tables import clip_table

FMAX, WINDOW = 7600.0, 1.5
LIMITS = AuditParams(max_separation=0.8, mark_separation=0.5)
NAMES = {"004 - Baby cry": "cry", "001 - Dog bark": "dog", "009 - Rooster": "rooster"}
OGG = Coding("ogg", "vorbis", 0)


@dataclass(frozen=True)
class Clip:
    """A real recording in memory, before or after something was done to it."""

    label: str
    group: str
    samples: NDArray[np.float32]  # (sample,)
    rate: int = 44_100
    coding: Coding = OGG


@pytest.fixture(scope="module")
def clips(esc10: Path) -> list[Clip]:
    """A second and a half each of 14 recordings a label, of one Freesound recording each."""
    table = pd.read_csv(esc10 / "clips.csv").drop_duplicates("freesound_id")
    found = []
    for folder, label in NAMES.items():
        rows = table[table["file"].str.startswith(folder)].head(14)
        for file, origin in zip(rows["file"], rows["freesound_id"], strict=True):
            samples, rate = soundfile.read(esc10 / file, dtype="float32", frames=66_150)
            found.append(Clip(label, str(origin), samples, rate))
    return found


def judged(clips: list[Clip]) -> Audit:
    rows = [
        {
            **asdict(measure(Recording(one.samples[:, None], one.rate, "", one.coding))),
            "label": one.label,
            "group": one.group,
        }
        for one in clips
    ]
    return audited(pd.DataFrame(rows))


def audited(table: pd.DataFrame, background: tuple[str, ...] = ()) -> Audit:
    labels = tuple(sorted(set(table["label"])))
    return summarise(audit(table, labels, background, FMAX, WINDOW), table, LIMITS)


def of(found: Audit, name: str) -> AuditedProperty:
    return {one.name: one for one in (*found.properties, found.overall)}[name]


def resampled(clip: Clip, rate: int) -> Clip:
    return replace(clip, samples=soxr.resample(clip.samples, clip.rate, rate), rate=rate)


def upsampled(clip: Clip) -> Clip:
    """It says 44.1 kHz and holds what 8 kHz hold."""
    return resampled(resampled(clip, 8000), 44_100)


def normalised(clip: Clip) -> Clip:
    level = np.sqrt(np.mean(clip.samples**2, dtype=np.float64))
    return replace(clip, samples=(0.1 / max(level, 1e-9) * clip.samples).astype("f4"))


def with_silent_tail(clip: Clip) -> Clip:
    return replace(clip, samples=np.pad(clip.samples[:44_100], (0, 22_050)))


def with_noise(clip: Clip) -> Clip:
    noise = np.random.default_rng(len(clip.group)).normal(0, 0.03, len(clip.samples))
    return replace(clip, samples=clip.samples + noise.astype("f4"))


def in_eight_bits(clip: Clip) -> Clip:
    return replace(clip, samples=(np.round(clip.samples * 127) / 127).astype("f4"))


def with_hum(clip: Clip) -> Clip:
    time = np.arange(len(clip.samples)) / clip.rate
    hum = np.sum([np.sin(2 * np.pi * 50 * n * time) / n for n in (1, 2, 3, 5)], axis=0)
    return replace(clip, samples=(clip.samples + 0.006 * hum).astype("f4"))


def as_mp3(clip: Clip) -> Clip:
    file = io.BytesIO()
    soundfile.write(file, clip.samples, clip.rate, format="MP3")
    file.seek(0)
    return replace(clip, samples=soundfile.read(file, dtype="float32")[0],
                   coding=Coding("mp3", "mp3", 0))  # fmt: skip


# what is done to the cries alone -> the property that tells them then, and what comes of it
PLANTED: dict[str, tuple[Callable[[Clip], Clip], str, str]] = {
    "rate": (lambda one: resampled(one, 8000), "sample_rate", "refused"),
    "codec": (as_mp3, "codec", "refused"),
    "bit depth": (lambda one: replace(one, coding=Coding("wav", "pcm", 8)), "bit_depth", "refused"),
    "bits in use": (in_eight_bits, "bits_in_use", "refused"),
    "cut-off": (upsampled, "bandwidth", "refused"),
    "offset": (lambda one: replace(one, samples=one.samples + 0.02), "dc_offset", "refused"),
    "loudness": (normalised, "normalised_level", "refused"),
    "tail": (with_silent_tail, "trailing_silence", "refused"),
    "noise floor": (with_noise, "noise_floor_dbfs", "marked"),
    "hum": (with_hum, "hum", "marked"),
}


@pytest.mark.parametrize("shortcut", PLANTED)
def test_each_planted_shortcut_is_found_by_name(clips: list[Clip], shortcut: str) -> None:
    change, name, status = PLANTED[shortcut]
    found = judged([change(one) if one.label == "cry" else one for one in clips])
    planted = of(found, name)
    assert planted.status == status
    assert planted.sentence.startswith(f"{name} alone separates cry from ")
    assert (planted.sentence in found.marks) == (status == "marked")
    if status == "refused":
        assert found.worst is not None and (found.worst.separation or 0) > LIMITS.max_separation


@pytest.mark.parametrize("shortcut", [name for name in PLANTED if name != "noise floor"])
def test_what_all_labels_share_accuses_none(clips: list[Clip], shortcut: str) -> None:
    change, _, _ = PLANTED[shortcut]
    found = judged([change(one) for one in clips])
    assert {one.name for one in found.properties if one.status != "clear"} == set()


def test_real_labels_are_accused_of_nothing(clips: list[Clip]) -> None:
    found = judged(clips)
    assert found.marks == ()
    assert found.overall.status == "clear"
    assert {one.status for one in found.properties} == {"clear"}


@pytest.mark.slow
def test_esc10_as_a_whole_is_accused_of_nothing(esc10: Path) -> None:
    rows = pd.read_csv(esc10 / "clips.csv")
    found = judged([
        Clip(label, str(origin), soundfile.read(esc10 / file, dtype="float32")[0])
        for file, label, origin in zip(rows["file"], rows["label"], rows["freesound_id"],
                                       strict=True)
    ])  # fmt: skip
    assert found.marks == ()
    assert {one.status for one in (*found.properties, found.overall)} == {"clear"}


def with_rates(table: pd.DataFrame, of_label: dict[str, int]) -> pd.DataFrame:
    return table.assign(sample_rate=table["label"].map(of_label))


def test_the_pair_is_named_where_some_labels_share_a_rate() -> None:
    labels = {name: 12 for name in ("background", "cry", "laugh", "speech")}
    of_label = {"background": 44_100, "cry": 8000, "laugh": 44_100, "speech": 8000}
    found = of(audited(with_rates(clip_table(labels), of_label)), "sample_rate")
    assert (found.separation, found.status) == (1.0, "refused")
    assert set(map(of_label.get, found.sides)) == {8000, 44_100}


def test_a_few_groups_that_agree_by_chance_accuse_nobody() -> None:
    """With five a side, 1 of 252 sets is parted by chance alone, and there are many properties."""
    few, many = ({"cry": count, "rest": count} for count in (4, 12))
    of_label = {"cry": 8000, "rest": 44_100}
    assert of(audited(with_rates(clip_table(few), of_label)), "sample_rate").status == "clear"
    assert of(audited(with_rates(clip_table(many), of_label)), "sample_rate").status == "refused"


def test_many_clips_of_few_groups_are_few() -> None:
    table = with_rates(
        clip_table({"cry": 90, "rest": 90}, clips_per_group=30), {"cry": 8000, "rest": 1}
    )
    assert of(audited(table), "sample_rate").status == "clear"


def test_a_property_of_groups_that_no_label_shares_accuses_nobody() -> None:
    table = clip_table({"cry": 60, "rest": 60}, clips_per_group=3)
    by_device = {name: n % 4 for n, name in enumerate(sorted(set(table["group"])))}
    table["sample_rate"] = (
        table["group"].map(by_device).map([8000, 16_000, 44_100, 48_000].__getitem__)
    )
    assert of(audited(table), "sample_rate").status == "clear"


def test_a_label_of_one_group_is_named_and_left_out() -> None:
    table = clip_table({"cry": 20, "laugh": 20, "rest": 20})
    laughs = table["label"] == "laugh"
    table["group"] = table["group"].mask(laughs, "the clown")
    table["sample_rate"] = table["sample_rate"].mask(laughs, 8000)
    found = audited(table)
    assert of(found, "sample_rate").separation is None
    (mark,) = found.marks
    assert mark.startswith("label 'laugh' comes from one group")


@pytest.mark.parametrize("labels", [{}, {"cry": 8}])
def test_without_two_labels_there_is_nothing_to_tell(labels: dict[str, int]) -> None:
    found = audited(clip_table(labels))
    assert {one.separation for one in found.properties} == {None}
    assert found.worst is None


def test_what_only_together_tells_labels_apart_is_found() -> None:
    table = clip_table({"cry": 40, "rest": 40})
    mp3 = np.arange(80) % 2 == 0
    low = mp3 == (table["label"] == "cry")  # each rate and codec is as common under both labels
    table["codec"] = np.where(mp3, "mp3", "vorbis")
    table["sample_rate"] = np.where(low, 8000, 44_100)
    found = audited(table)
    assert (of(found, "codec").status, of(found, "sample_rate").status) == ("clear", "clear")
    assert found.overall.status == "refused"
    assert found.overall.sentence.startswith(f"{TOGETHER} together separate cry from rest (1.00")


def test_rates_that_the_front_end_cannot_tell_are_one_bandwidth() -> None:
    table = clip_table({"cry": 20, "rest": 20})
    table["bandwidth"] = np.where(table["label"] == "cry", 16_000.0, 22_050.0)
    assert of(audited(table), "bandwidth").separation is None


def test_lossless_codecs_give_the_same_samples() -> None:
    table = clip_table({"cry": 20, "rest": 20})
    for name in ("codec", "container"):
        table[name] = table[name].mask(table["label"] == "cry", "flac")
    found = audited(table)
    assert of(found, "codec").separation is None
    assert of(found, "container").status == "marked"


def test_how_long_clips_last_is_shown_and_held_against_nobody() -> None:
    table = clip_table({"cry": 20, "rest": 20})
    table["duration"] = np.where(table["label"] == "cry", 7.0, 2.0)
    found = of(audited(table), "duration")
    assert (found.separation, found.status) == (1.0, "clear")


def test_a_label_that_is_padded_to_the_window_is_marked() -> None:
    table = clip_table({"cry": 20, "rest": 20})
    table["duration"] = np.where(table["label"] == "cry", WINDOW - 0.5, WINDOW + 0.5)
    found = audited(table)
    assert of(found, "padding").status == "marked"
    assert found.worst is None
    table["duration"] += 0.5  # now none is padded
    assert of(audited(table), "padding").separation is None


@pytest.mark.parametrize(("of_one", "marked"), [(12, True), (10, False)])
def test_a_label_that_is_mostly_one_group_is_named(of_one: int, marked: bool) -> None:
    table = clip_table({"cry": 20, "rest": 20})
    table.loc[table.index[table["label"] == "cry"][:of_one], "group"] = "anna"
    marks = audited(table).marks
    assert marks == (
        (
            "label 'cry': 12 of its 20 clips are of one group ('anna'), so the model mostly learns "
            "that recording; add recordings of other people or places",
        )
        if marked
        else ()
    )


def test_two_backgrounds_are_one_side_against_the_events() -> None:
    table = clip_table({name: 15 for name in ("background", "cry", "laugh", "other")})
    quiet = table["label"].isin(["background", "other"])
    table["trailing_silence"] = np.where(quiet, 0.5, 0.0)
    found = of(audited(table, ("background", "other")), "trailing_silence")
    assert found.sides == ("the background labels", "the events")
    assert found.status == "refused"


@pytest.mark.slow
@settings(max_examples=15)
@given(seed=st.integers(0, 10**6), groups=st.integers(2, 30))
def test_labels_drawn_by_lot_are_accused_of_nothing(seed: int, groups: int) -> None:
    rng = np.random.default_rng(seed)
    table = clip_table({"cry": 2 * groups, "rest": 2 * groups}, clips_per_group=2)
    for one in PROPERTIES:
        if one.name in table and not one.category:
            table[one.name] = rng.normal(0, 30, len(table))
    table["sample_rate"] = rng.choice([8000, 44_100], len(table))
    assert {one.status for one in audited(table).properties} == {"clear"}


def test_separation_is_the_adjusted_balanced_accuracy_of_scikit_learn() -> None:
    """Of a threshold, on groups of one clip each, that every fold finds."""
    table = clip_table({"cry": 40, "rest": 60})
    number = np.where(table["label"] == "cry", 0.02, 0.01)
    number[[3, 17, 55, 70, 71]] = [0.01, 0.01, 0.02, 0.02, 0.02]
    predicted = np.where(number > 0.015, "cry", "rest")
    expected = balanced_accuracy_score(table["label"], predicted, adjusted=True)
    found = of(audited(table.assign(dc_offset=number)), "dc_offset")
    assert found.separation == pytest.approx(expected, abs=1e-6)


def test_the_table_by_group_has_medians_and_the_commonest() -> None:
    table = clip_table({"cry": 6}, clips_per_group=3)
    table["level_dbfs"] = [-10.0, -20.0, -40.0, -30.0, -30.0, -30.0]
    table["codec"] = ["mp3", "mp3", "pcm", "aac", "pcm", "pcm"]
    found = by_group(table)
    assert list(found["clips"]) == [3, 3]
    assert list(found["level_dbfs"]) == [-20.0, -30.0]
    assert list(found["codec"]) == ["mp3", "pcm"]


def test_a_picture_is_the_same_bytes_and_shows_labels_as_text(tmp_path: Path) -> None:
    table = clip_table({"$x$ <b>": 5, "cry": 5})
    table["codec"] = ["mp3", "pcm"] * 5
    for name in ("codec", "level_dbfs"):
        one: Any = next(p for p in PROPERTIES if p.name == name)
        for path in ("a.svg", "b.svg"):
            draw(table, one, tmp_path / path)
        drawn = (tmp_path / "a.svg").read_bytes()
        assert drawn == (tmp_path / "b.svg").read_bytes()
        assert b"$x$ &lt;b&gt;" in drawn
