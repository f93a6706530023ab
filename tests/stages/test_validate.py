import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pocketear.base.errors import DataError
from pocketear.contracts.audit import Audit
from pocketear.contracts.report_file import read
from pocketear.contracts.validation import Validation
from pocketear.data.audit.label_names import label_problems
from pocketear.data.clips import read_clips, write_clips
from pocketear.params import load_params
from pocketear.stages import validate
from tables import clip_table

LABELS = {"cry": 30, "laugh": 30, "background": 40}
PATHS = [Path(name) for name in ("clips.parquet", "valid.parquet", "report")]


def judge(table: pd.DataFrame, project: Path, labels: tuple[str, ...] = ()) -> Any:
    context = validate.open_context(project / "docs")
    return validate.validate(context, table, labels, load_params().validation)


# column, its value, what is said of a clip with it
UNUSABLE: list[tuple[str, Any, str]] = [
    ("error", "x.wav: the file is empty", "x.wav: the file is empty"),
    ("duration", 0.05, "lasts 0.05 s, want 0.2 to 600"),
    ("duration", 4000.0, "lasts 4000 s, want 0.2 to 600"),
    ("duration", 0.1996, "lasts 0.1996 s, want 0.2 to 600"),
    ("duration", 600.04, "lasts 600.04 s, want 0.2 to 600"),
    ("sample_rate", 4000, "sampled at 4000 Hz, want 8000 to 192000"),
    ("channels", 12, "has 12 channels"),
    ("level_dbfs", -120.0, "too quiet: -120 dBFS, want -80 or more"),
    ("clipped_share", 0.20004, "clipped: 20.004% of its samples are at full scale, want at most"),
    ("clipped_share", 0.5, "clipped: 50% of its samples are at full scale, want at most 20%"),
    ("dc_offset", 0.4, "DC offset of 0.4, want <= 0.2"),
    ("silence_share", 1.0, "digital silence: 100% of it, want at most 99.9%"),
]


def test_each_clip_that_cannot_be_used_is_set_aside_with_its_reason(project: Path) -> None:
    table = clip_table({label: 3 * count for label, count in LABELS.items()})
    for row, (column, value, _) in enumerate(UNUSABLE):
        table.loc[row, column] = value
        if column == "error":
            table.loc[row, ["level_dbfs", "duration"]] = np.nan
    kept, aside, problems = judge(table, project)
    reasons = dict(zip(aside["path"], aside["reason"], strict=True))
    assert list(reasons) == list(table["path"][: len(UNUSABLE)])
    for (_, _, reason), found in zip(UNUSABLE, reasons.values(), strict=True):
        assert found.count("; ") == 0 and reason in found
    assert len(kept) == len(table) - len(UNUSABLE)
    assert problems == []


def test_a_good_set_passes_whole_and_has_data_docs(project: Path) -> None:
    write_clips(clip_table(LABELS), project / "clips.parquet")
    validate.main(*PATHS)
    assert len(read_clips(project / "valid.parquet")) == 100
    assert read(project / "report" / "validation.json", Validation) == Validation(
        usable=100, set_aside=0, labels=LABELS, seconds=250.0, problems=()
    )
    docs = project / "report" / "docs"
    index = (docs / "index.html").read_text()
    links = re.findall(r'href="([^"]+)"', index)
    assert [link.split("/")[1] for link in links[::2]] == ["audit", "clips", "dataset", "set"]
    assert index.count("Succeeded") == 4
    for page in (docs / link for link in links):
        assert not re.search(r"<(script|img|link)\b", page.read_text())  # nothing from other sites


def test_beyond_the_tolerance_the_set_is_refused_and_clips_are_named(project: Path) -> None:
    table = clip_table(LABELS)
    table.loc[:9, "duration"] = 0.01
    _, aside, problems = judge(table, project)
    assert len(aside) == 10
    assert "10 of 100 clips cannot be used (10%, want at most 5%)" in problems[0]
    assert "data/cry/000.wav: lasts 0.01 s" in problems[0]
    assert "and 5 more" in problems[0]


def test_a_label_typo_is_a_label_with_too_few_clips(project: Path) -> None:
    table = clip_table(LABELS)
    table.loc[3, "label"] = "crry"
    _, _, problems = judge(table, project)
    assert "label 'crry' has 1 usable clips, want at least 5" in problems[0]


def test_a_label_that_is_not_listed_is_set_aside(project: Path) -> None:
    table = clip_table(LABELS)
    table.loc[3, "label"] = "crry"
    kept, aside, problems = judge(table, project, ("cry", "laugh", "background"))
    assert "not in data.labels" in aside["reason"].iloc[0]
    assert problems == []
    assert len(kept) == 99


