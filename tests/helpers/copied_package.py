"""A copy of the package whose code a test may change, as fingerprints see it."""

import shutil
from pathlib import Path

import pytest

from places import ROOT
from pocketear.base import fingerprint


def copy_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy the package below `folder`, for fingerprints to be taken of. returns: its folder"""
    copy = folder / "pocketear"
    shutil.copytree(ROOT / "src/pocketear", copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "PACKAGE", copy)
    forget()
    return copy


def forget() -> None:
    """Fingerprints are taken once a process; a change of code or a library is another process."""
    for function in (fingerprint.fingerprint, fingerprint.imports, fingerprint._code):
        function.cache_clear()


def append(path: Path, text: str) -> None:
    """Add `text` at the end of a module."""
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    forget()
