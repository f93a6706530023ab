"""folds: what cross-validation by group measured."""

from pydantic import NonNegativeInt

from pocketear.contracts.metrics import Metrics
from pocketear.contracts.report_file import Contract


class GroupFolds(Contract):
    """folds.json, by crossvalidate.

    folds: how many models were trained, each tested on the groups that it never saw; 0: none
    why: a sentence on why there are some, or none
    metrics: of Keras, over all clips, each scored once; None without folds
    """

    folds: NonNegativeInt
    why: str
    metrics: Metrics | None
