"""What shows that the cases of benchmarks/hostile.py can fall is not outdated."""

from pathlib import Path

import pytest

from places import ROOT


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import hostile_broken

    return hostile_broken


def test_every_check_that_is_taken_out_is_still_there(broken, tmp_path: Path) -> None:
    for kind, files in broken.WITHOUT.items():
        source = broken.broken_copy(tmp_path / kind, kind)
        for name, changes in files.items():
            text = (source / "pocketear" / name).read_text()
            compile(text, name, "exec")
            assert all(after in text for _, after in changes)
