from pathlib import Path

import pytest

from places import ROOT
from pocketear.base.errors import ParamsError
from pocketear.data.sources.recipe import Recipe
from pocketear.data.synthesis.recipe import load_recipe

COMMITTED = ROOT / "data/recipes/cry_laugh.yaml"


def write(folder: Path, old: str, new: str) -> Path:
    """The committed recipe with a change."""
    text = COMMITTED.read_text()
    assert old in text
    (folder / "recipe.yaml").write_text(text.replace(old, new))
    return folder / "recipe.yaml"


def test_rows_have_the_labels_of_the_recipe_and_groups_of_whole_scenes(tmp_path: Path) -> None:
    small = write(tmp_path, "clips: 160", "clips: 5")
    rows = Recipe().read(small, tmp_path / "made").rows
    assert [row.label for row in rows] == ["cry"] * 5 + ["laugh"] * 5 + ["background"] * 5
    assert [row.group for row in rows][:5] == ["scene-0000"] * 2 + ["scene-0001"] * 2 + [
        "scene-0002"
    ]
    assert {row.group for row in rows} == {"scene-0000", "scene-0001", "scene-0002"}
    assert all(row.path.is_file() for row in rows)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seconds: 2.5", "second: 2.5", "second is not a known parameter"),
        ("seconds: 2.5", "seconds: long", "seconds: input should be a valid number"),
        ("sounds: [cry]", "sounds: [crying]", "labels.cry.sounds.0: input should be 'cry', "),
        ("sounds: [cry]", "sounds: []", "labels.cry.sounds: tuple should have at least 1 item"),
        ("[300.0, 600.0]", "[600.0, 300.0]", "pitch_hz: the first of a range must not be above"),
        ("[300.0, 600.0]", "[-300.0, 600.0]", "pitch_hz.0: input should be greater than 0"),
        ("[-38.0, -12.0]", "[-38.0, 12.0]", "level_dbfs: full scale is 0"),
        ("clips: 160", "clips: 0", "labels.cry.clips: input should be greater than 0"),
        ("seed: ", "seed: [", "not valid YAML"),
        ("cry: {clips", "../cry: {clips", "labels.../cry.[key]: string should match pattern"),
    ],
)
def test_a_mistake_in_a_recipe_is_one_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write(tmp_path, old, new)
    with pytest.raises(ParamsError) as refused:
        Recipe().read(path, tmp_path / "made")
    assert str(refused.value).startswith(f"{path}")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_recipe_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="not found"):
        load_recipe(tmp_path / "nothing.yaml")
