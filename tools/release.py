"""The files of a release, from packages that were built and accepted.

python tools/release.py TAG    writes release/: TAG is v and package.version of params.yaml
"""

import shutil
import sys
from pathlib import Path

from pocketear.base.archive import read_folder, sha256, write_zip
from pocketear.base.errors import PocketearError
from pocketear.contracts.report_file import read
from pocketear.contracts.verdict import Verdict
from pocketear.params import PackageParams, load_params

ANDROID, IOS = Path("build/android"), Path("build/ios")
VERDICT, PAGE = Path("reports/verdict.json"), Path("reports/report.html")


def collect(tag: str, package: PackageParams, folder: Path) -> None:
    """Write the Maven layout, the Swift package, what describes them and SHA256SUMS to `folder`.

    raises: PocketearError if the tag names another version, or the verdict refused
    """
    if tag != f"v{package.version}":
        raise PocketearError(
            f"the tag is {tag}, and package.version in params.yaml is {package.version}; a release "
            f"is tagged v{package.version}"
        )
    verdict = read(VERDICT, Verdict)
    if not verdict.accepted:
        raise PocketearError(f"refused, so not released: {'; '.join(verdict.reasons)}")
    maven, swift = ANDROID / "maven", sorted(IOS.glob("*.zip"))
    if not maven.is_dir() or not swift:
        raise PocketearError(f"no packages in {ANDROID} and {IOS}; `make run` builds both")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_zip(folder / f"{package.name}-{package.version}-maven.zip", read_folder(maven))
    for path in (*swift, VERDICT, PAGE, ANDROID / "MODEL_CARD.md"):
        shutil.copy(path, folder)
    for platform in (ANDROID, IOS):
        shutil.copy(platform / "sbom.cdx.json", folder / f"{platform.name}.cdx.json")
    sums = [f"{sha256(content)}  {name}\n" for name, content in read_folder(folder).items()]
    (folder / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")


def main() -> None:
    """Collect the release that the tag names."""
    try:
        collect(" ".join(sys.argv[1:]), load_params().package, Path("release"))
    except PocketearError as error:
        sys.exit(f"error: {error}")
    print(Path("release/SHA256SUMS").read_text(encoding="utf-8"), end="")


if __name__ == "__main__":
    main()
