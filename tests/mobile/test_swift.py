import re
from pathlib import Path

import pytest
import tree_sitter
import tree_sitter_swift

from places import ROOT

IOS = ROOT / "mobile/ios"
SOURCES = sorted(IOS.rglob("*.swift"))
APPLE_ONLY = ("Accelerate", "AVFoundation", "CoreML", "CryptoKit", "SoundAnalysis", "UIKit")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_sources_parse(path: Path) -> None:
    """`make swift-test` compiles them where it can; a grammar reads them everywhere."""
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
