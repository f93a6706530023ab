"""A project's folder as `gate` leaves it, with the real mobile sources, for the packagers."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from exported_project import working_in
from places import ROOT
from pocketear.packaging import kotlin
from pocketear.params import load_params
from pocketear.runtimes.card import CARD, card_for, card_json, settings_json, write_card
from pocketear.stages import package_android, package_ios
from tiny_model import LABELS, tiny_card, tiny_tflite

GATE = {"name": "litert_int8.accuracy", "sense": "at least", "limit": 0.8, "value": 0.9375,
        "unit": "", "passed": True, "reason": ""}  # fmt: skip
TIMED = {**GATE, "name": "host.ratio", "sense": "at most", "limit": 0.5, "value": 0.123456}
ACCEPTED = {"accepted": True, "reasons": [], "gates": [GATE, TIMED]}
STAGES = {"android": package_android, "ios": package_ios}


def write_project(
    folder: Path, verdict: Mapping[str, Any] = ACCEPTED, module: str = "SoundListener"
) -> None:
    """Verdict, parameters, sources, and both models with a card in them."""
    text = (ROOT / "params.yaml").read_text()
    (folder / "params.yaml").write_text(text.replace("SoundListener", module))
    (folder / "reports").mkdir()
    (folder / "reports/verdict.json").write_text(json.dumps(verdict))
    (folder / "mobile").symlink_to(ROOT / "mobile")
    (ROOT / kotlin.CACHE).mkdir(parents=True, exist_ok=True)
    (folder / kotlin.CACHE).parent.mkdir(exist_ok=True)
    (folder / kotlin.CACHE).symlink_to(ROOT / kotlin.CACHE)
    params = load_params(folder / "params.yaml")
    listener = settings_json(tiny_card().listener)
    android = card_for(params, LABELS, listener, "int8", {"dataset": "ab" * 32})
    litert = folder / "models/litert"
    litert.mkdir(parents=True)
    (litert / "cry_laugh_int8.tflite").write_bytes(write_card(tiny_tflite(), android))
    ios = card_for(params, LABELS, listener, "fp16", {"dataset": "ab" * 32})
    data = folder / "models/coreml/cry_laugh_fp16.mlpackage/Data/com.apple.CoreML"
    (data / "weights").mkdir(parents=True)
    (data / "weights/weight.bin").write_bytes(b"weights")
    (data / "model.mlmodel").write_bytes(specification(card_json(ios)))
    (data.parents[1] / "Manifest.json").write_text("{}")


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


def names(folder: Path) -> set[str]:
    """Every file below `folder`."""
    found = (Path(place, name) for place, _, files in os.walk(folder) for name in files)
    return {path.relative_to(folder).as_posix() for path in found}
