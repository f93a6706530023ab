"""metrics: what evaluate measured."""

from collections.abc import Iterator

from pydantic import NonNegativeFloat, NonNegativeInt, RootModel

from pocketear.contracts.report_file import Contract


class Alarms(Contract):
    """What the thresholds inside a file cost.

    misses: share of each label's sounds with no event, of the labels that sound
    false_alarms: events in `quiet_hours`, which is sound in which no event is right
    false_alarms_per_hour_high: what their rate stays below, with 95 % confidence; None without
        such sound
    asleep: share of the recordings without any label that is too quiet to be run; None without one
    """

    misses: dict[str, float]
    false_alarms: NonNegativeInt
    quiet_hours: NonNegativeFloat
    false_alarms_per_hour_high: float | None
    asleep: float | None = None


class Metrics(Contract):
    """How well the scores of one runner say labels. Shares in [0, 1]; intervals are 95 %.

    bytes: of the model's file or folder; alarms: of the file that ships on Android
    groups, label_groups: the people or recordings that all clips, or those of a label, come from
    """

    bytes: NonNegativeInt
    clips: NonNegativeInt
    groups: NonNegativeInt
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float
    recall: dict[str, float]
    recall_low: dict[str, float]
    recall_high: dict[str, float]
    precision: dict[str, float]
    label_groups: dict[str, NonNegativeInt]
    recall_min: float
    calibration_error: float
    alarms: Alarms | None = None


class MetricsReport(RootModel[dict[str, Metrics]]):
    """metrics.json, by evaluate: runner -> its metrics on the test side."""

    def __getitem__(self, runner: str) -> Metrics:
        return self.root[runner]

    def get(self, runner: str) -> Metrics | None:
        """The metrics of a runner; None where it was not evaluated."""
        return self.root.get(runner)

    def items(self) -> Iterator[tuple[str, Metrics]]:
        """Runner and metrics, in the order of evaluation."""
        yield from self.root.items()
