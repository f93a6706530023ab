"""What the stages left, read: absent is fine, wrong is one line."""

from pathlib import Path

import pandas as pd
import pytest

from pocketear.base.errors import DataError
from pocketear.params import load_params
from pocketear.report.findings import Findings, dataset_hash, read_findings
from reported_project import write_reported


def read() -> Findings:
    return read_findings(Path("reports"), Path("data/features"), load_params())


@pytest.mark.parametrize(
    "name",
    [
        "verdict.json", "metrics.json", "parity.json", "latency.json", "evaluation/alarms.csv",
        "evaluation/predictions.parquet", "training/history.csv", "validation/validation.json",
        "validation/set_aside.csv",
    ],
)  # fmt: skip
@pytest.mark.parametrize("content", ["", "not what it should be", '{"another": "version"}'])
def test_a_wrong_file_is_one_line_that_names_it(project: Path, name: str, content: str) -> None:
    write_reported(project)
    (project / "reports" / name).write_text(content)
    with pytest.raises(DataError) as caught:
        read()
    assert str(caught.value).startswith(f"reports/{name}: ")
    assert str(caught.value).endswith("`dvc repro` makes it again")
    assert "\n" not in str(caught.value)


def test_a_cost_report_without_the_file_that_ships_is_refused(project: Path) -> None:
    write_reported(project)
    path = project / "reports/latency.json"
    path.write_text(path.read_text().replace('"shipped": "', '"shipped": "other_'))
    with pytest.raises(DataError, match="no cost of other_cry_laugh_int8"):
        read()


@pytest.mark.parametrize("labels", [("007", "1e3", "5"), ("NA", "nan", "null"), ("true", "false")])
def test_labels_are_text_whatever_they_look_like(project: Path, labels: tuple[str, ...]) -> None:
    write_reported(project, labels=labels)
    found = read()
    assert found.labels == list(labels)
    assert found.alarms is not None
    assert set(found.alarms["label"]) == set(labels)


def test_the_hash_of_a_dataset_is_of_its_clips_in_any_order() -> None:
    index = pd.DataFrame({"sha256": ["a", "b"], "label": ["cry", "laugh"], "split": "test"})
    assert dataset_hash(index) == dataset_hash(index.iloc[::-1])
    assert dataset_hash(index) != dataset_hash(index.assign(split="train"))
