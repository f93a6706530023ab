"""package_android: an accepted .tflite -> build/android, two AARs and the Maven layout around them.

The model's AAR holds files only and depends on the runtime's, which holds the code: so an app may
have several models. Both are made without Gradle: a zip of a manifest and, in the runtime, the
compiled Kotlin of mobile/android; in the other the models as assets that are stored, not deflated,
so that a phone maps them into memory. The same bytes for the same commit and data. Without a JDK
and Maven there is no package.

source: the AAR format, https://developer.android.com/studio/projects/android-library
"""

from collections.abc import Mapping
from pathlib import Path

from pocketear.base import process
from pocketear.base.archive import read_folder
from pocketear.contracts.names import ModelFiles, of_windows
from pocketear.contracts.report_file import read
from pocketear.contracts.verdict import Verdict
from pocketear.packaging import kotlin, sbom
from pocketear.packaging.maven import Artifact, Coordinates, Need, layout
from pocketear.packaging.model_card import FILE, render
from pocketear.packaging.package import write_package, write_refusal, zipped
from pocketear.params import PackageParams, load_params
from pocketear.runtimes.card import ModelCard, read_card

SOURCES = Path("mobile/android")
MIN_SDK = 23
# as in mobile/android/gradle.properties and settings.gradle.kts
RUNTIME = Coordinates("dev.pocketear", "pocketear-runtime", "0.2.0")
DEPENDENCIES = (  # of the runtime, as in mobile/android/build.gradle.kts
    Need(Coordinates("org.jetbrains.kotlin", "kotlin-stdlib", "2.0.21"), "compile"),
    Need(Coordinates("org.jetbrains.kotlinx", "kotlinx-coroutines-core-jvm", "1.8.0"), "compile"),
    Need(Coordinates("com.google.ai.edge.litert", "litert", "1.4.1"), "runtime", "aar"),
    Need(Coordinates("com.google.ai.edge.litert", "litert-api", "1.4.1"), "runtime", "aar"),
)
_ASSETS = "assets/pocketear"
_METADATA = "META-INF/com/android/build/gradle/aar-metadata.properties"
_NO_CLASSES = {"META-INF/MANIFEST.MF": b"Manifest-Version: 1.0\r\n\r\n"}


def runtime_files(sources: Path, classes: bytes) -> dict[str, bytes]:
    """What the runtime's AAR holds: posix name -> content."""
    text = (sources / "src/main/AndroidManifest.xml").read_text(encoding="utf-8")
    return {
        "AndroidManifest.xml": manifest(text, RUNTIME.group).encode(),
        "classes.jar": classes,
        "R.txt": b"",
        "proguard.txt": (sources / "consumer-rules.pro").read_bytes(),
        _METADATA: aar_metadata().encode(),
    }


def model_files(models: Mapping[str, bytes], p: PackageParams) -> dict[str, bytes]:
    """What the model's AAR holds: posix name -> content. models: file name -> .tflite"""
    text = '<manifest xmlns:android="http://schemas.android.com/apk/res/android">\n\n</manifest>\n'
    return {
        "AndroidManifest.xml": manifest(text, f"{p.android_group}.{p.name}").encode(),
        "classes.jar": zipped(_NO_CLASSES),
        "R.txt": b"",
        _METADATA: aar_metadata().encode(),
        **{f"{_ASSETS}/{name}": tflite for name, tflite in models.items()},
    }


def manifest(text: str, package: str) -> str:
    """A manifest with what Gradle would add: package and minSdkVersion."""
    head, rest = text.split(">", 1)
    sdk = f'\n\n    <uses-sdk android:minSdkVersion="{MIN_SDK}" />'
    return f'{head}\n    package="{package}">{sdk}{rest}'


def aar_metadata() -> str:
    """What the Android Gradle plugin checks before it takes an AAR."""
    return (
        "aarFormatVersion=1.0\naarMetadataVersion=1.0\n"
        f"minCompileSdk={MIN_SDK}\nminCompileSdkExtension=0\n"
        "minAndroidGradlePluginVersion=1.0.0\ncoreLibraryDesugaringEnabled=false\n"
    )


def model_at(p: PackageParams) -> Coordinates:
    """What an app depends on. Maven's names are joined by dashes."""
    return Coordinates(p.android_group, p.name.replace("_", "-"), p.version)


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
    at = model_at(p)
    content = model_files(models, p)
    aar = zipped(content, stored={"classes.jar", *(f"{_ASSETS}/{name}" for name in models)})
    runtime = zipped(runtime_files(sources, kotlin.classes_jar(sources)), stored={"classes.jar"})
    code = zipped(read_folder(sources / "src/main/kotlin"))
    model = Artifact(
        at, f"Verdict: {verdict.headline}", p.licence, (Need(RUNTIME, "compile", "aar"),)
    )
    ours = Artifact(RUNTIME, "Listens with models of pocketear", "MIT", DEPENDENCIES)
    repository = layout(model, {".aar": aar})
    repository |= layout(ours, {".aar": runtime, "-sources.jar": code})
    return {
        **{f"maven/{name}": data for name, data in repository.items()},
        f"{at.name}-{at.version}.aar": aar,
        f"{RUNTIME.name}-{RUNTIME.version}.aar": runtime,
        FILE: render(card, verdict, models).encode(),
        sbom.FILE: sbom.render(f"{at.purl}?type=aar", card, content, needed(), p),
    }


def needed() -> list[sbom.Needed]:
    """The runtime and its DEPENDENCIES, for the list of what is in the package."""
    return [
        sbom.Needed(at.group, at.name, at.version, at.purl)
        for at in (RUNTIME, *(need.at for need in DEPENDENCIES))
    ]


def main(verdict: Path, models: Path, out: Path) -> None:
    """Write the AARs and their Maven layout; REFUSED.md instead where the verdict refused."""
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
    print(f'package_android: implementation("{model_at(p)}")')


if __name__ == "__main__":
    process.run(main)
