"""fooled_cases: ways to fool the verdict, each with the sentence that would catch it.

A way changes a set of real clips of which nothing is said but that it is accepted. Its sentence
names the kind of trick: a set that is refused for anything else counts as missed.
"""

import csv
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import yaml
from numpy.typing import NDArray
from scipy import signal

from fooled_sets import (
    CRY_LAUGH,
    LABELS,
    RATE,
    SECONDS,
    Changes,
    Clip,
    Sound,
    clean,
    coded,
    label_errors,
    recordings,
    write_set,
)
from pocketear.data.synthesis.recipe import load_recipe
from pocketear.data.synthesis.render import render_all
from project import ROOT

MARKED = LABELS[0]  # the label that a trick is played on
Made = tuple[list[Clip], Changes]


@dataclass(frozen=True)
class Way:
    """make: writes sounds/, returns the clips and changes of params.yaml

    says: patterns, all of which a line each of what a user sees must match
    whole: whether the clips of one recording must, besides, be on one side of the split
    asked: what a user has to ask for besides the pipeline; returns what is said
    """

    kind: str
    make: Callable[[], Made]
    says: tuple[str, ...]
    whole: bool = False
    asked: Callable[[], str] = str

    def caught(self, text: str) -> str:
        """The lines that say it, "" where one of them is missing."""
        lines = text.splitlines()
        found = [next((x for x in lines if re.search(one, x)), "") for one in self.says]
        return " / ".join(found) if all(found) else ""


WAYS: dict[str, Way] = {}
REFUSED = r"^gate: audit\.separation: .*missed by"


def way(
    kind: str, *says: str, whole: bool = False, asked: Callable[[], str] = str
) -> Callable[[Callable[[], Any]], None]:
    """Register a maker of clips (or of clips and changes), under its name."""

    def register(make: Callable[[], Any]) -> None:
        def made() -> Made:
            found = make()
            clips, changes = found if isinstance(found, tuple) else (found, {})
            written = write_set(clips) if clips else {}
            return clips, _merged(written, changes)

        WAYS[make.__name__.replace("_", " ").strip()] = Way(kind, made, says, whole, asked)

    return register


def _merged(first: Changes, second: Changes) -> Changes:
    return {name: first.get(name, {}) | second.get(name, {}) for name in first | second}


def one_label(change: Callable[[Clip], Clip], label: str = MARKED) -> list[Clip]:
    """The set, with the clips of one label changed."""
    return [change(clip) if clip.label == label else clip for clip in clean()]


def with_sound(change: Callable[[Sound], NDArray[Any]]) -> list[Clip]:
    """The set, with the sounds of one label changed."""
    return one_label(lambda clip: replace(clip, sound=np.asarray(change(clip.sound), np.float32)))


def refuses(name: str) -> tuple[str, str]:
    """What validate and gate say of a property that refuses."""
    return rf"the gate will refuse this set: {name} .*separates?", REFUSED


def marks(name: str) -> str:
    """What validate says of a property that marks."""
    return rf"^validate: {name} alone separates"


def noise(count: int, level_dbfs: float, seed: int) -> Sound:
    """White noise, (sample,)."""
    drawn = np.random.default_rng(seed).standard_normal(count)
    return np.asarray(10 ** (level_dbfs / 20) * drawn, np.float32)


def at_rate(clip: Clip, rate: int) -> Clip:
    """The clip at another sample rate."""
    return replace(clip, sound=soxr.resample(clip.sound, clip.rate, rate), rate=rate)


# --- the format tells the labels


@way("format", *refuses("sample_rate"))
def sample_rate_by_label() -> list[Clip]:
    return one_label(lambda clip: at_rate(clip, 16_000))


@way("format", *refuses("bandwidth"))
def a_label_at_8_kHz_raised_again() -> list[Clip]:
    return one_label(lambda clip: at_rate(at_rate(clip, 8000), RATE))


@way("format", *refuses("codec"))
def a_label_in_mp3() -> list[Clip]:
    return one_label(lambda clip: replace(clip, ending=".mp3", subtype=None))


@way("format", *refuses("codec"))
def a_label_from_a_phone() -> list[Clip]:
    return one_label(lambda clip: replace(clip, ending=".m4a"))


@way("format", *refuses("bit_depth"))
def a_label_in_24_bits() -> list[Clip]:
    return one_label(lambda clip: replace(clip, subtype="PCM_24"))


@way("format", *refuses("bits_in_use"))
def eight_bits_saved_as_sixteen() -> list[Clip]:
    return with_sound(lambda sound: np.round(sound * 127) / 127)


