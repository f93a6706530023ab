"""small: a copy of the project that runs quickly: few clips, one epoch, limits it can meet."""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "flows"), str(ROOT)]

from copies import make_copy  # noqa: E402  flows/ is a folder of scripts
from workspace import set_params  # noqa: E402

_RECIPE = Path("data/recipes/cry_laugh.yaml")
_CLIPS = 24  # of each label, two of one voice
_PARAMS = (
    *("train.epochs=1", "parity.clips=4", "latency.repeats=3"),
    *("gate.min_accuracy=0", "gate.min_recall=0", "gate.max_calibration_error=1"),
    *("gate.max_drop=1", "gate.max_label_drop=1", "gate.max_flips=1", "gate.max_host_ratio=1000"),
    *("gate.max_miss_rate=1", "gate.max_false_alarms_per_hour=1e9", "gate.robust={}"),
    *("split.crossvalidate=never", "promote.demonstrations=true"),
)


def shrink(folder: Path) -> None:
    """Change params.yaml and the recipe of the copy in `folder`."""
    set_params(folder, _PARAMS)
    recipe = (folder / _RECIPE).read_text()
    recipe = re.sub(r"clips: \d+", f"clips: {_CLIPS}", recipe)
    recipe = re.sub(r"clips_per_group: \d+", "clips_per_group: 2", recipe)
    (folder / _RECIPE).write_text(recipe)


def small_copy(folder: Path, cache: Path) -> None:
    """Copy the project, as it is now, into `folder`. cache: its own DVC cache"""
    make_copy(ROOT, folder, [], cache)
    shrink(folder)


def surroundings(folder: Path) -> dict[str, str]:
    """The environment in which the copy runs its own source, whatever changes here meanwhile."""
    uv = ROOT / ".pocketear/uv/bin/uv"  # made by `make setup` where there is no other
    return {
        **os.environ,
        **({"UV": str(uv)} if uv.exists() else {}),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "PREFECT_API_URL": "",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "MLFLOW_TRACKING_URI": "",
    }