def test_a_listed_label_without_a_clip_is_refused(project: Path) -> None:
    _, _, problems = judge(clip_table(LABELS), project, (*LABELS, "cough"))
    assert any("label 'cough' has 0 usable clips" in problem for problem in problems)


def test_the_same_recording_in_two_folds_is_refused(project: Path) -> None:
    table = clip_table(LABELS, folds=5)
    table.loc[1, "sha256"] = table["sha256"][0]
    _, _, problems = judge(table, project)
    assert any("the same recording is in two folds" in problem for problem in problems)
    assert any(table["path"][0] in problem for problem in problems)


@pytest.mark.parametrize("column", ["group", "fold"])
def test_one_sound_in_two_files_is_one_recording(column: str, project: Path) -> None:
    """A WAV and its FLAC twin: other files, the same samples."""
    table = clip_table(LABELS, folds=5 if column == "fold" else 0)
    table.loc[1, "sound"] = table["sound"][0]
    _, _, problems = judge(table, project)
    assert any(f"the same recording is in two {column}s" in problem for problem in problems)


def test_a_group_in_two_folds_is_refused(project: Path) -> None:
    table = clip_table(LABELS, folds=5)
    table.loc[1, "group"] = table["group"][0]
    _, _, problems = judge(table, project)
    assert any("a group is in two folds" in problem for problem in problems)


def test_a_copy_in_the_same_fold_is_kept_once(project: Path) -> None:
    table = clip_table(LABELS)
    table.loc[1, ["sound", "group"]] = [table["sound"][0], table["group"][0]]
    kept, aside, problems = judge(table, project)
    assert list(aside["path"]) == [table["path"][1]]
    assert "in the set already" in aside["reason"].iloc[0]
    assert table["path"][0] in set(kept["path"])
    assert problems == []


def test_silences_are_set_aside_as_silence_and_not_as_copies(project: Path) -> None:
    table = clip_table(LABELS)
    table.loc[[0, 1, 40], ["sha256", "sound"]] = "of silence"
    table.loc[[0, 1, 40], "silence_share"] = 1.0
    _, aside, _ = judge(table, project)
    assert len(aside) == 3
    assert aside["reason"].str.startswith("digital silence").all()


def test_one_sound_under_two_labels_is_kept_under_neither(project: Path) -> None:
    table = clip_table(LABELS)
    table.loc[40, ["sound", "group"]] = [table["sound"][0], table["group"][0]]
    _, aside, _ = judge(table, project)
    assert set(aside["path"]) == {table["path"][0], table["path"][40]}
    assert aside["reason"].str.contains("another label").all()


@pytest.mark.slow
def test_main_stops_with_one_line_and_keeps_every_reason(project: Path) -> None:
    table = clip_table(LABELS)
    table.loc[:9, "duration"] = 0.01
    write_clips(table, project / "clips.parquet")
    paths = [project / name for name in ("clips.parquet", "valid.parquet", "report")]
    with pytest.raises(DataError) as refused:
        validate.main(*paths)
    assert "\n" not in str(refused.value)
    assert len(pd.read_csv(project / ".pocketear/refused/validation/set_aside.csv")) == 10
    assert not (project / "valid.parquet").exists()


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("Cry", "cry", "laugh"), "labels 'Cry', 'cry' differ by case or spaces only"),
        (("baby cry", "baby_cry", "laugh"), "labels 'baby cry', 'baby_cry' differ by case or"),
        (("test", "train"), "labels 'test', 'train' are names of sides, not of sounds"),
        (("fold1", "fold 2", "Fold_3"), "are names of sides, not of sounds"),
        (("training set", "validation"), "are names of sides, not of sounds"),
        (("val", "Valid", "cry"), "labels 'Valid', 'val' are names of sides"),
    ],
)
def test_labels_that_are_hardly_meant_are_named(labels: tuple[str, ...], said: str) -> None:
    (problem,) = label_problems(tuple(sorted(labels)))
    assert said in problem


def test_a_set_of_one_label_is_refused(project: Path) -> None:
    _, _, (problem,) = judge(clip_table({"cry": 12}), project)
    assert "'cry' is the only label" in problem


def test_a_train_among_other_vehicles_is_a_label() -> None:
    assert label_problems(("testing bell", "train", "tram")) == []


