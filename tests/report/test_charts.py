"""Pictures on the page and in MLflow."""

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Annotation
from PIL import Image

from pocketear.base.errors import DataError
from pocketear.report import charts
from reported_project import write_reported

LABELS = ["_cry", "a $x$ & <b>", "#2b62c9", 'id="x"', "плач 😀", *(f"label {i}" for i in range(8))]


def alarms(labels: list[str]) -> pd.DataFrame:
    rows = [
        (label, threshold, threshold / 2, (1 - threshold) * (i + 1))
        for i, label in enumerate(labels)
        for threshold in (0.5, 0.9, 0.7)
    ]
    return pd.DataFrame(rows, columns=["label", "threshold", "misses", "false_alarms_per_hour"])


def drawn(labels: list[str], name: str = "alarms") -> ElementTree.Element:
    return parsed(charts.svg(charts.alarm_curves(alarms(labels)), name, "title"))


def parsed(picture: str) -> ElementTree.Element:
    return ElementTree.fromstring(picture)  # noqa: S314  our own


def curves(picture: ElementTree.Element) -> list[tuple[str, list[tuple[float, float]]]]:
    """Style and points of each line of three points: keys of a legend are level, these fall."""
    found = []
    for path in picture.iter("path"):
        numbers = [*map(float, re.findall(r"-?\d+\.?\d*", path.get("d", "")))]
        points = [*zip(numbers[::2], numbers[1::2], strict=False)]
        if len(points) == 3 and points[0][1] < points[2][1]:
            found.append((path.get("style", ""), points))
    return found


def test_an_alarm_curve_runs_from_the_highest_threshold_down() -> None:
    ((_, points),) = curves(drawn(["cry"]))
    assert points == sorted(points)  # to the right more alarms are false, down fewer are missed


def test_every_label_has_a_line_and_a_colour_of_its_own_and_is_named_as_it_is() -> None:
    picture = drawn(LABELS)
    colours = [re.findall(r"stroke: ([^;]+)", style)[0] for style, _ in curves(picture)]
    assert len(colours) == len(set(colours)) == len(LABELS)
    texts = [text.text for text in picture.iter("text")]
    assert [text for text in texts if text in LABELS] == LABELS


def test_colours_follow_the_page_in_light_and_dark() -> None:
    styles = [element.get("style", "") for element in drawn(LABELS).iter()]
    fixed = [
        style for style in styles if "#" in re.sub(r"light-dark\([^)]*\)|url\([^)]*\)", "", style)
    ]
    assert fixed == []


def test_a_picture_is_the_same_bytes_again_whatever_was_drawn_before() -> None:
    one = charts.svg(charts.alarm_curves(alarms(LABELS)), "alarms", "title")
    charts.training_curve(pd.DataFrame({"epoch": [1], "loss": [1.0], "val_loss": [1.0]}), "loss")
    assert charts.svg(charts.alarm_curves(alarms(LABELS)), "alarms", "title") == one


def test_pictures_on_one_page_do_not_share_ids() -> None:
    ids = [
        {found for element in drawn(LABELS, name).iter() if (found := element.get("id"))}
        for name in ("one", "other")
    ]
    assert ids[0] and ids[1]
    assert not ids[0] & ids[1]


def test_a_title_cannot_leave_its_attribute() -> None:
    figure = charts.alarm_curves(alarms(["cry"]))
    assert '"><script>' not in charts.svg(figure, "alarms", '"><script>alert(1)</script>')


def test_a_label_of_any_length_and_control_characters_is_drawn() -> None:
    texts = [text.text or "" for text in drawn(["x" * 500, "a\x00b\nc"]).iter("text")]
    assert max(map(len, texts)) < 60
    assert "a b c" in texts


@pytest.mark.parametrize("epochs", [1, 3])
def test_the_curves_of_a_training_whose_validation_loss_is_partly_missing(epochs: int) -> None:
    values = [np.nan, 0.5, 0.7][:epochs]
    history = pd.DataFrame({"epoch": range(1, epochs + 1), "loss": 1.0, "val_loss": values})
    assert parsed(charts.svg(charts.training_curve(history, "loss"), "loss", "title")).tag == "svg"


def test_every_table_that_there_is_becomes_a_png(project: Path) -> None:
    write_reported(project, labels=tuple(LABELS))
    (project / "reports/evaluation/alarms.csv").unlink()
    (project / "plots").mkdir()
    charts.draw_all(project / "reports", project / "plots")
    made = sorted((project / "plots").iterdir())
    assert [path.stem for path in made] == ["accuracy", "calibration", "confusion", "loss"]
    for path in made:
        assert len(Image.open(path).convert("RGB").getcolors(1 << 20) or []) > 5


def test_a_damaged_table_is_one_line(project: Path) -> None:
    write_reported(project)
    table = project / "reports/evaluation/confusion.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"confusion\.csv: no column actual, predicted; `dvc repro"):
        charts.draw_all(project / "reports", project)


def test_the_line_of_a_front_goes_from_cheap_to_dear_whatever_was_tried_first() -> None:
    points = pd.DataFrame(
        {
            "accuracy": [0.75, 0.71, 0.73, 0.82],
            "instructions": [6e6, 3.5e6, 2.8e6, 10e6],
            "on_front": [True, False, True, True],
        }
    )
    (axes,) = charts.cost_front(points, budget=12e6, names=["a", "b", "c", "d"]).axes
    every, front, budget = [np.asarray(line.get_xydata(), float) for line in axes.lines]
    assert sorted(every[:, 0]) == [2.8, 3.5, 6, 10]
    assert front.tolist() == [[2.8, 73], [6, 75], [10, 82]]
    assert set(budget[:, 0]) == {12}
    places = {text.get_text(): text.xy for text in axes.texts if isinstance(text, Annotation)}
    assert places == {"a": (6, 75), "b": (3.5, 71), "c": (2.8, 73), "d": (10, 82)}
