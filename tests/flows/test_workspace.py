"""params.yaml after an override: every text in it is the text that it was."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from places import ROOT
from pocketear.base.errors import ParamsError
from pocketear.params import load_params
from workspace import set_params

WORDS = [
    *(
        "yes",
        "no",
        "on",
        "off",
        "True",
        "null",
        "~",
        "None",
        "nan",
        ".inf",
        "y",
        "N",
        "0x1F",
        "017",
    ),
    *("1_000", "1e3", "12:30:05", "2024-01-05", "007", "- a", "a: b", "#a", "&a", "*a", "!a", "%a"),
    *("'", '"', "it's", "[a]", "{a}", "a, b", "泣き声", "😭", "עברית", "größer", "a\\b", "@a", "`"),
]
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)


def with_labels(folder: Path, labels: list[str]) -> Path:
    """A params.yaml that has these labels."""
    text = (ROOT / "params.yaml").read_text()
    quoted = ", ".join("'" + label.replace("'", "''") + "'" for label in labels)
    folder.mkdir(exist_ok=True)
    changed = re.sub(r"^  labels: \[\]", lambda _: f"  labels: [{quoted}]", text, flags=re.M)
    (folder / "params.yaml").write_text(changed, encoding="utf-8")
    return folder


@pytest.mark.parametrize("word", WORDS)
def test_an_override_leaves_a_label_what_it_is(tmp_path: Path, word: str) -> None:
    with_labels(tmp_path, [word, "other"])
    before = load_params(tmp_path / "params.yaml")
    assert before.data.labels == (word, "other")
    set_params(tmp_path, ["train.epochs=5"])
    after = load_params(tmp_path / "params.yaml")
    assert (after.data.labels, after.train.epochs) == ((word, "other"), 5)


@given(st.lists(TEXT.map(str.strip).filter(bool), min_size=2, max_size=4, unique=True))
@example(["yes", "no"])
@example(["0", "?0"])
@example(["0", "0?"])
@settings(max_examples=40)
def test_whatever_the_labels_are(
    tmp_path_factory: pytest.TempPathFactory, labels: list[str]
) -> None:
    folder = with_labels(tmp_path_factory.mktemp("labels"), labels)
    try:
        before = load_params(folder / "params.yaml")
    except ParamsError:  # what is refused before needs no override
        return
    set_params(folder, ["train.epochs=5", "train.epochs=6"])
    assert load_params(folder / "params.yaml").data == before.data


def test_words_of_an_override_stay_words(tmp_path: Path) -> None:
    with_labels(tmp_path, ["a", "b"])
    set_params(tmp_path, ["data.labels=['yes', 'no', '12:30']", "data.path='1_000'"])
    data = load_params(tmp_path / "params.yaml").data
    assert (data.labels, str(data.path)) == (("yes", "no", "12:30"), "1_000")
