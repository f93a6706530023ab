"""maven: an artifact and the files around it in a Maven repository.

source: https://maven.apache.org/repositories/layout.html, https://maven.apache.org/pom.html
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape


@dataclass(frozen=True)
class Coordinates:
    """What names an artifact."""

    group: str
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.group}:{self.name}:{self.version}"

    @property
    def purl(self) -> str:
        """https://github.com/package-url/purl-spec"""
        return f"pkg:maven/{self.group}/{self.name}@{self.version}"


@dataclass(frozen=True)
class Need:
    """What an artifact depends on. kind: jar or aar"""

    at: Coordinates
    scope: str
    kind: str = "jar"


@dataclass(frozen=True)
class Artifact:
    """An AAR with what Maven says of it."""

    at: Coordinates
    description: str
    licence: str
    needs: tuple[Need, ...]


def layout(artifact: Artifact, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a repository that holds this one version, with their checksums.

    files: what follows the artifact's name and version, as `.aar` or `-sources.jar` -> content
    """
    at = artifact.at
    folder = f"{at.group.replace('.', '/')}/{at.name}"
    stem = f"{folder}/{at.version}/{at.name}-{at.version}"
    placed = {
        **{f"{stem}{suffix}": content for suffix, content in files.items()},
        f"{stem}.pom": pom(artifact).encode(),
        f"{folder}/maven-metadata.xml": versions(at).encode(),
    }
    checksums = {
        f"{name}.{kind}": hashlib.new(kind, content, usedforsecurity=False).hexdigest().encode()
        for name, content in placed.items()
        for kind in ("md5", "sha1", "sha256")
    }
    return placed | checksums


def pom(artifact: Artifact) -> str:
    """The POM: what an app gets besides, and a description."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<project xmlns="http://maven.apache.org/POM/4.0.0">\n'
        "  <modelVersion>4.0.0</modelVersion>\n"
        f"{_coordinates(artifact.at, 2)}  <packaging>aar</packaging>\n"
        f"  <description>{escape(artifact.description)}</description>\n"
        f"  <licenses>\n    <license>\n      <name>{escape(artifact.licence)}</name>\n"
        "    </license>\n  </licenses>\n"
        f"  <dependencies>\n{_dependencies(artifact.needs)}  </dependencies>\n</project>\n"
    )


def versions(at: Coordinates) -> str:
    """maven-metadata.xml: which versions there are."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<metadata>\n'
        f"  <groupId>{at.group}</groupId>\n  <artifactId>{at.name}</artifactId>\n"
        f"  <versioning>\n    <latest>{at.version}</latest>\n    <release>{at.version}</release>\n"
        f"    <versions>\n      <version>{at.version}</version>\n    </versions>\n"
        "  </versioning>\n</metadata>\n"
    )


def _dependencies(needs: Iterable[Need]) -> str:
    return "".join(
        f"    <dependency>\n{_coordinates(need.at, 6)}      <scope>{need.scope}</scope>\n"
        f"      <type>{need.kind}</type>\n    </dependency>\n"
        for need in needs
    )


def _coordinates(at: Coordinates, indent: int) -> str:
    lines = {"groupId": at.group, "artifactId": at.name, "version": at.version}
    return "".join(f"{' ' * indent}<{tag}>{text}</{tag}>\n" for tag, text in lines.items())
