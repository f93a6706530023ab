"""latency: what is written, what is absent, what is refused."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from pocketear.errors import PhoneError
from pocketear.params import load_params
from pocketear.phone import setup
from pocketear.phone.reference import ds_cnn
from pocketear.stages import latency


def exported(project: Path, providers: list[str]) -> Path:
    """models/litert with one file under both names, and params.yaml with these providers."""
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["latency"] |= {"providers": providers, "classes": ["a76"], "repeats": 3}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    models = project / "models" / "litert"
    models.mkdir(parents=True)
    for variant in ("fp32", "int8"):
        (models / f"{values['package']['name']}_{variant}.tflite").write_bytes(ds_cnn())
    return models


def test_every_file_is_measured_and_the_one_that_ships_is_told(project: Path) -> None:
    if setup.absent():
        pytest.skip(f"nothing can be counted here: {setup.absent()}")
    (project / ".pocketear").symlink_to(ROOT / ".pocketear")
    shutil.copy(ROOT / "uv.lock", project)
    models = exported(project, ["host", "arm64"])
    latency.main(models, project / "reports" / "latency.json")
    found = json.loads((project / "reports" / "latency.json").read_text())
    ships = f"{load_params().package.name}_{load_params().export.android}.tflite"
    assert found["absent"] == {}
    assert found["shipped"] == found["models"][ships]
    assert set(found["models"]) == {path.name for path in models.iterdir()}
    cost = found["shipped"]["arm64"]["a76"]
    assert cost["estimate_low"] < cost["estimate_ms_per_second"] < cost["estimate_high"]
    assert sum(row["instructions"] for row in cost["by_op"]) == cost["instructions_per_window"]
    assert cost["costliest_op"].startswith("CONV_2D conv_0, ")


def test_a_machine_without_the_emulator_lists_it_as_absent(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = exported(project, ["host", "arm64", "adb"])
    monkeypatch.setenv("PATH", "/nowhere")
    found = latency.measure(models, load_params())
    assert set(found["absent"]) == {"arm64", "adb"}
    assert "apt-get install" in found["absent"]["arm64"]
    assert "arm64" not in found["shipped"]
    assert found["shipped"]["host"]["ratio_median"] > 0


def test_a_file_that_should_ship_and_is_not_there_is_an_error(project: Path) -> None:
    models = exported(project, ["host"])
    for path in models.iterdir():
        path.unlink()
    with pytest.raises(PhoneError, match=r"\.tflite: not found"):
        latency.measure(models, load_params())
