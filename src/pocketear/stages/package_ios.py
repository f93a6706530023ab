"""package_ios: an accepted .mlpackage -> build/ios, a Swift package with the model as a resource.

The sources are those of mobile/ios, under the module's name of params.package, so that an app may
have two models; the shared vectors go beside the tests, so that the package proves itself wherever
it lies. The same bytes for the same
commit and data.
"""

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pocketear.base import process
from pocketear.base.archive import read_folder
from pocketear.base.errors import PackagingError
from pocketear.contracts.names import ModelFiles, of_windows
from pocketear.contracts.report_file import read
from pocketear.contracts.verdict import Verdict
from pocketear.packaging import sbom
from pocketear.packaging.model_card import FILE, render
from pocketear.packaging.package import write_package, write_refusal, zipped
from pocketear.params import PackageParams, load_params
from pocketear.runtimes.card import ModelCard, read_package_card

SOURCES, VECTORS = Path("mobile/ios"), Path("mobile/vectors")
_MODULE = "PocketEar"  # what it is called in mobile/ios
_FOLDERS = ("Sources", "Tests")
_TYPE = re.compile(rb"^ *(?:public |final )*(?:class|struct|enum|protocol|actor) (\w+)", re.M)


def swift_sources(sources: Path, vectors: Path, module: str) -> dict[str, bytes]:
    """The package without its model, as `module`: posix name -> content.

    raises: PackagingError if a type has that name: Swift would take MODULE.SoundEvent for a member
        of the type, so an app with a SoundEvent of its own could not name ours
    """
    kept = {"Package.swift": (sources / "Package.swift").read_bytes()}
    for folder in _FOLDERS:
        for name, content in read_folder(sources / folder).items():
            kept[f"{folder}/{name}"] = content
    if module.encode() in {name for content in kept.values() for name in _TYPE.findall(content)}:
        raise PackagingError(
            f"params.yaml: package.ios_module: {module} is also a type in it; choose another"
        )
    old, new = _MODULE.encode(), module.encode()
    renamed = {_renamed(name, module): kept[name].replace(old, new) for name in sorted(kept)}
    beside = f"Tests/{module}Tests/Vectors"
    return renamed | {f"{beside}/{path.name}": path.read_bytes() for path in vectors.glob("*.json")}


def _renamed(name: str, module: str) -> str:
    path = PurePosixPath(name)
    folders = [part.replace(_MODULE, module) for part in path.parts[:-1]]
    return "/".join([*folders, path.name])


def package(
    models: Mapping[str, bytes],
    card: ModelCard,
    verdict: Verdict,
    swift: Mapping[str, bytes],
    p: PackageParams,
) -> dict[str, bytes]:
    """Every file of build/ios.

    models: the files of the .mlpackages, by their names; swift: what `swift_sources` gives
    """
    folder = f"Sources/{p.ios_module}/Model"
    text = render(card, verdict, models).encode()
    kept = {name: content for name, content in swift.items() if not name.endswith("/README.md")}
    files = {**kept, **{f"{folder}/{name}": data for name, data in models.items()}, FILE: text}
    inside = {f"{p.ios_module}/{name}": content for name, content in files.items()}
    # Core ML is the system's: the package needs nothing else
    parts = sbom.render(f"pkg:swift/{p.ios_module}@{p.version}", card, inside, (), p)
    zipfile = {f"{p.ios_module}-{p.version}.zip": zipped(inside)}
    return {**inside, **zipfile, FILE: text, sbom.FILE: parts}


def main(verdict: Path, models: Path, out: Path) -> None:
    """Write the Swift package and a zip of it; REFUSED.md instead where the verdict refused."""
    found = read(verdict, Verdict)
    if not found.accepted:
        print(f"package_ios: {write_refusal(found, out)}")
        return
    params = load_params()
    p = params.package
    mlpackage = ModelFiles(models, p.name).coreml(params.export.ios)
    if not mlpackage.is_dir():
        raise PackagingError(f"{mlpackage}: not found; `dvc repro export_coreml` makes it")
    card = read_package_card(mlpackage)
    swift = swift_sources(SOURCES, VECTORS, p.ios_module)
    named = Path(f"{p.name}.mlpackage")  # the listener's, and the one for SoundAnalysis
    content = {
        f"{called.name}/{name}": data
        for called, folder in {named: mlpackage, of_windows(named): of_windows(mlpackage)}.items()
        if folder.is_dir()  # with export.ios_front_end accelerate there is none of windows
        for name, data in read_folder(folder).items()
    }
    write_package(package(content, card, found, swift, p), out)
    print(f'package_ios: .package(path: "{out / p.ios_module}")')


if __name__ == "__main__":
    process.run(main)