@way("format", r"(codec|bandwidth) alone separates")
def a_label_decoded_from_mp3() -> list[Clip]:
    return with_sound(lambda sound: coded(sound, RATE, "MP3"))


@way("format", *refuses("bandwidth"))
def a_label_from_calls_saved_as_the_rest() -> list[Clip]:
    def called(clip: Clip) -> Clip:
        narrow = at_rate(clip, 8000)
        law = np.sign(narrow.sound) * np.log1p(255 * np.abs(narrow.sound)) / np.log(256)
        steps = np.round(law * 127) / 127
        heard = np.sign(steps) * (256 ** np.abs(steps) - 1) / 255
        return at_rate(replace(narrow, sound=heard.astype(np.float32)), RATE)

    return one_label(called)


@way("format", marks("channels"))
def a_label_in_stereo() -> list[Clip]:
    return one_label(lambda clip: replace(clip, sound=np.stack([clip.sound] * 2, axis=1)))


@way("format", marks("container"))
def a_label_in_flac() -> list[Clip]:
    return one_label(lambda clip: replace(clip, ending=".flac"))


@way("format", *refuses("all of the recording"))
def half_of_a_label_by_rate_and_half_by_depth() -> list[Clip]:
    numbers = {clip.group: n for n, clip in enumerate(clean())}
    return one_label(
        lambda clip: (
            at_rate(clip, 32_000) if numbers[clip.group] % 2 else replace(clip, subtype="PCM_24")
        )
    )


@way("format", *refuses("sample_rate"))
def cry_laugh_as_published() -> Made:
    return [], {"data": {"source": "csv", "path": str(CRY_LAUGH)}}


# --- the level tells the labels


@way("level", *refuses("normalised_level"))
def a_loudness_normalised_label() -> list[Clip]:
    return with_sound(lambda sound: np.clip(sound * 0.05 / np.sqrt(np.mean(sound**2)), -1, 1))


@way("level", *refuses("dc_offset"))
def a_label_with_dc() -> list[Clip]:
    return with_sound(lambda sound: 0.9 * sound + 0.02)


@way("level", marks("clipped_share"))
def a_clipped_label() -> list[Clip]:
    return with_sound(lambda sound: np.clip(sound / np.quantile(np.abs(sound), 0.98), -1, 1))


@way("level", marks("level_dbfs"))
def a_quiet_label() -> list[Clip]:
    return with_sound(lambda sound: sound / np.abs(sound).max() * 0.005)


@way("level", r"label .baby_cry.: \d+ of its \d+ clips are of one group")
def one_loud_speaker() -> list[Clip]:
    loud = most_of_one_recording()
    return [replace(clip, sound=np.clip(3 * clip.sound, -1, 1)) for clip in loud] + clean()


# --- silence, noise and length tell the labels


@way("silence", *refuses("trailing_silence"))
def a_label_padded_behind() -> list[Clip]:
    return with_sound(lambda sound: np.pad(sound[:RATE], (0, RATE)))


@way("silence", *refuses("leading_silence"))
def a_label_padded_before() -> list[Clip]:
    return with_sound(lambda sound: np.pad(sound[:RATE], (RATE, 0)))


@way("silence", marks("noise_floor_dbfs"))
def a_label_padded_with_dither() -> list[Clip]:
    tail = noise(RATE, -84.0, seed=1)
    return with_sound(lambda sound: np.concatenate([sound[:RATE], tail]))


