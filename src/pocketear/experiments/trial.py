"""trial: a recipe -> how right it is about people it never saw, and what listening costs.

The test side is not looked at: folds of groups are made of the training and validation sides.
"""

from typing import NamedTuple

import numpy as np

from pocketear.data.clips import known_labels
from pocketear.data.store import Store
from pocketear.evaluation.out_of_fold import score_fold, sides_of_fold
from pocketear.params import Params
from pocketear.phone.listening_second import instructions_a_second
from pocketear.phone.setup import Tools
from pocketear.training.sides import side_of

_KNOWN, _UNUSED = "known", "unused"  # sides of their own


class Figures(NamedTuple):
    """accuracy: share of clips that are right, every label and every group of one counting the same

    instructions: of the int8 file, of a second of listening
    """

    accuracy: float
    instructions: int


def accuracy(store: Store, params: Params, folds: int) -> float:
    """Of the clips that are not on the test side, each scored by a model that never saw its group.

    raises: DataError if a label has fewer groups than there are folds
    """
    labels = known_labels(store.index, params.data.labels)
    sides = store.index["split"].map(lambda side: _UNUSED if side == "test" else _KNOWN)
    everyone = side_of(store, sides, _KNOWN, labels)
    index, right = store.index.iloc[everyone.rows], np.zeros(len(sides))
    for fold in range(1, folds + 1):
        sides.iloc[everyone.rows] = sides_of_fold(index, folds, fold, params.seed).to_numpy()
        scores = score_fold(store, sides, params, f"fold {fold} of {folds}, ")
        tested = side_of(store, sides, "test", labels)
        right[tested.rows] = scores.argmax(axis=1) == tested.targets.argmax(axis=1)
    return float(np.average(right[everyone.rows], weights=everyone.weights()))


def judge(store: Store, params: Params, folds: int, phone: tuple[str, Tools]) -> Figures:
    """Both figures of a recipe. phone: a class of phone/classes.yaml, and what counts on it"""
    name, tools = phone
    labels = known_labels(store.index, params.data.labels)
    counted = instructions_a_second(params, labels, [name], tools)
    return Figures(accuracy(store, params, folds), counted[name])
