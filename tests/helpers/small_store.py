"""Thirty short clips of three labels that cannot be mistaken, as a feature store."""

from pathlib import Path

import numpy as np
import soundfile
import yaml

from pocketear.data.store import Store, open_store
from pocketear.params import load_params
from pocketear.stages import featurize
from tables import clip_table

LABELS = ("high", "low", "noise")
SIDES = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
SECONDS = 0.5
WINDOW = 5_760  # samples: sixteen frames


def sound(label: str, number: int) -> np.ndarray:
    """(sample,) at 16 kHz"""
    rng = np.random.default_rng([number, len(label)])
    noise = rng.standard_normal(int(SECONDS * 16_000)) * 0.02
    if label == "noise":
        return noise
    frequency = {"high": 3_000, "low": 300}[label] * rng.uniform(0.9, 1.1)
    tone = np.sin(2 * np.pi * frequency * np.arange(len(noise)) / 16_000)
    # a square wave's harmonics: pooling over frequency cannot tell one pure tone from another
    return noise + 0.3 * (np.sign(tone) if label == "low" else tone)


def make_store(project: Path, clips_per_group: int = 1) -> Store:
    """The store at `features`, and params.yaml to suit it, in the working folder `project`."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    params["frontend"]["window_length"] = params["listener"]["hop_length"] = WINDOW
    params["train"] |= {"epochs": 2, "batch_size": 8}
    params["model"]["width"] = 0.25
    (project / "params.yaml").write_text(yaml.safe_dump(params))
    table = clip_table(dict.fromkeys(LABELS, 10), clips_per_group=clips_per_group)
    table = table.assign(split=SIDES * 3)
    for label, path in zip(table["label"], table["path"], strict=True):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sound(label, int(Path(path).stem)), 16_000)
    (project / "features").mkdir()
    featurize.write_store(table, project / "features", load_params().frontend)
    return open_store(project / "features")
