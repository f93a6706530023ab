"""folds: what the benchmarks of recipes share: their arguments, and flows/crossvalidate.py."""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from pocketear.params import BACKBONES
from project import ROOT

RESULTS = ROOT / "reports/crossvalidation"
FOLDS = 5
YAMNET = (
    "frontend.preset=yamnet",
    "model.architecture=yamnet",
    f"model.start={BACKBONES}/yamnet.tflite",
)
_SCRATCH = "scratch"  # the recipe that needs no backbone


def asked_for(recipes: Iterable[str], description: str | None) -> tuple[list[str], list[str]]:
    """Read the command line, and put the backbone that it names in its place.

    returns: the recipes that it names; all that can be run here
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", nargs="*", choices=[*recipes, []])
    parser.add_argument("--backbone", type=Path)
    asked = parser.parse_args()
    backbone = ROOT / BACKBONES / "yamnet.tflite"
    if asked.backbone:
        shutil.copy(asked.backbone, backbone)
    return asked.recipes, [one for one in recipes if one == _SCRATCH or backbone.exists()]


def crossvalidate(settings: Iterable[str], by: str) -> None:
    """Test on every fold, two at once; what it finds is in RESULTS. by: fold | group"""
    overrides = [word for setting in settings for word in ("--set", setting)]
    options = [f"--folds={FOLDS}", f"--by={by}", "--at-once=2"]
    command = [sys.executable, "flows/crossvalidate.py", *options, *overrides]
    subprocess.run(command, cwd=ROOT, check=True)
