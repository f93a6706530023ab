"""What each section of the page shows."""

from pathlib import Path

import pandas as pd

from pocketear.contracts.metrics import Alarms
from pocketear.contracts.verdict import Gate, Verdict
from pocketear.params import load_params
from pocketear.report import views
from pocketear.report.findings import read_findings


def gate(name: str, *, value: float | None, passed: bool, timed: bool = False) -> Gate:
    return Gate(name=name, sense="at most", limit=0.3, value=value, unit="", passed=passed,
                reason="" if passed else "too much", timed=timed)  # fmt: skip


def test_failed_gates_come_first_and_only_values_have_bars(project: Path) -> None:
    found = read_findings(project / "reports", None, load_params())
    gates = (
        gate("host.ratio", value=None, passed=True, timed=True),
        gate("a53.peak_bytes", value=0.6, passed=False),
        gate("file_bytes", value=0.15, passed=True),
    )
    rows = views.gate_rows(Verdict(accepted=False, reasons=(), absent=(), gates=gates), found)
    assert [row.subject for row in rows] == ["a53", "", ""]
    assert [row.advice is None for row in rows] == [False, True, True]
    over, timed, half = (row.bar for row in rows)
    assert timed is None
    assert over and half
    assert half.fill < half.tick < over.fill


def test_recall_precision_and_the_commonest_mistake() -> None:
    table = pd.DataFrame({
        "label": ["cry"] * 4 + ["laugh"] * 2,
        "predicted": ["cry", "laugh", "laugh", "other", "laugh", "laugh"],
    })  # fmt: skip
    cry, laugh, other = views.label_rows(views.confusion_of(table, ["cry", "laugh", "other"]))
    assert (cry.clips, cry.recall, cry.precision, cry.mistaken_for) == (4, 0.25, 1.0, "laugh (2)")
    assert (laugh.recall, laugh.precision, laugh.mistaken_for) == (1.0, 0.5, "")
    assert (other.clips, other.recall, other.precision) == (0, 0.0, 0.0)


def test_what_the_thresholds_cost_comes_with_how_much_was_listened_to() -> None:
    alarms = Alarms(
        misses={"cry": 0.25}, false_alarms=1, quiet_hours=0.05, false_alarms_per_hour_high=94.9
    )
    words = views.alarms_in_words(alarms)
    assert "25.0 % of cry is missed, with 1 false alarm in 3.0 min" in words
    assert "fewer than 94.9 per hour with 95 % confidence" in words
    none = alarms.model_copy(update={"quiet_hours": 0.0, "false_alarms_per_hour_high": None})
    assert "no recording in which any alarm would be false" in views.alarms_in_words(none)


def test_without_a_label_that_sounds_there_is_no_curve() -> None:
    points = pd.DataFrame(
        {"label": ["cry"], "threshold": [0.5], "misses": [None], "false_alarms_per_hour": [0.0]}
    )
    assert views.alarm_curves(points) is None
