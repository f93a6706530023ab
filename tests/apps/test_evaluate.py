"""`pocketear evaluate` on real files, with a model whose answer is known.

The model sees a waveform's mean: above zero it says crying_baby, below laughing, at zero
background. So a clip's level says what is predicted, and its folder what is true.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import accuracy_score, confusion_matrix, precision_score, recall_score

from pocketear.apps.evaluate import Renaming, run
from pocketear.base.errors import DataError
from pocketear.contracts.report_file import read
from pocketear.contracts.unseen import Unseen
from pocketear.data.clip_table import sha256
from pocketear.data.clips import write_clips
from pocketear.evaluation.intervals import share_interval
from pocketear.params import load_params
from pocketear.runtimes.card import write_card
from tables import clip_table
from tiny_model import LABELS, SAMPLE_RATE, mean_tflite, tiny_card

CRY, QUIET, LAUGH = 0.5, 0.0, -0.5
OUT = Path("unseen")
NOTHING = Renaming([], {})


@pytest.fixture
def model(project: Path) -> Path:
    """The model that ships in a project."""
    path = project / "models/litert/cry_laugh_int8.tflite"
    path.parent.mkdir(parents=True)
    frontend = load_params().frontend.model_dump(mode="json")
    path.write_bytes(write_card(mean_tflite(), tiny_card(frontend=frontend)))
    return path


def clip(name: str, level: float, sample_rate: int = SAMPLE_RATE, seconds: float = 1.0) -> Path:
    """A clip of its own content at a level."""
    path = Path("sounds") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(list(name.encode()))
    samples = level + rng.normal(0, 0.001, round(seconds * sample_rate))
    soundfile.write(path, samples, sample_rate)
    return path


def sounds() -> None:
    """Two people each; ben's laughs are taken for cries, one background too."""
    for number in range(3):
        clip(f"crying_baby/anna/{number}.wav", CRY)
        clip(f"crying_baby/ben/{number}.wav", CRY)
        clip(f"laughing/anna/{number}.wav", LAUGH)
        clip(f"laughing/ben/{number}.wav", CRY, 8_000)
        clip(f"background/home/{number}.wav", CRY if number == 2 else QUIET)


def evaluated(renaming: Renaming = NOTHING, data: str = "sounds") -> Unseen:
    """Judge, and read what was written."""
    run(Path(data), None, OUT, renaming, as_json=False)
    return read(OUT / "evaluation.json", Unseen)


def pocketear(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("pocketear")), "evaluate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_figures_are_those_of_scikit_learn(model: Path) -> None:
    sounds()
    found, clips = evaluated(), pd.read_csv(OUT / "clips.csv")
    truth, predicted = clips["label"], clips["predicted"]
    own = found.metrics
    assert (own.clips, own.groups, found.grouped) == (15, 3, True)
    assert own.accuracy == accuracy_score(truth, predicted) == pytest.approx(11 / 15)
    for name, score in (("recall", recall_score), ("precision", precision_score)):
        expected = score(truth, predicted, average=None, labels=list(LABELS))
        assert list(getattr(own, name).values()) == pytest.approx(expected)
    matrix = [[row[label] for label in LABELS] for row in found.confusion.values()]
    np.testing.assert_array_equal(matrix, confusion_matrix(truth, predicted, labels=list(LABELS)))
    cries = (predicted == "crying_baby").to_numpy()
    ends = share_interval((truth == predicted).to_numpy()[cries], clips["group"].to_numpy()[cries])
    assert ends == (found.precision_low["crying_baby"], found.precision_high["crying_baby"])


def test_what_is_hard_is_found_by_group_and_by_property(model: Path) -> None:
    sounds()
    found = evaluated()
    assert [(share.name, share.accuracy) for share in found.by_group] == [
        ("ben", 0.5), ("home", pytest.approx(2 / 3)), ("anna", 1.0),
    ]  # fmt: skip
    rates = {
        share.name: (share.clips, share.accuracy) for share in found.by_property["sample_rate"]
    }
    assert rates == {"8000": (3, 0.0), "16000": (12, pytest.approx(11 / 12))}
    assert "sha256" not in found.by_property and "channels" not in found.by_property


def test_events_are_the_listeners(model: Path) -> None:
    clip("crying_baby/one.wav", CRY, seconds=3)
    clip("background/quiet.wav", QUIET, seconds=20)
    clip("background/loud.wav", LAUGH, seconds=2)
    alarms = evaluated().metrics.alarms
    assert alarms is not None
    assert alarms.misses == {"crying_baby": 0.0}
    assert alarms.false_alarms == 1
    assert alarms.quiet_hours == pytest.approx(22 / 3600)


