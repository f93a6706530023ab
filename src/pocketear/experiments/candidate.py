"""judged: what the stages before `register` made, as one object: figures, tags and a model card."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocketear.base import files
from pocketear.params import Params
from pocketear.report.figures import scalars, table

_HEADLINES = ("accuracy", "macro_f1", "calibration_error")
SIZES = ("tflite_bytes", "mlpackage_bytes")  # of what ships: metrics of a run, tags of a version
_COSTS = (
    "instructions_per_second",
    "front_end_instructions_per_second",
    "estimate_ms_per_second",
    "peak_bytes",
)
_TAG_LENGTH = 4000  # characters; MLflow takes 5000


@dataclass(frozen=True)
class Judged:
    """What there is to register: folders of models and reports as the stages wrote them."""

    models: Path
    reports: Path
    params: Params

    @property
    def name(self) -> str:
        """The registered model's name."""
        return self.params.package.name

    @property
    def tflite(self) -> Path:
        """The LiteRT file that ships."""
        return self.models / "litert" / f"{self.name}_{self.params.export.android}.tflite"

    @property
    def runner(self) -> str:
        """The name of that file in metrics and predictions."""
        return f"litert_{self.params.export.android}"

    @property
    def mlpackage(self) -> Path:
        """The Core ML package that ships."""
        return self.models / "coreml" / f"{self.name}_{self.params.export.ios}.mlpackage"

    def sizes(self) -> dict[str, int]:
        """Of the files that ship."""
        package = files.read_folder(self.mlpackage).values()
        return dict(zip(SIZES, (self.tflite.stat().st_size, sum(map(len, package))), strict=True))

    def report(self, name: str) -> Any:
        """One of the JSON reports; {} where it was not made."""
        path = self.reports / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}

    def identity(self) -> str:
        """SHA-256 over the files that ship and the verdict: the same again is the same version."""
        digest = hashlib.sha256(self.tflite.read_bytes())
        for name, content in files.read_folder(self.mlpackage).items():
            digest.update(name.encode() + content)
        digest.update((self.reports / "verdict.json").read_bytes())
        return digest.hexdigest()


def headline(judged: Judged) -> dict[str, float]:
    """The figures by which runs are compared, of the LiteRT file that ships, named with units."""
    shipped = judged.report("metrics.json").get(judged.runner, {})
    figures = {name: shipped[name] for name in _HEADLINES if name in shipped}
    if recalls := shipped.get("recall"):
        figures["recall_min"] = min(recalls.values())
    return (
        {name: float(value) for name, value in figures.items()}
        | {name: float(size) for name, size in judged.sizes().items()}
        | scalars(judged.report("metrics.json"))
        | scalars(_judged_parity(judged.report("parity.json")), "parity")
        | cost(judged.report("latency.json"))
    )


def _judged_parity(parity: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Of the matrix what a gate looks at; the report has the rest."""
    return [
        {key: entry[key] for key in ("runtime", "stage", *entry["limits"])}
        for entry in parity.get("entries", [])
    ]


def cost(latency: Mapping[str, Any]) -> dict[str, float]:
    """What a second of sound costs the file that ships, by phone class: a few figures of many."""
    shipped = latency.get("shipped", {})
    host = {"host.ratio": shipped.get("host", {}).get("ratio_median")}
    classes = {
        f"{phone}.{name}": figures.get(name)
        for phone, figures in shipped.get("arm64", {}).items()
        for name in _COSTS
    }
    return scalars({**host, **classes}, "latency")


def verdict_tags(judged: Judged) -> dict[str, str]:
    """The verdict as tags: `verdict`, `reasons`, `gates`; and what a table shows."""
    verdict = judged.report("verdict.json")
    shipped = judged.report("metrics.json").get(judged.runner, {})
    passed = sum(gate["passed"] for gate in verdict["gates"])
    tags = {
        "verdict": "accepted" if verdict["accepted"] else "refused",
        "gates": f"{passed} of {len(verdict['gates'])} passed",
    }
    if verdict["reasons"]:
        tags["reasons"] = "; ".join(verdict["reasons"])[:_TAG_LENGTH]
    if shipped:
        tags["accuracy"] = with_interval(shipped)
    return tags | {name: str(size) for name, size in judged.sizes().items()}


def with_interval(figures: Mapping[str, float]) -> str:
    """Accuracy and its 95 % interval, for a person to read."""
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    return f"{figures['accuracy']:.3f} ({low:.3f} to {high:.3f})"


def describe(judged: Judged) -> str:
    """The model card, in Markdown."""
    verdict, params = judged.report("verdict.json"), judged.params
    frontend = params.frontend
    seconds = frontend.window_length / frontend.sample_rate
    files = [
        [
            name,
            with_interval(m),
            f"{min(m['recall'].values()):.3f}",
            f"{m['calibration_error']:.3f}",
        ]
        for name, m in judged.report("metrics.json").items()
    ]
    word = "accepted" if verdict["accepted"] else "refused"
    return "\n".join(
        [
            f"# {judged.name} {params.package.version}",
            f"Hears {seconds:g} s at {frontend.sample_rate} Hz, mono; {frontend.kind}, "
            f"{params.model.architecture}; trained on `{params.data.path.as_posix()}`.",
            f"\nVerdict: **{word}**",
            *(f"- {reason}" for reason in verdict["reasons"]),
            "",
            table(["file", "accuracy (95 %)", "worst recall", "calibration error"], files),
            "",
            table(["gate", "", "value", "limit"], [gate_cells(gate) for gate in verdict["gates"]]),
        ]
    )


def gate_cells(gate: Mapping[str, Any]) -> list[str]:
    """One gate of a verdict as texts: name, result, value, limit."""
    value = "not measured" if gate["value"] is None else f"{gate['value']:.4g}{gate['unit']}"
    limit = f"{gate.get('sense', 'limit')} {gate['limit']:.4g}{gate['unit']}"
    return [gate["name"], "passed" if gate["passed"] else "failed", value, limit]
