import pytest

from pocketear.base import fingerprint


def test_a_stages_hash_is_of_what_it_imports_and_of_nothing_else(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprint, "_PACKAGE", tmp_path / "pocketear")
    files = {
        "stages/train.py": "from pocketear.training.network import build\n",
        "model.py": "def build():\n    from pocketear import windows\n",
        "windows.py": "WINDOW = 1\n",
        "errors.py": "",
        "report.py": "import pocketear.training.network\n",
    }
    for name, text in files.items():
        (tmp_path / "pocketear" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pocketear" / name).write_text(text)
    before = fingerprint.code_hash("train")
    (tmp_path / "pocketear/report.py").write_text("")
    (tmp_path / "pocketear/errors.py").write_text("class New: ...\n")
    assert fingerprint.code_hash("train") == before
    (tmp_path / "pocketear/windows.py").write_text("WINDOW = 2\n")
    assert fingerprint.code_hash("train") != before