def test_clips_of_training_are_known_by_content_and_not_judged(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sounds()
    sides = {"crying_baby/anna/0.wav": "train", "laughing/ben/1.wav": "val",
             "laughing/anna/2.wav": "test"}  # fmt: skip
    known = clip_table({"x": 3})
    known["sha256"] = [sha256(Path("sounds") / name) for name in sides]
    write_clips(known.assign(split=list(sides.values())), Path("data/split/clips.parquet"))
    Path("sounds/crying_baby/anna/0.wav").rename("sounds/crying_baby/other name.wav")
    found = evaluated()
    assert {one.path: one.reason for one in found.set_aside} == {
        "crying_baby/other name.wav": "the model was trained on it",
        "laughing/ben/1.wav": "the model's epoch and thresholds were chosen with it",
    }
    assert (found.metrics.clips, found.test_clips) == (13, 1)
    assert not {one.path for one in found.set_aside} & set(pd.read_csv(OUT / "clips.csv")["path"])

    printed = capsys.readouterr()
    assert "crying_baby/other name.wav: the model was trained on it" in printed.err
    assert (
        "judged clips on the test side of the model's project, which is allowed: 1" in printed.out
    )

    write_clips(clip_table({"x": 15}).assign(split="train", sha256=[
        sha256(path) for path in sorted(Path("sounds").rglob("*.wav"))
    ]), Path("data/split/clips.parquet"))  # fmt: skip
    with pytest.raises(DataError, match="sounds: no clip is left to judge the model by"):
        evaluated()


def test_a_model_from_elsewhere_on_the_command_line(model: Path) -> None:
    clip("cry/1.wav", CRY)
    clip("dog/1.wav", QUIET)
    clip("rain/1.wav", LAUGH)
    model.rename("came.tflite")
    labels = ("--map", "cry=crying_baby", "--other", "dog", "rain")
    done = pocketear("sounds", "--model", "came.tflite", *labels, "--json")
    assert done.returncode == 0
    found = Unseen.model_validate_json(done.stdout)
    assert found.training.startswith("nothing is known of the clips")
    assert found.renamed == {"dog": "background", "rain": "background", "cry": "crying_baby"}
    assert found.metrics.recall == {"background": 0.5, "crying_baby": 1.0}
    assert found == read(OUT / "evaluation.json", Unseen)


def test_a_model_knows_its_project_from_any_folder(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cry = clip("crying_baby/1.wav", CRY)
    clip("crying_baby/2.wav", CRY)
    table = clip_table({"x": 1}).assign(split="train", sha256=sha256(cry))
    write_clips(table, Path("data/split/clips.parquet"))
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    run(Path("../sounds"), model, OUT, NOTHING, as_json=False)
    found = read(OUT / "evaluation.json", Unseen)
    assert [one.path for one in found.set_aside] == ["crying_baby/1.wav"]
    assert "data changed since it was made, or were not kept" in found.training


def test_labels_that_the_model_does_not_have(model: Path) -> None:
    clip("cry/1.wav", CRY)
    clip("dog/1.wav", QUIET)
    clip("rain/1.wav", LAUGH)
    with pytest.raises(DataError, match=r"'cry' \(1\), 'dog' \(1\), 'rain' \(1\).*--other cry"):
        evaluated()
    with pytest.raises(DataError, match=r"'dgo': no clip has it; found cry, dog, rain"):
        evaluated(Renaming(["dgo"], {}))
    with pytest.raises(DataError, match=r"'crying': not one of the model's, which are background"):
        evaluated(Renaming([], {"cry": "crying"}))
    assert not OUT.exists()  # refused before anything was decoded


def test_a_model_without_background_has_no_place_for_other_sounds(model: Path) -> None:
    clip("dog/1.wav", QUIET)
    thresholds = {"crying_baby": 0.6, "laughing": 0.7, "background": 0.5}
    card = tiny_card(background=(), thresholds=thresholds)
    model.write_bytes(write_card(mean_tflite(), card))
    with pytest.raises(DataError, match="--other dog: the model has no background label"):
        evaluated(Renaming(["dog"], {}))
    with pytest.raises(DataError, match="For each give --map dog=background"):
        evaluated()


def test_a_label_without_clips_lowers_no_figure(model: Path) -> None:
    clip("crying_baby/1.wav", CRY)
    clip("background/1.wav", QUIET)
    own = evaluated().metrics
    assert own.recall == own.precision == {"background": 1.0, "crying_baby": 1.0}
    assert own.macro_f1 == pytest.approx(1.0)
    assert own.recall_min == 1.0


def test_a_table_names_parts_and_groups(model: Path) -> None:
    path = clip("night.wav", QUIET, seconds=4)
    samples, rate = soundfile.read(path)
    samples[: 2 * rate] += CRY
    soundfile.write(path, samples, rate)
    Path("sounds/clips.csv").write_text(
        "path,label,group,start,end\nnight.wav,crying_baby,anna,0,2\nnight.wav,background,anna,2,4\n"
        "gone.wav,laughing,ben,,\n"
    )
    for data in ("sounds", "sounds/clips.csv"):
        found = evaluated(data=data)
        assert (found.metrics.accuracy, found.metrics.groups) == (1.0, 1)
        (gone,) = found.set_aside
        assert (gone.path, gone.reason.split(";")[0]) == ("gone.wav", "no such file")


@pytest.mark.parametrize("data", ["gone", "empty"])
def test_no_sounds_say_what_to_give(model: Path, data: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(
        DataError, match=f"^{data}: (not found; give|holds no LABEL/clip.wav; make)"
    ):
        evaluated(data=data)


def test_the_same_sounds_give_the_same_bytes_and_no_path_of_this_machine(
    model: Path, tmp_path: Path
) -> None:
    sounds()
    made = []
    for out in ("one", "two"):
        run(Path("sounds").absolute(), model, Path(out), NOTHING, as_json=False)
        made.append({path.name: path.read_bytes() for path in sorted(Path(out).iterdir())})
    assert made[0] == made[1]
    assert sorted(made[0]) == ["clips.csv", "evaluation.html", "evaluation.json"]
    assert not any(str(tmp_path).encode() in content for content in made[0].values())


def test_a_page_shows_names_as_text_and_plays_the_worst_clip_first(model: Path) -> None:
    clip("laughing/<script>alert(1)</script>.wav".replace("/s", "\u2215s"), CRY)
    clip("crying_baby/fine.wav", CRY)
    evaluated()
    page = (OUT / "evaluation.html").read_text()
    assert page.count("<script>") == 1
    assert page.index("play laughing/&lt;script&gt;") < page.index("play crying_baby/fine.wav")
    assert page.count("data:audio/flac;base64,") == 2
    assert "http" not in page.replace("http-equiv", "")
