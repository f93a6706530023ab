"""latency: what is written, what is absent, what is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from broken_harness import with_harness
from places import ROOT
from pocketear.base.errors import PhoneError
from pocketear.params import load_params
from pocketear.phone import setup
from pocketear.phone.known_networks import ds_cnn
from pocketear.runtimes.card import write_card
from pocketear.stages import gate, latency
from tiny_model import tiny_card


def exported(project: Path, providers: list[str]) -> Path:
    """models/litert with one file under both names, and params.yaml with these providers."""
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["latency"] |= {"providers": providers, "classes": ["a76"], "repeats": 3}
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    models = project / "models" / "litert"
    models.mkdir(parents=True)
    for variant in ("fp32", "int8"):
        path = models / f"{values['package']['name']}_{variant}.tflite"
        path.write_bytes(write_card(ds_cnn(), tiny_card()))
    return models


def shipped(models: Path) -> Path:
    """The file that ships."""
    params = load_params()
    return models / f"{params.package.name}_{params.export.android}.tflite"


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


def truncate(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def forget_the_card(path: Path) -> None:
    path.write_bytes(ds_cnn())


def other_rate(path: Path) -> None:
    path.write_bytes(write_card(ds_cnn(), tiny_card(sample_rate=8_000)))


def other_metadata(path: Path) -> None:
    """A card of 16 kHz behind metadata of 8 kHz: MediaPipe would go by the second."""
    other = write_card(ds_cnn(), tiny_card(sample_rate=8_000))
    right = write_card(ds_cnn(), tiny_card())
    path.write_bytes(other[: other.index(b"PK\x03\x04")] + right[right.index(b"PK\x03\x04") :])


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (truncate, "no readable model card"),
        (forget_the_card, "no readable model card"),
        (other_rate, "made for 8000 Hz, params.yaml has 16000 Hz"),
        (other_metadata, "its TFLite metadata has another sample rate"),
    ],
)
def test_a_file_that_cannot_be_measured_fails_the_gate_in_one_line(
    project: Path, damage: Callable[[Path], None], why: str
) -> None:
    models = exported(project, ["host"])
    damage(shipped(models))
    latency.main(models, Path("reports/latency.json"))
    found = json.loads(Path("reports/latency.json").read_text())
    (host,) = (g for g in gate.latency_gates(found, load_params().gate) if g.name == "host.ratio")
    assert not host.passed
    assert why in host.reason and shipped(models).name in host.reason
    assert "\n" not in host.reason


def test_a_harness_that_crashes_fails_the_gate_in_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setup.absent():
        pytest.skip(f"nothing can be counted here: {setup.absent()}")
    tools = setup.prepare(ROOT / ".pocketear" / "phone")
    broken = with_harness(tools, project, "int main(void) { *(volatile int *)8 = 1; return 0; }\n")
    monkeypatch.setattr(latency, "prepare", lambda: broken)
    found = latency.measure(exported(project, ["arm64"]), load_params())
    refused = [g for g in gate.latency_gates(found, load_params().gate) if g.name[:3] == "a76"]
    assert len(refused) == 4 and not any(one.passed for one in refused)
    assert all("the harness ended with" in one.reason for one in refused)
    assert not any("\n" in one.reason for one in refused)


def test_a_file_that_should_ship_and_is_not_there_is_an_error(project: Path) -> None:
    models = exported(project, ["host"])
    for path in models.iterdir():
        path.unlink()
    with pytest.raises(PhoneError, match=r"\.tflite: not found"):
        latency.measure(models, load_params())