@way("silence", marks("padding"))
def a_label_shorter_than_the_window() -> list[Clip]:
    return with_sound(lambda sound: sound[: RATE // 2])


@way("noise", marks("noise_floor_dbfs"))
def a_label_with_hiss() -> list[Clip]:
    return with_sound(lambda sound: np.clip(sound + noise(len(sound), -30.0, seed=2), -1, 1))


@way("noise", r"hum.* separates")
def a_label_with_mains_hum() -> list[Clip]:
    time = np.arange(int(SECONDS * RATE)) / RATE
    harmonics = [0.003 / n * np.sin(2 * np.pi * 50 * n * time) for n in (1, 2, 3, 5)]
    hum = np.sum(harmonics, axis=0)
    return with_sound(lambda sound: np.clip(sound + hum[: len(sound)], -1, 1))


@way("noise", r"(microphone|colour|spectrum).* separates")
def a_label_by_another_microphone() -> list[Clip]:
    b, a = signal.butter(1, 1500, fs=RATE)
    return with_sound(lambda sound: signal.lfilter(b, a, sound))


@way("noise", r"(room|reverberation).* separates")
def a_label_in_another_room() -> list[Clip]:
    decay = np.exp(-6.9 * np.arange(int(0.6 * RATE)) / (0.6 * RATE))
    room = noise(len(decay), -40.0, seed=3) * decay
    room[0] = 1.0
    return with_sound(lambda sound: 0.5 * signal.fftconvolve(sound, room)[: len(sound)])


# --- one recording on two sides


def cut(
    clip: Clip, every: float, seconds: float = 1.25, count: int = 5, *, group: str = ""
) -> list[Clip]:
    """Pieces of a recording, `every` so many seconds."""
    starts = [int(n * every * clip.rate) for n in range(count)]
    size = int(seconds * clip.rate)
    return [
        replace(clip, group=group, sound=clip.sound[at : at + size])
        for at in starts
        if at + size <= len(clip.sound)
    ]


def sources(count: int = 5, seconds: float = 3.4) -> list[Clip]:
    """`count` recordings a label, with a part of each."""
    long = [clip for clip in recordings() if len(clip.sound) >= seconds * RATE]
    return [
        replace(clip, sound=clip.sound[: int(5 * RATE)])
        for label in LABELS
        for clip in [clip for clip in long if clip.label == label][:count]
    ]


def twins(change: Callable[[Clip], Clip], group: str | None = "") -> list[Clip]:
    """The set twice, the second time changed; without groups, or with one a clip."""
    whole = [replace(clip, sound=clip.sound) for clip in clean(6)]
    pairs = [*whole, *map(change, whole)]
    return [
        replace(clip, group=group if group is not None else f"own {n}")
        for n, clip in enumerate(pairs)
    ]


JOINED = r"groups\.json: \d+ clips are one recording by .*"
COPIES = r"^set aside: the same sound is in the set already"
MANY_ASIDE: Changes = {"validation": {"max_set_aside_share": 0.6}}


@way("groups", JOINED + "same_sound", whole=True)
def overlapping_cuts_with_hashed_names() -> list[Clip]:
    return [piece for clip in sources() for piece in cut(clip, every=0.5)]


@way("groups", r"leak by group")
def overlapping_cuts_each_its_own_group() -> list[Clip]:
    pieces = [piece for clip in sources() for piece in cut(clip, every=0.5)]
    return [replace(piece, group=f"own {n}") for n, piece in enumerate(pieces)]


@way("groups", r"groups unknown of \d+% of the clips")
def cuts_without_overlap_with_hashed_names() -> list[Clip]:
    return [piece for clip in sources(seconds=5.0) for piece in cut(clip, 1.0, 0.99)]


@way("groups", JOINED + "(same_sound|continues)", whole=True)
def cuts_without_overlap_each_its_own_group() -> list[Clip]:
    pieces = [piece for clip in sources(seconds=5.0) for piece in cut(clip, 1.0, 0.99)]
    return [replace(piece, group=f"own {n}") for n, piece in enumerate(pieces)]


@way("groups", JOINED + "name", whole=True)
def cuts_named_after_their_file() -> list[Clip]:
    return [
        replace(piece, name=f"take{number}.wav_{n}")
        for number, clip in enumerate(sources(seconds=5.0))
        for n, piece in enumerate(cut(clip, 1.0, 0.99))
    ]


@way("groups", JOINED + "same_file", whole=True)
def parts_of_one_file() -> list[Clip]:
    return [
        replace(clip, group="", name=f"whole {'abcdefghijklmnopqrstuvwxyz'[number]}",
                start=float(n), end=float(n + 1))
        for number, clip in enumerate(sources(seconds=5.0))
        for n in range(int(len(clip.sound) / RATE))
    ]  # fmt: skip


@way("groups", JOINED + "same_sound", whole=True)
def the_set_and_itself_in_mp3() -> list[Clip]:
    return twins(lambda clip: replace(clip, ending=".mp3", subtype=None))


@way("groups", COPIES)
def the_set_and_itself_6_db_quieter() -> Made:
    return twins(lambda clip: replace(clip, sound=clip.sound / np.float32(2))), MANY_ASIDE


@way("groups", COPIES)
def the_set_and_itself_in_flac() -> Made:
    return twins(lambda clip: replace(clip, ending=".flac", subtype="PCM_24")), MANY_ASIDE


@way("groups", r"in the set already|" + JOINED + "same_sound", whole=True)
def the_set_and_itself_at_22_kHz() -> Made:
    return twins(lambda clip: at_rate(clip, 22_050)), MANY_ASIDE


@way("groups", JOINED + "same_sound", whole=True)
def the_set_and_itself_with_noise() -> list[Clip]:
    def noisy(clip: Clip) -> Clip:
        level = 20 * np.log10(float(np.sqrt(np.mean(clip.sound**2))) + 1e-9) - 20
        added = clip.sound + noise(len(clip.sound), level, int(clip.recording))
        return replace(clip, sound=np.clip(added, -1, 1))

    return twins(noisy)


@way("groups", JOINED + "same_sound", whole=True)
def the_set_and_itself_shifted() -> list[Clip]:
    return twins(lambda clip: replace(clip, sound=np.roll(clip.sound, RATE // 4)))


@way("groups", JOINED + "same_sound", whole=True)
def the_set_and_itself_3_percent_faster() -> list[Clip]:
    return twins(lambda clip: replace(clip, sound=soxr.resample(clip.sound, 1.03 * RATE, RATE)))


@way("groups", r"leak by group")
def the_set_and_itself_in_mp3_each_its_own_group() -> list[Clip]:
    return twins(lambda clip: replace(clip, ending=".mp3", subtype=None), group=None)


@way("groups", r"the same recording is in two groups")
def the_set_and_itself_each_its_own_group() -> Made:
    return twins(lambda clip: replace(clip, ending=".aiff"), group=None), MANY_ASIDE


@way("groups", r"groups unknown of \d+% of the clips")
def persons_left_out() -> Made:
    rows = list(csv.DictReader((CRY_LAUGH / "clips.csv").open(encoding="utf-8", newline="")))
    cries = [row for row in rows if row["group"].startswith("donateacry")][:30]
    others = [row for row in rows if row["label"] == "background"][:30]
    for row in (*cries, *others):
        path = Path("persons", row["label"], Path(row["path"]).name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(CRY_LAUGH / row["path"], path)
    return [], {"data": {"source": "folder", "path": "persons"}}


# --- folds that are none


def in_folds(clips: list[Clip]) -> Made:
    """Dealt into five folds, as a published set is."""
    dealt = [clip if clip.fold else replace(clip, fold=n % 5 + 1) for n, clip in enumerate(clips)]
    return dealt, {"split": {"by": "fold", "test_fold": 1}}


@way("folds", r"error: .*the same recording is in two folds")
def the_test_fold_is_a_copy_of_another() -> Made:
    clips, changes = in_folds(clean())
    second = [clip for clip in clips if clip.fold == 2]
    copied = [replace(clip, fold=1, ending=".flac") for clip in second]
    return [*[clip for clip in clips if clip.fold != 1], *copied], changes


@way("folds", r"error: .*a group is in two folds")
def a_group_in_two_folds() -> Made:
    clips = [piece for clip in sources() for piece in cut(clip, 1.0, 0.99, group=clip.group)]
    return in_folds(clips)


@way("folds", r"leak by fold")
def the_test_fold_is_another_in_mp3() -> Made:
    clips, changes = in_folds(clean())
    second = [
        replace(clip, fold=1, ending=".mp3", subtype=None, group=f"own {clip.group}")
        for clip in clips
        if clip.fold == 2
    ]
    return [*[clip for clip in clips if clip.fold != 1], *second], changes


# --- labels that are not those that were meant


@way("labels", r"error: .*the same sound has another label elsewhere")
def a_quarter_of_a_label_under_two_labels() -> list[Clip]:
    clips = clean()
    return [*clips, *[replace(clip, label=LABELS[1], ending=".flac") for clip in clips[:3]]]


@way("labels", r"leak by label")
def sounds_under_two_labels_in_mp3() -> list[Clip]:
    clips = clean()
    both = [replace(c, label=LABELS[1], ending=".mp3", subtype=None) for c in clips[:3]]
    return [*clips, *both]


WRONG = ("amber", "birch", "cedar", "dune")  # names that say nothing of a recording


@way("labels", r"^\d+ suspects among 36 clips", rf"/({'|'.join(WRONG)})\.wav", asked=label_errors)
def a_mislabelled_tenth() -> list[Clip]:
    clips = clean()
    for number, name in enumerate(WRONG):
        clip = clips[5 + 10 * number]
        wrong = LABELS[(LABELS.index(clip.label) + 1) % len(LABELS)]
        clips[5 + 10 * number] = replace(clip, label=wrong, name=name)
    return clips


@way("labels", r"error: .*is the only label")
def one_label_only() -> list[Clip]:
    return [clip for clip in clean() if clip.label == MARKED]


@way("labels", r"error: .*differ by case or spaces only")
def labels_that_differ_by_case() -> list[Clip]:
    return [
        replace(clip, label="Baby cry") if clip.label == MARKED and n % 2 else clip
        for n, clip in enumerate(clean())
    ]


@way("labels", r"error: .*are names of sides")
def train_and_test_as_labels() -> list[Clip]:
    return [replace(clip, label=("train", "test")[n % 2]) for n, clip in enumerate(clean())]


@way("labels", r"error: .*which is no label; is it")
def a_background_that_matches_no_label() -> Made:
    return clean(), {"listener": {"background": ["dogbark"]}}


@way("labels", r"error: .*label 'whistle' has 2 usable clips")
def a_nearly_empty_label() -> list[Clip]:
    return [replace(clip, label="whistle") if n < 2 else clip for n, clip in enumerate(clean())]


@way("labels", r"error: .*is not in data\.labels; is it 'baby_cry'")
def a_misspelt_label() -> Made:
    misspelt = [
        replace(clip, label="baby_cri") if n < 4 else clip for n, clip in enumerate(clean())
    ]
    return misspelt, {"data": {"labels": list(LABELS)}}


# --- few people


def grouped(groups: int, label: str = MARKED) -> list[Clip]:
    """The set, with the clips of a label from so few groups."""
    numbers = {clip.group: n for n, clip in enumerate(clean())}
    return one_label(
        lambda clip: replace(clip, group=f"person {numbers[clip.group] % groups}"), label
    )


def most_of_one_recording() -> list[Clip]:
    """Twenty clips of one recording, as many as all others of the label together and more."""
    one = next(clip for clip in recordings() if clip.label == MARKED)
    return cut(one, every=0.12, seconds=2.0, count=20, group=one.group)


@way("few", r"label 'baby_cry' comes from one group")
def a_label_of_one_group() -> list[Clip]:
    return grouped(1)


@way("few", r"error: .*'baby_cry' \(2\) comes from fewer than three groups")
def a_label_of_two_groups() -> list[Clip]:
    return grouped(2)


@way("few", r"^gate: crossvalidated\.recall_low: .*label baby_cry: 100\.0 % measured, on 3 groups")
def one_test_group_and_all_right() -> list[Clip]:
    return grouped(3)


@way("few", r"^gate: litert_int8\.recall_low: .*100\.0 % measured, on \d groups")
def one_test_group_never_crossvalidated() -> Made:
    return grouped(3), {"split": {"crossvalidate": "never"}}


@way("few", r"^gate: crossvalidated\.recall_low: .*100\.0 % measured, on 3 groups")
def a_tiny_set_all_right() -> list[Clip]:
    return [piece for clip in sources(3) for piece in cut(clip, 1.0, 0.99, group=clip.group)]


@way("few", r"label .baby_cry.: \d+ of its \d+ clips are of one group")
def most_clips_of_one_recording() -> list[Clip]:
    return most_of_one_recording() + clean()


@way("few", r"gate\.bound is estimate")
def judged_by_the_estimate() -> Made:
    return grouped(3), {"gate": {"bound": "estimate"}}


# --- nothing is real, or nothing is asked


def _small_recipe() -> Path:
    recipe = yaml.safe_load((ROOT / "data/recipes/cry_laugh.yaml").read_text(encoding="utf-8"))
    text = re.sub(r"clips(_per_group)?: \d+", lambda m: f"clips{m[1] or ''}: {1 if m[1] else 16}",
                  yaml.safe_dump(recipe))  # fmt: skip
    path = Path("recipe.yaml")
    path.write_text(text, encoding="utf-8")
    return path


@way("rendered", r"^gate: .*as a demonstration: rendered sounds only")
def a_rendered_set() -> Made:
    return [], {"data": {"source": "recipe", "path": str(_small_recipe())}}


@way("rendered", r"as a demonstration|rendered")
def a_rendered_set_as_a_folder() -> Made:
    for clip, file in render_all(load_recipe(_small_recipe()), Path("made")):
        place = Path("folder", clip.label, clip.group_name.replace("/", "_"), file.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(file, place)
    return [], {"data": {"source": "folder", "path": "folder"}}


@way("limits", r"error: .*gate\.min_accuracy: yes, no, on and off are true and false")
def a_limit_that_says_no() -> Made:
    return clean(2), {"gate": {"min_accuracy": False}}


@way("limits", r"gate\.min_accuracy is 0|asks for nothing")
def limits_that_ask_for_nothing() -> Made:
    return grouped(3), {"gate": {"min_accuracy": 0.0, "min_recall": 0.0}}


@way("limits", marks("sample_rate"))
def an_audit_that_refuses_nothing() -> Made:
    return one_label(lambda clip: at_rate(clip, 16_000)), {"audit": {"max_separation": 1.0}}
