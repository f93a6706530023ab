import re
import shutil
import subprocess
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_swift

from places import ROOT

IOS = ROOT / "mobile/ios"
SOURCES = sorted(IOS.rglob("*.swift"))
APPLE_ONLY = ("Accelerate", "AVFoundation", "CoreML", "CryptoKit", "SoundAnalysis")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_parse(path: Path) -> None:
    """Where there is no Swift to compile them, a grammar at least reads them."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_swift.language()))
    tree = parser.parse(path.read_bytes())
    assert not list(problems(tree.root_node))


def problems(node):
    if node.type == "ERROR" or node.is_missing:
        yield f"line {node.start_point[0] + 1}: {node.text[:60]!r}"
    for child in node.children:
        yield from problems(child)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_apples_frameworks_are_imported_only_where_they_are(path: Path) -> None:
    text = path.read_text()
    for framework in APPLE_ONLY:
        found = re.search(rf"^import {framework}$", text, re.MULTILINE)
        if found:
            before = text[: found.start()]
            assert before.count("#if canImport(") > before.count("#endif"), framework


@pytest.mark.slow
def test_swift_builds_and_tests_it(tmp_path: Path) -> None:
    if not shutil.which("swift"):
        pytest.skip("no Swift (swift.org/install; Debian 13: swiftlang)")
    command = ["swift", "test", "--package-path", str(IOS), "--scratch-path", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning:" not in done.stdout + done.stderr
