"""package: what both packages share: a refusal, zips, and a folder with its sums."""

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from pocketear.base.archive import sha256, write_zip
from pocketear.base.files import replacing
from pocketear.base.tables import markdown_text
from pocketear.contracts.verdict import Verdict

SUMS, REFUSED = "SHA256SUMS", "REFUSED.md"


def write_refusal(verdict: Verdict, out: Path) -> str:
    """Write a folder `out` that holds REFUSED.md and nothing to install; returns one line.

    A result like any other, so that DVC keeps it: docs/decisions/0021-a-refusal-is-a-result.md
    """
    listed = "\n".join(f"- {markdown_text(reason)}" for reason in verdict.reasons)
    with replacing(out) as fresh:
        fresh.mkdir()
        text = f"# Refused, so there is nothing to install\n\n{listed}\n"
        (fresh / REFUSED).write_text(text, encoding="utf-8")
    reasons = "; ".join(verdict.reasons)
    return f"refused, so nothing is packaged; {out / REFUSED} says why: {reasons}"


def write_package(files: Mapping[str, bytes], out: Path) -> None:
    """Write `files` and their SHA256SUMS as the folder `out`, whole or not at all."""
    with replacing(out) as fresh:
        for name, content in (*files.items(), (SUMS, sums(files))):
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(content)


def zipped(files: Mapping[str, bytes], stored: Collection[str] = ()) -> bytes:
    """The bytes of a zip of `files`, the same every time; those in `stored` are not deflated."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "zip")
        write_zip(path, files, stored=stored)
        return path.read_bytes()


def sums(files: Mapping[str, bytes]) -> bytes:
    """The content of SHA256SUMS, for `sha256sum --check`."""
    return "".join(f"{sha256(files[name])}  {name}\n" for name in sorted(files)).encode()
