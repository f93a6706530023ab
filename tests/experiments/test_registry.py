"""The registry on a real SQLite store: versions, aliases, and a server that is away."""

import re
from pathlib import Path

import pandas as pd
import pytest

from judged_project import write_judged
from pocketear.base.errors import TrackingError
from pocketear.experiments import client as client_
from pocketear.experiments import registry
from pocketear.experiments.candidate import Judged
from pocketear.params import load_params

pytest_plugins = ["tracked_project"]


def judged():
    return Judged(Path("models"), Path("reports"), load_params())


def test_a_version_carries_its_verdict_its_card_and_its_files(tracked, tmp_path):
    wrong = [0] * 30
    write_judged(tracked, predicted=wrong, accepted=False)
    made = registry.register(judged())
    assert not made.accepted
    assert made.aliases == ("challenger",)
    assert made.tags["reasons"] == "accuracy 0.33 is below 0.8"
    assert made.tags["gates"] == "1 of 2 passed"
    with client_.reaching() as client:
        card = client.get_model_version("cry_laugh", "1").description
    assert "Verdict: **refused**" in card
    assert "accuracy 0.33 is below 0.8" in card
    assert "| litert_int8 | 0.333 (0.233 to 0.433) |" in card
    assert re.search(r"\| accuracy +\| failed \| 0.3333 ", card)

    got = registry.download(made, "reports/evaluation/predictions.parquet", tmp_path / "got")
    assert len(pd.read_parquet(got)) == 60
    shipped = registry.download(made, "models", tmp_path / "got")
    assert {path.name for path in shipped.iterdir()} == {
        "cry_laugh_int8.tflite", "cry_laugh_fp16.mlpackage.zip", "model.keras", "labels.txt",
        "card.json",
    }  # fmt: skip
    assert registry.download(made, "reports/validation/index.html", tmp_path / "got").exists()
    picture = registry.download(made, "plots/confusion.png", tmp_path / "got")
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(TrackingError, match=r"version 1: its run holds no reports/nothing\.json"):
        registry.download(made, "reports/nothing.json", tmp_path / "got")


@pytest.mark.parametrize("which", ["7", "champion", "v7", "no such alias"])
def test_a_version_that_is_not_there_is_one_clear_line(tracked, which):
    with pytest.raises(TrackingError, match=r"cry_laugh: no version .*; `pocketear models` lists"):
        registry.find("cry_laugh", which)


def test_a_missing_model_file_is_named_and_not_taken_for_a_server_that_is_away(tracked):
    write_judged(tracked)
    Path("models/litert/card.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"models/litert/card\.json"):
        registry.register_or_keep(judged())
    assert not registry.PENDING.exists()
