"""latency: what is written, what is absent, what is refused."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from broken_harness import with_harness
from places import ROOT
from pocketear.base.errors import PhoneError
from pocketear.contracts.latency import TIMINGS, LatencyReport, TimedLimit, Timings
from pocketear.contracts.report_file import read
from pocketear.params import load_params
from pocketear.phone import devices, setup
from pocketear.phone.classes import phone_class
from pocketear.phone.known_networks import ds_cnn
from pocketear.runtimes.card import write_card
from pocketear.stages import gate, latency
from tiny_model import tiny_card

REPORT = Path("reports/latency.json")


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


@pytest.mark.slow
def test_every_file_is_counted_and_the_one_that_ships_is_timed(project: Path) -> None:
    if setup.absent():
        pytest.skip(setup.absent())
    (project / ".pocketear").mkdir()
    (project / ".pocketear/phone").symlink_to(ROOT / ".pocketear/phone")
    shutil.copy(ROOT / "uv.lock", project)
    models = exported(project, ["host", "arm64"])
    latency.main(models, REPORT)
    found, timings = read(REPORT, LatencyReport), read(TIMINGS, Timings)
    assert found.absent == {}
    assert found.shipped == shipped(models).name
    assert set(found.models) == {path.name for path in models.iterdir()}
    assert found.cost.bytes == shipped(models).stat().st_size
    one, other = found.models.values()  # the same bytes under two names
    assert one.arm64 == other.arm64
    cost = found.cost.arm64["a76"]
    assert cost.estimate_low < cost.estimate_ms_per_second < cost.estimate_high
    milliamperes = phone_class("a76").milliamperes
    assert milliamperes and cost.mah_per_night == pytest.approx(
        cost.estimate_ms_per_second / 1000 * milliamperes * 8, rel=1e-3
    )
    assert sum(row.instructions for row in cost.by_op) == cost.instructions_per_inference
    assert cost.costliest_op.startswith("CONV_2D conv_0, ")
    assert list(found.timed) == ["host.ratio"]
    assert timings.sha256 == hashlib.sha256(shipped(models).read_bytes()).hexdigest()
    assert float(timings.providers["host"]["ratio_median"]) > 0


@pytest.mark.parametrize(("limit", "passed"), [(1e-9, False), (1e9, True)])
def test_what_a_stopwatch_said_is_in_no_report_but_whether_it_kept_to_its_limit(
    project: Path, limit: float, passed: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    models = exported(project, ["host"])
    values = yaml.safe_load((project / "params.yaml").read_text())
    values["gate"]["max_host_ratio"] = limit
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    latency.main(models, REPORT)
    first = REPORT.read_bytes()
    assert read(REPORT, LatencyReport).timed == {
        "host.ratio": TimedLimit(limit=limit, unit="", passed=passed)
    }
    latency.main(models, REPORT)
    assert REPORT.read_bytes() == first
    ratio = float(read(TIMINGS, Timings).providers["host"]["ratio_median"])
    assert f"ratio_median {ratio:.4g}" in capsys.readouterr().out


def test_only_the_file_that_ships_is_timed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = exported(project, ["host"])
    asked: list[Path] = []

    def host_cost(model: Path, *rest: object) -> dict[str, float]:
        asked.append(model)
        return {"ratio_median": 0.1}

    monkeypatch.setattr(latency, "host_cost", host_cost)
    latency.main(models, REPORT)
    assert asked == [shipped(models)]


def test_a_phone_is_judged_by_a_second_of_listening_paced_as_a_listener(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A window of 7 ms every half second is 14 ms a second, over a limit of 12."""
    models = exported(project, ["adb"])
    params = load_params()
    hop = params.listener.hop_length / params.frontend.sample_rate
    monkeypatch.setattr(devices, "refuse_without_phone", lambda: None)
    monkeypatch.setattr(
        devices, "phone_cost", lambda *_: {"paced_ms_median": 14 * hop, "device": "a phone"}
    )
    for limit, passed in ((12.0, False), (15.0, True)):
        limited = params.gate.model_copy(update={"max_device_ms": limit})
        found, timings = latency.measure(models, params.model_copy(update={"gate": limited}))
        assert timings.providers["adb"]["ms_per_listening_second"] == pytest.approx(14)
        assert found.timed["adb.ms_per_listening_second"].passed == passed


def test_a_machine_without_the_emulator_lists_it_as_absent(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = exported(project, ["host", "arm64", "adb"])
    monkeypatch.setenv("PATH", "/nowhere")
    found, timings = latency.measure(models, load_params())
    other = next(name for name in found.models if name != found.shipped)
    assert set(found.absent) == {"arm64", f"arm64, {other}", "adb"}
    assert "apt-get install" in found.absent["arm64"]
    assert found.cost.arm64 == {}
    assert not found.timed["adb.ms_per_listening_second"].passed
    assert set(timings.providers) == {"host"}


def test_what_was_not_asked_for_is_not_measured_and_says_so(project: Path) -> None:
    found, _ = latency.measure(exported(project, ["adb"]), load_params())
    gates = {one.name: one for one in gate.latency_gates(found, load_params().gate)}
    for name in ("host.ratio", "a53.instructions_per_second"):
        assert "not measured (it is not in latency.providers)" in gates[name].reason


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
    latency.main(models, REPORT)
    found = read(REPORT, LatencyReport)
    (host,) = (g for g in gate.latency_gates(found, load_params().gate) if g.name == "host.ratio")
    assert not host.passed
    assert why in host.reason and shipped(models).name in host.reason
    assert "\n" not in host.reason


@pytest.mark.slow
def test_a_harness_that_crashes_fails_the_gate_in_one_line(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if setup.absent():
        pytest.skip(setup.absent())
    tools = setup.prepare(ROOT / ".pocketear" / "phone")
    broken = with_harness(tools, project, "int main(void) { *(volatile int *)8 = 1; return 0; }\n")
    monkeypatch.setattr(latency, "prepare", lambda: broken)
    found, _ = latency.measure(exported(project, ["arm64"]), load_params())
    refused = [g for g in gate.latency_gates(found, load_params().gate) if g.name[:3] == "a76"]
    assert len(refused) == 3 and not any(one.passed for one in refused)
    assert all("the harness ended with" in one.reason for one in refused)
    assert not any("\n" in one.reason for one in refused)


def test_a_file_that_should_ship_and_is_not_there_is_an_error(project: Path) -> None:
    models = exported(project, ["host"])
    for path in models.iterdir():
        path.unlink()
    with pytest.raises(PhoneError, match=r"\.tflite: not found"):
        latency.measure(models, load_params())
