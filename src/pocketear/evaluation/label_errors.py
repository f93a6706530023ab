"""label_errors: out-of-fold scores -> clips whose label is probably wrong.

Confident learning (Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in
dataset labels", JAIR 70), as the library cleanlab, by its authors, has it: how often each label is
given for another is estimated from clips that the model is as sure of as it is on average for the
label, and that many clips are suspected, the lowest score of the label as given first.
"""

import numpy as np
import pandas as pd

from pocketear.contracts.names import SCORE_COLUMN, labels_of


def label_errors(table: pd.DataFrame) -> pd.DataFrame:
    """The clips whose label is suspected, the most suspect first.

    table: a row a clip: path, label, and a score a label, by a model that was not trained on it
    returns: the table's rows, in another order and with its index, as path, label, `suggested`,
        the likeliest other label, and `score`, that of the label as given, in [0, 1]
    """
    from cleanlab.filter import find_label_issues  # 1 s

    labels = labels_of(map(str, table.columns))
    scores = table[[SCORE_COLUMN + label for label in labels]].to_numpy(np.float64)
    scores = scores / scores.sum(axis=1, keepdims=True)  # cleanlab finds float32 too inexact
    given = table["label"].map({label: i for i, label in enumerate(labels)}).to_numpy(np.int64)
    places = find_label_issues(
        given, scores, filter_by="low_self_confidence",
        return_indices_ranked_by="self_confidence", n_jobs=1,
    )  # fmt: skip
    own, others = scores[np.arange(len(given)), given], scores.copy()
    others[np.arange(len(given)), given] = -1
    found = table[["path", "label"]].assign(
        suggested=np.asarray(labels, object)[others.argmax(axis=1)], score=own.round(4)
    )
    suspected: pd.DataFrame = found.iloc[places]
    return suspected
