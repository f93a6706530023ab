"""unseen: what `pocketear evaluate` measured -> one HTML page, and the same as text."""

from collections.abc import Iterator

import pandas as pd

from pocketear.base.tables import markdown_table
from pocketear.contracts.unseen import Unseen
from pocketear.evaluation.unseen import CALIBRATION_BINS
from pocketear.evaluation.wording import number, plural
from pocketear.report import views
from pocketear.report.html import html
from pocketear.report.player import ShownClip

_GROUPS_SHOWN = 20
_SET_ASIDE_SHOWN = 20
_UNITS = {
    "duration": "s",
    "sample_rate": "Hz",
    "bandwidth": "Hz",
    "level_dbfs": "dBFS",
    "noise_floor_dbfs": "dBFS",
    "hum": "dB",
    "leading_silence": "s",
    "trailing_silence": "s",
}


def page(found: Unseen, table: pd.DataFrame, worst: list[ShownClip]) -> str:
    """The page. table: predictions, a row a clip; the same arguments give the same bytes"""
    labels = list(next(iter(found.confusion.values())))
    return html(
        "unseen.html",
        {
            "found": found,
            "confusion": views.confusion_of(table, labels),
            "calibration": views.calibration(table, CALIBRATION_BINS),
            "labels": list(label_rows(found)),
            "alarms": views.alarms_in_words(found.metrics.alarms),
            "groups": found.by_group[:_GROUPS_SHOWN],
            "properties": {_title(name): rows for name, rows in found.by_property.items()},
            "set_aside": found.set_aside[:_SET_ASIDE_SHOWN],
            "notes": list(notes(found)),
            "worst": worst,
            "interval": interval,
        },
    )


def text(found: Unseen) -> str:
    """What a terminal shows: accuracy, a row a label, events, and what to know of the clips."""
    own = found.metrics
    lines = [
        f"{found.model} on {found.data}: {plural(own.clips, 'clip')} of "
        f"{plural(own.groups, 'group')}",
        f"accuracy {number(own.accuracy, share=True)}, 95 % interval "
        f"{interval(own.accuracy_low, own.accuracy_high)}",
        "",
        markdown_table(("label", "clips", "groups", "recall", "precision"), [*label_rows(found)]),
        "",
    ]
    events = views.alarms_in_words(own.alarms)
    return "\n".join([*lines, *([events] if events else []), *notes(found)])


def label_rows(found: Unseen) -> Iterator[tuple[str, str, str, str, str]]:
    """Label, clips, groups, recall and precision with their intervals."""
    own = found.metrics
    for label, recall in own.recall.items():
        ends = interval(own.recall_low[label], own.recall_high[label])
        precise = interval(found.precision_low[label], found.precision_high[label])
        predicted = any(row[label] for row in found.confusion.values())
        precision = f"{number(own.precision[label], share=True)} ({precise})"
        yield (
            label,
            str(sum(found.confusion[label].values())),
            str(own.label_groups[label]),
            f"{number(recall, share=True)} ({ends})",
            precision if predicted else "never predicted",
        )


def notes(found: Unseen) -> Iterator[str]:
    """What a reader must know of the clips, a sentence each."""
    yield f"training data: {found.training}"
    if found.test_clips:
        yield (
            "judged clips on the test side of the model's project, which is allowed: "
            f"{found.test_clips}"
        )
    if not found.grouped:
        yield (
            "no groups are named, so each file counts as one: if several files come from one "
            "person or recording, the intervals are too narrow"
        )
    if found.renamed:
        pairs = ", ".join(f"{own} as {target}" for own, target in found.renamed.items())
        yield f"judged under other labels: {pairs}"


def interval(low: float, high: float) -> str:
    """`41.2 to 70.0 %`"""
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def _title(column: str) -> str:
    name = column.removesuffix("_dbfs").replace("_", " ")
    return f"{name}, {_UNITS[column]}" if column in _UNITS else name