def run(project: Path, table: pd.DataFrame, background: str = "[background, other]") -> Audit:
    text = (project / "params.yaml").read_text()
    text = text.replace("background: [background, other]", f"background: {background}")
    (project / "params.yaml").write_text(text)
    write_clips(table, project / "clips.parquet")
    validate.main(*PATHS)
    return read(Path("report/audit.json"), Audit)


def refused_docs(
    project: Path, table: pd.DataFrame, background: str = "[background, other]"
) -> set[str]:
    """The suites that have failed, as the Data Docs of a refused set say."""
    with pytest.raises(DataError):
        run(project, table, background)
    docs = project / ".pocketear/refused/validation/docs"
    index = (docs / "index.html").read_text()
    rows = re.findall(r"(Succeeded|Failed)</td><td><a href=\"([^\"]+)\">(\w+)<", index)
    for status, page, _ in rows:
        assert re.search(rf"Status:</span>\s*<i [^>]*></i>\s*{status}", (docs / page).read_text())
    return {suite for status, _, suite in rows if status == "Failed"}


@pytest.mark.slow
def test_the_data_docs_of_a_refused_set_say_so_whatever_it_is_refused_for(project: Path) -> None:
    few = clip_table({**LABELS, "crry": 1})
    assert refused_docs(project, few) == {"set"}
    assert refused_docs(project, clip_table({"background": 12})) == {"set"}
    assert refused_docs(project, clip_table({**LABELS, "Cry": 30})) == {"set"}
    bad = clip_table(LABELS)
    bad.loc[:2, "duration"] = 0.01
    bad.loc[3:5, "channels"] = 12
    assert refused_docs(project, bad) == {"set"}, "each rule within the 5 %, both together not"
    bad.loc[:9, "duration"] = 0.01
    assert refused_docs(project, bad) == {"clips", "set"}
    bad["error"] = "the file is empty"
    assert refused_docs(project, bad) == {"clips", "set"}
    leak = clip_table(LABELS, folds=5)
    leak.loc[1, "group"] = leak["group"][0]
    assert refused_docs(project, leak) == {"dataset"}
    assert refused_docs(project, clip_table(LABELS), "[Back-ground]") == {"set"}


@pytest.mark.slow
def test_clips_set_aside_within_the_limit_fail_no_suite(project: Path) -> None:
    table = clip_table(LABELS)
    table.loc[:4, "duration"] = 0.01
    run(project, table)
    index = Path("report/docs/index.html").read_text()
    assert (index.count("Succeeded"), index.count("Failed")) == (4, 0)


def test_a_misspelt_background_is_refused(project: Path) -> None:
    with pytest.raises(DataError, match=r"background has 'Back-ground', which is no label; is"):
        run(project, clip_table(LABELS), "[Back-ground]")


def test_a_background_that_no_label_is_in_is_asked_about(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(project, clip_table({"cry": 12, "laugh": 12}))
    assert "validate: no label is in listener.background (background, other)" in (
        capsys.readouterr().out
    )


@pytest.mark.slow
def test_a_rate_a_label_is_said_drawn_and_in_the_data_docs_and_stops_nothing(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The gate refuses, so that a person sees what the model made of it."""
    table = clip_table(LABELS)
    table["sample_rate"] = np.where(table["label"] == "background", 44_100, 8000)
    found = run(project, table)
    assert found.worst is not None
    assert found.worst.sentence.startswith("sample_rate alone separates background from ")
    assert found.labels["cry"].sample_rates == {"8000": 30}
    line = f"validate: the gate will refuse this set: {found.worst.sentence}"
    assert line in capsys.readouterr().out
    index = Path("report/docs/index.html").read_text()
    assert (index.count("Succeeded"), index.count("Failed")) == (3, 1)
    assert [path.name for path in Path("report/audit").glob("*.svg")] == ["sample_rate.svg"]
    assert len(pd.read_csv("report/audit/groups.csv")) == 100


@pytest.mark.slow
def test_the_same_clips_give_the_same_report(project: Path) -> None:
    table = clip_table(LABELS)
    table["level_dbfs"] = np.linspace(-40, -10, len(table))
    first: dict[Path, bytes] = {}
    for _ in range(2):
        run(project, table)
        files = [path for path in Path("report").rglob("*") if path.is_file()]
        now = {path: path.read_bytes() for path in files}
        assert not first or now == first
        first = now


def test_a_set_without_a_usable_clip_is_refused_in_a_line(project: Path) -> None:
    table = clip_table({"cry": 6})
    table["error"] = "the file is empty"
    with pytest.raises(DataError, match="6 of 6 clips cannot be used"):
        run(project, table)
