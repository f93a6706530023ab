"""unseen: what `pocketear evaluate` measured on labelled sounds that a model never saw."""

from pydantic import NonNegativeInt, PositiveInt

from pocketear.contracts.metrics import Metrics
from pocketear.contracts.report_file import Contract


class Share(Contract):
    """Accuracy on some of the clips, with its 95 % interval by group. Shares in [0, 1]."""

    name: str
    clips: PositiveInt
    groups: PositiveInt
    accuracy: float
    low: float
    high: float


class SetAside(Contract):
    """A clip that was not judged. path: from the folder of the sounds"""

    path: str
    reason: str


class Unseen(Contract):
    """evaluation.json, by `pocketear evaluate`.

    model: name, version and variant; model_sha256: of its file; data: name of the folder or table
    training: what is known of the clips that the model was trained on, in a sentence
    test_clips: how many of the clips are the test side of the model's own project
    grouped: whether the sounds name groups; else each file is one, and intervals may be too narrow
    renamed: label of the sounds -> label of the model, where --map or --other said so
    metrics: recall, precision and their like are of labels that have clips
    precision_low, precision_high: label -> ends of a 95 % interval; 0 and 1 where never predicted
    confusion: true label -> predicted label -> clips
    by_group: the lowest accuracy first; empty where no group is named
    by_property: column of the clip table -> its values or ranges
    """

    model: str
    model_sha256: str
    data: str
    training: str
    test_clips: NonNegativeInt
    grouped: bool
    renamed: dict[str, str]
    metrics: Metrics
    precision_low: dict[str, float]
    precision_high: dict[str, float]
    confusion: dict[str, dict[str, NonNegativeInt]]
    by_group: tuple[Share, ...]
    by_property: dict[str, tuple[Share, ...]]
    set_aside: tuple[SetAside, ...]
