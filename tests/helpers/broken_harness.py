"""The tools that count, with another program in place of the harness."""

import subprocess
from dataclasses import replace
from pathlib import Path

from pocketear.phone.setup import CROSS_COMPILER, Tools


def with_harness(tools: Tools, folder: Path, program: str) -> Tools:
    """The same tools, but the arm64 program is another."""
    for name in ("roots", "lib", "counter.so"):
        (folder / name).symlink_to(tools.folder / name)
    (folder / "program.c").write_text(program)
    build = [CROSS_COMPILER, "-o", str(folder / "harness"), str(folder / "program.c")]
    subprocess.run(build, check=True)
    return replace(tools, folder=folder)
