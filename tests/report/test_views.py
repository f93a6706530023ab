import re

import pandas as pd

from pocketear.report import views


def test_the_alarm_curve_runs_from_the_highest_threshold_down() -> None:
    rows = [("cry", 0.5, 0.0, 20.0), ("cry", 0.9, 1.0, 0.0), ("cry", 0.7, 0.1, 0.0)]
    columns = ["label", "threshold", "misses", "false_alarms_per_hour"]
    drawn = views.alarm_curves(pd.DataFrame(rows, columns=columns))
    path = re.search(r'<polyline class="line s0" points="([^"]+)"', drawn)[1]
    points = [tuple(map(float, point.split(","))) for point in path.split()]
    (x0, top), (x1, low), (x2, bottom) = points
    assert x0 == x1 < x2
    assert top < low < bottom  # down the page: fewer are missed


def test_what_the_thresholds_cost_is_told_with_how_long_was_listened() -> None:
    alarms = {"misses": {"cry": 0.25}, "false_alarms": 1, "quiet_hours": 0.05,
              "false_alarms_per_hour_high": 94.9}  # fmt: skip
    told = views.alarms_told({"alarms": alarms})
    assert "25.0 % of cry is missed; 1 false alarm in 3.0 min" in told
    assert "fewer than 94.9 an hour with 95 % confidence" in told
    alarms |= {"quiet_hours": 0.0, "false_alarms_per_hour_high": None}
    assert "no sound here in which an alarm would be false" in views.alarms_told({"alarms": alarms})
    assert views.alarms_told({}) == ""
