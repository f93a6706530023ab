"""package: what both packages share: the verdict, zips, and a folder with its sums."""

import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path

from pocketear.base.archive import sha256, write_zip
from pocketear.base.errors import PackagingError
from pocketear.base.files import replacing
from pocketear.contracts.report_file import read
from pocketear.contracts.verdict import Verdict

SUMS = "SHA256SUMS"


def accepted_verdict(path: Path) -> Verdict:
    """Read verdict.json.

    raises: PackagingError with every reason if the model was not accepted
    """
    verdict = read(path, Verdict)
    if not verdict.accepted:
        reasons = "; ".join(verdict.reasons) or "no reason given"
        raise PackagingError(f"{path}: not accepted, so nothing is packaged: {reasons}")
    return verdict


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
