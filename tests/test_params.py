from pathlib import Path

import pytest

from places import ROOT
from pocketear.base.errors import ParamsError
from pocketear.params import load_params

TEXT = (ROOT / "params.yaml").read_text()


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("epochs: ", "epoch: 3\n  epochs: ", "train.epoch is not a known parameter (a typo?)"),
        ("  batch_size: 16", "", "train.batch_size is missing"),
        ("batch_size: 16", "batch_size: many", "train.batch_size: input should be a valid integer"),
        ("source: recipe ", "source: recipes ", "data.source: input should be 'recipe'"),
        ("hop_length: 320", "hop_length: 0", "frontend.hop_length: input should be greater than 0"),
        ("fmax: 7600.0", "fmax: 9000.0", "fmax must be at most half of sample_rate"),
        ("win_length: 400", "win_length: 600", "win_length must be at most n_fft"),
        ("floor: 1.0e-9", "floor: .nan", "frontend.floor: input should be"),
        (
            "preset: none",
            "preset: vgg",
            "frontend: preset should be one of none, yamnet, found 'vgg'",
        ),
        ("start: scratch", "start: a.tflite", "model: start must be scratch or a file in data/b"),
        (
            "test_share: 0.2",
            "test_share: 1.5",
            "split.test_share: input should be less than or equal to 0.5",
        ),
    ],
)
def test_a_mistake_is_named_with_its_rule(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert old in TEXT
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(ParamsError) as wrong:
        load_params(path)
    assert line in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_front_end_in_swift_wants_a_power_of_two(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    text = TEXT.replace("ios_front_end: in_model", "ios_front_end: accelerate")
    path.write_text(text)
    assert load_params(path).export.ios_front_end == "accelerate"
    path.write_text(text.replace("n_fft: 512", "n_fft: 640"))
    with pytest.raises(ParamsError) as wrong:
        load_params(path)
    assert str(wrong.value) == (
        f"{path}: export.ios_front_end accelerate needs frontend.n_fft to be a power of two, "
        "16 or more, found 640"
    )


def test_every_mistake_is_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(TEXT.replace("batch_size: 16", "batch_size: -1").replace("fmin: 60", "fmin: x"))
    with pytest.raises(ParamsError, match=r"frontend\.fmin.*train\.batch_size"):
        load_params(path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("seed: [1\n", "not valid YAML"),
        ("", "the file: input should be"),
        ("seed: 1\nseed", "params.yaml line 2: not valid YAML"),
    ],
)
def test_a_file_that_is_no_params_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(ParamsError) as wrong:
        load_params(path)
    assert line in str(wrong.value)


def test_a_missing_file_says_where_to_be(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="run this in the project's folder"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("labels: []  ", "labels: [yes, no]"),
        ("max_clipped_share: 0.2", "max_clipped_share: yes"),
        ("epochs: 80", "epochs: on"),
        ("background: [background, other]", "background: [off]"),
    ],
)
def test_a_word_that_yaml_reads_as_true_or_false_is_asked_for_its_quotes(
    tmp_path: Path, written: str, instead: str
) -> None:
    text = (ROOT / "params.yaml").read_text()
    assert text.count(written) == 1
    (tmp_path / "params.yaml").write_text(text.replace(written, instead))
    with pytest.raises(ParamsError, match="yes, no, on and off are true and false in YAML; put"):
        load_params(tmp_path / "params.yaml")


def test_marks_come_before_refusals(tmp_path: Path) -> None:
    text = (
        (ROOT / "params.yaml").read_text().replace("mark_separation: 0.5", "mark_separation: 0.9")
    )
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ParamsError, match="mark_separation must be at most max_separation"):
        load_params(tmp_path / "params.yaml")
