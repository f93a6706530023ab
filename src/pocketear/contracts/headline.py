"""headline: the few figures by which experiments are compared."""

from pydantic import Field, NonNegativeInt

from pocketear.contracts.report_file import Contract


class Headline(Contract):
    """headline.json, by gate: what `dvc metrics show` and `dvc exp show` have columns for.

    Of the files that ship, on the test side; accuracy, recall and alarms are the .tflite's. None is
    what was not measured.
    recall_min: of the worst label; false_alarms_per_hour: what their rate stays below, with 95 %
        confidence
    instructions: phone class -> a second of listening
    """

    accepted: bool
    gates_failed: NonNegativeInt
    accuracy: float | None = None
    accuracy_low: float | None = None
    recall_min: float | None = None
    false_alarms_per_hour: float | None = None
    tflite_bytes: NonNegativeInt | None = None
    mlpackage_bytes: NonNegativeInt | None = None
    instructions: dict[str, NonNegativeInt] = Field(default_factory=dict)
