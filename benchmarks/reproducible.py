"""reproducible: two builds that share nothing give the same packages, byte for byte.

nice python benchmarks/reproducible.py

Clones this repository twice, each with its own DVC cache and a small training (small.py), runs `dvc
repro` in both, with different time zones, languages and hash seeds, and compares every file that
ships: .tflite, .mlpackage, AAR and Maven layout, Swift package.
"""

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from claim import publish
from small import ROOT, shrink, surroundings

AROUND: tuple[dict[str, str], ...] = (
    {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"},
    {"TZ": "Asia/Kolkata", "LC_ALL": "C", "PYTHONHASHSEED": "2"},
)
SHIPPED = ("models/litert", "models/coreml", "build/android", "build/ios")


def build(folder: Path, around: dict[str, str]) -> dict[str, str]:
    """A clone of HEAD, built from nothing. returns: every file that ships -> its SHA-256"""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    shrink(folder)
    (folder / "dvc.lock").unlink(missing_ok=True)  # nothing of an earlier build
    repro = [sys.executable, "-m", "dvc", "repro", "--quiet"]
    subprocess.run(repro, cwd=folder, env=surroundings(folder) | around, check=True)
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for place in SHIPPED
        for path in sorted((folder / place).rglob("*"))
        if path.is_file()
    }


def compare(a: dict[str, str], b: dict[str, str]) -> dict[str, object]:
    """The figures of two builds."""
    names = sorted({*a, *b})
    return {
        "artefacts": len(names),
        "identical": sum(a.get(name) == b.get(name) for name in names),
        "different": [name for name in names if a.get(name) != b.get(name)],
        "sha256": {name: a.get(name) for name in names},
    }


def main() -> None:
    """Print and write the figures; fail if a byte differs or nothing was built."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        one, two = (
            build(Path(scratch, f"clone {i}", "pocketear"), around)
            for i, around in enumerate(AROUND)
        )
    publish("reproducible", compare(one, two))
    suffixes = {Path(name).suffix for name in one}
    kinds = {".tflite", ".aar", ".swift", ".mlmodel"}
    sys.exit(0 if one == two and kinds <= suffixes else f"error: differ, or not all of {kinds}")


if __name__ == "__main__":
    main()
