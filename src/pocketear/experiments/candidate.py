"""candidate: the model that the stages before `register` made, with its reports, as one object."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pocketear.base.archive import read_folder, sha256
from pocketear.base.errors import DataError
from pocketear.base.fingerprint import code_hash
from pocketear.base.tables import markdown_text
from pocketear.contracts.latency import TIMINGS, LatencyReport, Timings
from pocketear.contracts.metrics import Metrics, MetricsReport
from pocketear.contracts.names import ModelFiles, shipped_runners
from pocketear.contracts.parity import ParityReport
from pocketear.contracts.report_file import read, read_if_made
from pocketear.contracts.verdict import Verdict
from pocketear.evaluation.wording import runner_name
from pocketear.experiments.client import scalars
from pocketear.packaging import model_card
from pocketear.params import Params
from pocketear.runtimes.card import ModelCard, read_card

SERVED_MODEL = "served_model.py"  # beside this file: the code inside a registered model
SIZES = ("tflite_bytes", "mlpackage_bytes")  # of what ships: metrics of a run, tags of a version
_HEADLINES = ("accuracy", "macro_f1", "recall_min", "calibration_error")
_COSTS = (
    "instructions_per_second",
    "front_end_instructions_per_second",
    "instructions_per_quiet_second",
    "estimate_ms_per_second",
    "peak_bytes",
)
DEMONSTRATION_TAG = "demonstration"  # of a version that has met no real recording
_LONGEST = 5000  # characters of a description or a tag: MLflow's tables on PostgreSQL hold no more


@dataclass(frozen=True)
class Candidate:
    """What there is to register: folders of models and reports as the stages wrote them.

    Its reports raise DataError if they are missing, or another version of pocketear wrote them.
    """

    models: Path
    reports: Path
    params: Params

    @property
    def name(self) -> str:
        """The registered model's name."""
        return self.params.package.name

    @property
    def files(self) -> ModelFiles:
        """Every file below `models`."""
        return ModelFiles(self.models, self.name)

    @property
    def runner(self) -> str:
        """The LiteRT file that ships, as reports name it."""
        return shipped_runners(self.params.export)[0]

    @property
    def tflite(self) -> Path:
        """The LiteRT file that ships."""
        return self.files.litert(self.params.export.android)

    @property
    def mlpackage(self) -> Path:
        """The Core ML package that ships."""
        return self.files.coreml(self.params.export.ios)

    @cached_property
    def card(self) -> ModelCard:
        """What the LiteRT file that ships has inside."""
        return read_card(self.tflite)

    @cached_property
    def metrics(self) -> MetricsReport:
        """Of every runner, on the test side."""
        return read(self.reports / "metrics.json", MetricsReport)

    @cached_property
    def verdict(self) -> Verdict:
        """What `gate` decided."""
        return read(self.reports / "verdict.json", Verdict)

    @property
    def shipped_metrics(self) -> Metrics:
        """Of the LiteRT file that ships, on the test side."""
        found = self.metrics.get(self.runner)
        if not found:
            path = self.reports / "metrics.json"
            raise DataError(f"{path}: has no {self.runner}; `dvc repro` makes it again")
        return found

    def shipped(self) -> dict[str, bytes]:
        """The files that ship: name, or path within the .mlpackage -> content."""
        package = read_folder(self.mlpackage).items()
        inside = {f"{self.mlpackage.name}/{name}": content for name, content in package}
        return {self.tflite.name: self.tflite.read_bytes(), **inside}

    def sizes(self) -> dict[str, int]:
        """SIZES -> bytes."""
        tflite, *package = map(len, self.shipped().values())
        return dict(zip(SIZES, (tflite, sum(package)), strict=True))

    def identity(self) -> str:
        """SHA-256 over the files that ship, the verdict and the serving code: one version each."""
        hashes = {name: sha256(content) for name, content in self.shipped().items()}
        hashes["verdict"] = sha256((self.reports / "verdict.json").read_bytes())
        hashes["serving code"] = code_hash(f"experiments/{SERVED_MODEL}")
        return sha256(json.dumps(hashes, sort_keys=True).encode())

    def timings(self) -> Timings | None:
        """The times last measured; None if there are none, or they are of another LiteRT file."""
        found = read_if_made(TIMINGS, Timings)
        return found if found and found.sha256 == sha256(self.tflite.read_bytes()) else None

    def model_card(self) -> str:
        """The text of MODEL_CARD.md."""
        return model_card.render(self.card, self.verdict, self.shipped())


def headline(candidate: Candidate) -> dict[str, float]:
    """The metrics by which runs are compared; of the LiteRT file unless the name says otherwise."""
    shipped = candidate.shipped_metrics
    parity = read(candidate.reports / "parity.json", ParityReport)
    judged = {  # only the cells that a gate looks at; the report has the whole matrix
        f"{cell.runtime}.{cell.stage}.{name}": cell.figure(name)
        for cell in parity.entries
        for name in cell.limits
    }
    return (
        scalars({name: getattr(shipped, name) for name in _HEADLINES})
        | scalars(candidate.sizes())
        | scalars(candidate.metrics)
        | scalars(judged, "parity")
        | cost(read(candidate.reports / "latency.json", LatencyReport))
    )


def cost(latency: LatencyReport) -> dict[str, float]:
    """What a second of sound costs the LiteRT file that ships, by phone class: a few figures."""
    classes = {
        phone: {name: getattr(one, name) for name in _COSTS}
        for phone, one in latency.cost.arm64.items()
    }
    return scalars(classes, "latency")


def verdict_tags(candidate: Candidate) -> dict[str, str]:
    """The verdict as tags, and what a table of versions shows."""
    verdict = candidate.verdict
    tags = {
        "verdict": verdict.word,
        "gates": f"{_passed(verdict)} passed",
        "accuracy": with_interval(candidate.shipped_metrics),
        **{name: str(size) for name, size in candidate.sizes().items()},
    }
    if verdict.demonstration:
        tags[DEMONSTRATION_TAG] = "rendered sounds only"
    if verdict.reasons:
        tags["reasons"] = _shortened("; ".join(verdict.reasons))
    return tags


def describe(candidate: Candidate) -> str:
    """A summary in Markdown, at most 5000 characters; MODEL_CARD.md has the rest."""
    params, verdict = candidate.params, candidate.verdict
    frontend, runner = params.frontend, runner_name(candidate.runner)
    seconds = frontend.window_length / frontend.sample_rate
    parts = [
        f"**{candidate.name} {params.package.version}**, {runner}: accuracy on the test side "
        f"{with_interval(candidate.shipped_metrics)}",
        f"Window: {seconds:g} s of mono sound at {frontend.sample_rate} Hz; {frontend.kind}, "
        f"{params.model.architecture}",
        f"Verdict: **{verdict.headline}**; {_passed(verdict)} gates passed; "
        f"{model_card.FILE} beside the models lists them",
        "\n".join(f"- {markdown_text(reason)}" for reason in verdict.reasons),
    ]
    return _shortened("\n\n".join(parts).strip())


def with_interval(metrics: Metrics) -> str:
    """Accuracy and its 95 % interval, for a person to read."""
    low, high = metrics.accuracy_low, metrics.accuracy_high
    return f"{metrics.accuracy:.3f} ({low:.3f} to {high:.3f})"


def _passed(verdict: Verdict) -> str:
    count = len(verdict.gates)
    return f"{count - len(verdict.failed)} of {count}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 2]} …"
