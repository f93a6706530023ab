"""package_android: an accepted .tflite -> build/android, an AAR and the Maven layout around it.

The AAR is made without Gradle: a zip of a manifest, the compiled Kotlin of mobile/android, and the
models as assets that are stored, not deflated, so that a phone maps them into memory. The same
bytes for the same commit and data. Without a JDK and Maven there is no package.

source: the AAR format, https://developer.android.com/studio/projects/android-library
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape

from pocketear.base import process
from pocketear.base.archive import read_folder
from pocketear.contracts.names import ModelFiles, of_windows
from pocketear.contracts.report_file import read
from pocketear.contracts.verdict import Verdict
from pocketear.packaging import kotlin, sbom
from pocketear.packaging.model_card import FILE, render
from pocketear.packaging.package import write_package, write_refusal, zipped
from pocketear.params import PackageParams, load_params
from pocketear.runtimes.card import ModelCard, read_card

SOURCES = Path("mobile/android")
MIN_SDK = 23
DEPENDENCIES = (  # group, artifact, version, scope; as in mobile/android/build.gradle.kts
    ("org.jetbrains.kotlin", "kotlin-stdlib", "2.0.21", "compile"),
    ("com.google.ai.edge.litert", "litert", "1.4.1", "runtime"),
    ("com.google.ai.edge.litert", "litert-api", "1.4.1", "runtime"),
)
_ASSETS = "assets/pocketear"
_METADATA = "META-INF/com/android/build/gradle/aar-metadata.properties"


def aar_files(
    models: Mapping[str, bytes], classes: bytes, sources: Path, p: PackageParams
) -> dict[str, bytes]:
    """What the AAR holds: posix name -> content. models: file name -> .tflite"""
    return {
        "AndroidManifest.xml": manifest(sources, p).encode(),
        "classes.jar": classes,
        "R.txt": b"",
        "proguard.txt": (sources / "consumer-rules.pro").read_bytes(),
        _METADATA: aar_metadata().encode(),
        **{f"{_ASSETS}/{name}": tflite for name, tflite in models.items()},
    }


def manifest(sources: Path, p: PackageParams) -> str:
    """The module's manifest with what Gradle would add: package and minSdkVersion."""
    text = (sources / "src/main/AndroidManifest.xml").read_text(encoding="utf-8")
    head, rest = text.split(">", 1)
    sdk = f'\n\n    <uses-sdk android:minSdkVersion="{MIN_SDK}" />'
    return f'{head}\n    package="{p.android_group}.{p.name}">{sdk}{rest}'


def aar_metadata() -> str:
    """What the Android Gradle plugin checks before it takes an AAR."""
    return (
        "aarFormatVersion=1.0\naarMetadataVersion=1.0\n"
        f"minCompileSdk={MIN_SDK}\nminCompileSdkExtension=0\n"
        "minAndroidGradlePluginVersion=1.0.0\ncoreLibraryDesugaringEnabled=false\n"
    )


def pom(p: PackageParams, verdict: Verdict) -> str:
    """The POM: what an app gets besides, and whether it is a demonstration."""
    description = f"Verdict: {verdict.headline}"
    dependencies = "".join(
        f"    <dependency>\n      <groupId>{group}</groupId>\n"
        f"      <artifactId>{artifact}</artifactId>\n      <version>{version}</version>\n"
        f"      <scope>{scope}</scope>\n    </dependency>\n"
        for group, artifact, version, scope in DEPENDENCIES
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
        "  <modelVersion>4.0.0</modelVersion>\n"
        f"  <groupId>{p.android_group}</groupId>\n  <artifactId>{artifact_id(p)}</artifactId>\n"
        f"  <version>{p.version}</version>\n  <packaging>aar</packaging>\n"
        f"  <description>{escape(description)}</description>\n"
        f"  <licenses>\n    <license>\n      <name>{escape(p.licence)}</name>\n"
        "    </license>\n  </licenses>\n"
        f"  <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )


def versions(p: PackageParams) -> str:
    """maven-metadata.xml: which versions there are."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<metadata>\n'
        f"  <groupId>{p.android_group}</groupId>\n  <artifactId>{artifact_id(p)}</artifactId>\n"
        f"  <versioning>\n    <latest>{p.version}</latest>\n    <release>{p.version}</release>\n"
        f"    <versions>\n      <version>{p.version}</version>\n    </versions>\n"
        "  </versioning>\n</metadata>\n"
    )


def artifact_id(p: PackageParams) -> str:
    """The Maven artifact: names there are joined by dashes."""
    return p.name.replace("_", "-")


def maven_layout(
    aar: bytes, sources: bytes, p: PackageParams, verdict: Verdict
) -> dict[str, bytes]:
    """The files of a Maven repository that holds this one version, with their checksums."""
    folder = f"{p.android_group.replace('.', '/')}/{artifact_id(p)}"
    stem = f"{folder}/{p.version}/{artifact_id(p)}-{p.version}"
    files = {
        f"{stem}.aar": aar,
        f"{stem}-sources.jar": sources,
        f"{stem}.pom": pom(p, verdict).encode(),
        f"{folder}/maven-metadata.xml": versions(p).encode(),
    }
    checksums = {
        f"{name}.{kind}": hashlib.new(kind, content, usedforsecurity=False).hexdigest().encode()
        for name, content in files.items()
        for kind in ("md5", "sha1", "sha256")
    }
    return files | checksums


def package(
    models: Mapping[str, bytes],
    card: ModelCard,
    verdict: Verdict,
    sources: Path,
    p: PackageParams,
) -> dict[str, bytes]:
    """Every file of build/android.

    models: file name -> .tflite
    raises: PackagingError if there is nothing to compile the Kotlin sources with
    """
    content = aar_files(models, kotlin.classes_jar(sources), sources, p)
    aar = zipped(content, stored={"classes.jar", *(f"{_ASSETS}/{name}" for name in models)})
    kept = zipped(read_folder(sources / "src/main/kotlin"))
    text = render(card, verdict, models)
    files = {f"maven/{name}": data for name, data in maven_layout(aar, kept, p, verdict).items()}
    files |= {f"{artifact_id(p)}-{p.version}.aar": aar, FILE: text.encode()}
    purl = f"pkg:maven/{p.android_group}/{artifact_id(p)}@{p.version}?type=aar"
    return files | {sbom.FILE: sbom.render(purl, card, content, needed(), p)}


def needed() -> list[sbom.Needed]:
    """DEPENDENCIES, for the list of what is in the package."""
    return [
        sbom.Needed(group, name, version, f"pkg:maven/{group}/{name}@{version}")
        for group, name, version, _ in DEPENDENCIES
    ]


def main(verdict: Path, models: Path, out: Path) -> None:
    """Write the AAR and its Maven layout; REFUSED.md instead where the verdict refused."""
    found = read(verdict, Verdict)
    if not found.accepted:
        print(f"package_android: {write_refusal(found, out)}")
        return
    params = load_params()
    p = params.package
    tflite = ModelFiles(models, p.name).litert(params.export.android)
    card = read_card(tflite)
    named = Path(f"{p.name}.tflite")  # the listener's, and the one that other runtimes open
    content = {
        named.name: tflite.read_bytes(),
        of_windows(named).name: of_windows(tflite).read_bytes(),
    }
    files = package(content, card, found, SOURCES, p)
    write_package(files, out)
    print(f'package_android: implementation("{p.android_group}:{artifact_id(p)}:{p.version}")')


if __name__ == "__main__":
    process.run(main)
