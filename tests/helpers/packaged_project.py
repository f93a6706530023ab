"""A project's folder as `gate` leaves it, with the real mobile sources, for the packagers."""

import os
from pathlib import Path

import pytest

from exported_project import working_in
from places import ROOT
from pocketear.base.errors import PackagingError
from pocketear.contracts.names import ModelFiles
from pocketear.contracts.report_file import write
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.packaging import kotlin
from pocketear.params import load_params
from pocketear.runtimes.card import CARD, card_for, card_json, settings_json, write_card
from pocketear.stages import package_android, package_ios
from tiny_model import LABELS, tiny_card, tiny_tflite

GATE = Gate(
    name="litert_int8.accuracy", sense="at least", limit=0.8, value=0.9375, unit="",
    passed=True, reason="",
)  # fmt: skip
TIMED = GATE.model_copy(
    update={"name": "host.ratio", "sense": "at most", "limit": 0.5, "value": None, "timed": True}
)
ACCEPTED = Verdict(accepted=True, reasons=(), absent=(), gates=(GATE, TIMED))
STAGES = {"android": package_android, "ios": package_ios}


def write_project(folder: Path, verdict: Verdict = ACCEPTED, module: str = "CryLaugh") -> None:
    """Verdict, parameters, sources, and both models with a card in them."""
    text = (ROOT / "params.yaml").read_text()
    (folder / "params.yaml").write_text(
        text.replace("ios_module: CryLaugh", f"ios_module: {module}")
    )
    write(verdict, folder / "reports/verdict.json")
    (folder / "mobile").symlink_to(ROOT / "mobile")
    (ROOT / kotlin.CACHE).mkdir(parents=True, exist_ok=True)
    (folder / kotlin.CACHE).parent.mkdir(exist_ok=True)
    (folder / kotlin.CACHE).symlink_to(ROOT / kotlin.CACHE)
    params = load_params(folder / "params.yaml")
    files = ModelFiles(folder / "models", params.package.name)
    listener = settings_json(tiny_card().listener)
    android = card_for(params, LABELS, listener, "int8", {"dataset": "ab" * 32})
    files.litert("int8").parent.mkdir(parents=True)
    for path in (files.litert("int8"), files.litert_window("int8")):
        path.write_bytes(write_card(tiny_tflite(), android))
    ios = card_for(params, LABELS, listener, "fp16", {"dataset": "ab" * 32})
    for package in (files.coreml("fp16"), files.coreml_window("fp16")):
        data = package / "Data/com.apple.CoreML"
        (data / "weights").mkdir(parents=True)
        (data / "weights/weight.bin").write_bytes(b"weights")
        (data / "model.mlmodel").write_bytes(specification(card_json(ios)))
        (package / "Manifest.json").write_text("{}")


def specification(card: str) -> bytes:
    """What of a Core ML specification matters here: metadata between other bytes."""
    value = card.encode()
    size = bytes([len(value) & 0x7F | 0x80, len(value) >> 7])
    entry = b"\n" + bytes([len(CARD)]) + CARD.encode() + b"\x12" + size + value
    return b"\x08\x07" + bytes(100) + entry + bytes(100)


def package(system: str, folder: Path) -> Path:
    """Run package_android or package_ios; return build/SYSTEM."""
    out = Path("build", system)
    with working_in(folder):
        STAGES[system].main(Path("reports/verdict.json"), Path("models"), out)
    return folder / out


def package_or_skip(system: str, folder: Path) -> Path:
    """`package` of a project that is in order; skips where there is no compiler for Android."""
    if system == "android":
        try:
            kotlin.classes_jar(folder / "mobile/android", folder / kotlin.CACHE)
        except PackagingError as error:
            if "no Android package" in str(error):
                pytest.skip(str(error))
            raise
    return package(system, folder)


def names(folder: Path) -> set[str]:
    """Every file below `folder`."""
    found = (Path(place, name) for place, _, files in os.walk(folder) for name in files)
    return {path.relative_to(folder).as_posix() for path in found}
