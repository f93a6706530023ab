"""suspects: clips whose label is probably wrong, as pictures and sounds."""

from dataclasses import dataclass

import pandas as pd

from pocketear.contracts.names import SCORE_COLUMN, labels_of
from pocketear.evaluation.label_errors import label_errors
from pocketear.report.findings import Findings
from pocketear.report.player import Judged, ShownClip, likeliest, show

_SHOWN = 12
_KEY = ["path", "sha256", "label", "group"]


@dataclass(frozen=True)
class Suspects:
    """Clips whose label is suspected, of `clips` that were scored by models that never saw them.

    shown: the most suspect of them; label: as given; predicted: the one suggested
    """

    clips: int
    suspected: int
    shown: list[ShownClip]


def suspects(found: Findings) -> Suspects | None:
    """None without out-of-fold scores; none shown without the store of clips."""
    table = found.out_of_fold
    if table is None:
        return None
    suspected = label_errors(table)
    return Suspects(len(table), len(suspected), _shown(found, table, suspected.head(_SHOWN)))


def _shown(found: Findings, table: pd.DataFrame, first: pd.DataFrame) -> list[ShownClip]:
    store, labels = found.store, labels_of(map(str, table.columns))
    if store is None:
        return []
    rows = {key: row for row, key in enumerate(_keys(store.index))}
    keys = pd.Series(_keys(table), index=table.index)
    columns, rate = [SCORE_COLUMN + label for label in labels], found.params.frontend.sample_rate
    clips = []
    for place, path, label, suggested, _ in first.itertuples():
        row = rows.get(keys[place])
        if row is not None:  # else the dataset is another by now
            scores = table.loc[place, columns].to_numpy(float)
            judged = Judged(path, label, suggested, likeliest(scores, labels, label))
            clips.append(show(judged, store.waveform(row), store.features(row), rate))
    return clips


def _keys(table: pd.DataFrame) -> list[tuple[object, ...]]:
    """A key of each clip: parts of one file differ by their order, the same in both tables."""
    number = table.groupby(_KEY).cumcount()
    return list(table[_KEY].assign(number=number).itertuples(index=False, name=None))
