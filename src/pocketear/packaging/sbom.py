"""sbom: sbom.cdx.json, what a package is made of and needs, as CycloneDX 1.6.

A function of the files: no time and no serial number, so the same package has the same list.

source: https://cyclonedx.org/docs/1.6/json/
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pocketear.base.archive import sha256
from pocketear.params import PackageParams
from pocketear.runtimes.card import ModelCard

FILE = "sbom.cdx.json"


@dataclass(frozen=True)
class Needed:
    """A library that an app gets besides. purl: https://github.com/package-url/purl-spec"""

    group: str
    name: str
    version: str
    purl: str


def render(
    purl: str,
    card: ModelCard,
    files: Mapping[str, bytes],
    needs: Iterable[Needed],
    p: PackageParams,
) -> bytes:
    """The text of sbom.cdx.json. purl: of the package; files: in it, name -> content"""
    model = f"{card.name}-{card.variant}"
    inside = [_model(model, card), *(_file(name, files[name]) for name in sorted(files))]
    libraries = [_library(one) for one in needs]
    parts = [*inside, *libraries]
    content = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": _package(purl, p)},
        "components": parts,
        "dependencies": [
            {"ref": purl, "dependsOn": sorted(part["bom-ref"] for part in parts)},
            *({"ref": part["bom-ref"]} for part in parts),
        ],
    }
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _package(purl: str, p: PackageParams) -> dict[str, Any]:
    licence = {"licenses": [{"license": {"name": p.licence}}]} if p.licence else {}
    return {
        "type": "library",
        "bom-ref": purl,
        "name": p.name,
        "version": p.version,
        **licence,
        "purl": purl,
    }


def _model(name: str, card: ModelCard) -> dict[str, Any]:
    made = [{"name": f"pocketear:{key}", "value": card.made_from[key]} for key in card.made_from]
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{name}",
        "name": name,
        "version": card.version,
        "properties": sorted(made, key=lambda one: one["name"]),
    }


def _file(name: str, content: bytes) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": sha256(content)}]
    return {"type": "file", "bom-ref": f"file:{name}", "name": name, "hashes": hashes}


def _library(one: Needed) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": one.purl,
        "group": one.group,
        "name": one.name,
        "version": one.version,
        "scope": "required",
        "purl": one.purl,
    }
