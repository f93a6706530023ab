"""latency: what a file costs on phone classes."""

from pathlib import Path

from pydantic import Field, NonNegativeInt

from pocketear.contracts.report_file import Contract

TIMINGS = Path(".pocketear/timings.json")


class OpCost(Contract):
    """What one op of a file executes. share: of all instructions."""

    op: str
    name: str
    kernel: str
    front_end: bool
    instructions: NonNegativeInt
    share: float


class ClassCost(Contract):
    """What one inference, and a second of listening, costs on a phone class.

    instructions_per_quiet_second: of a look at the samples, where the model is not run
    estimate_…: milliseconds a second, with an interval of the calibration's own error
    mah_per_night…: of battery in 8 hours of listening, by the same estimate and its interval; None
        where no current of the core is published
    """

    instructions_per_inference: NonNegativeInt
    instructions_per_second: NonNegativeInt
    front_end_instructions_per_second: NonNegativeInt
    instructions_per_quiet_second: NonNegativeInt
    by_kind: dict[str, NonNegativeInt]
    by_op: tuple[OpCost, ...]
    costliest_op: str
    estimate_ms_per_second: float
    estimate_low: float
    estimate_high: float
    mah_per_night: float | None = None
    mah_per_night_low: float | None = None
    mah_per_night_high: float | None = None
    leave_one_out_error: float
    peak_bytes: NonNegativeInt
    max_abs_to_host: float


class ModelCost(Contract):
    """What one .tflite costs. arm64: phone class -> cost; {} where nothing could be counted."""

    bytes: NonNegativeInt
    arm64: dict[str, ClassCost] = Field(default_factory=dict)


class TimedLimit(Contract):
    """Whether a time measured by a stopwatch kept to its limit.

    The time itself differs in every run, so it is in no output of a stage: `latency` prints it and
    writes it to TIMINGS, and `register` sends it to MLflow.
    """

    limit: float
    unit: str
    passed: bool


class LatencyReport(Contract):
    """latency.json, by latency.

    shipped: the file that ships on Android; models: file -> cost
    timed: figure of the shipped file -> whether it kept to its limit
    absent: a provider, or one of another file than ships -> why it could not measure
    """

    shipped: str
    models: dict[str, ModelCost]
    timed: dict[str, TimedLimit] = Field(default_factory=dict)
    absent: dict[str, str] = Field(default_factory=dict)

    @property
    def cost(self) -> ModelCost:
        """Of the file that ships."""
        return self.models[self.shipped]


class Timings(Contract):
    """TIMINGS, by latency: what a stopwatch said of one file, on this machine, this time.

    sha256: of the file; providers: host, adb or macos -> figure -> value
    """

    sha256: str
    providers: dict[str, dict[str, float | str]]
