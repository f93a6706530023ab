"""Writes the code that each stage is made of into dvc.yaml, from the imports.

    python tools/dvc_deps.py            writes dvc.yaml
    python tools/dvc_deps.py --check    says what differs, and fails if anything does

Only deps below src/ are written. Data, models and reports are declared by hand.
"""

import re
import sys
from pathlib import Path

from pocketear.base.fingerprint import PACKAGE, files_of

ROOT = PACKAGE.parents[1]
_STAGE = re.compile(r"^  (\w+):$")
_CODE = re.compile(r"^      - src/pocketear/")


def with_deps(text: str) -> str:
    """dvc.yaml with the deps of every stage that runs a module of pocketear.stages as they are."""
    written: list[str] = []
    stage, in_deps = "", False
    for line in text.split("\n"):
        if in_deps and not line.startswith("      "):
            written += code_deps(stage)
            in_deps = False
        if found := _STAGE.match(line):
            stage = found[1]
        if not (in_deps and _CODE.match(line)):
            written.append(line)
        in_deps = in_deps or line == "    deps:"
    return "\n".join(written)


def code_deps(stage: str) -> list[str]:
    """The lines of a stage's deps that name code."""
    return [
        f"      - {path.relative_to(ROOT).as_posix()}" for path in files_of(f"stages/{stage}.py")
    ]


def main() -> None:
    """Write dvc.yaml, or check it."""
    path = Path("dvc.yaml")
    before = path.read_text(encoding="utf-8")
    after = with_deps(before)
    if "--check" in sys.argv:
        changed = set(before.split("\n")) ^ set(after.split("\n"))
        sys.exit(f"dvc.yaml: run `make dvc-deps`: {sorted(changed)}" if before != after else 0)
    path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
