"""promotion: which version ships: challenger against champion on the same clips, and the way back.

Relative and stateful, so it is a command and never a stage: what `gate` says of a model is a
function of commit and data; whether it replaces the one in the field is not.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from pocketear.base import files
from pocketear.base.errors import TrackingError
from pocketear.experiments import registry
from pocketear.experiments.candidate import SIZES, cost, with_interval
from pocketear.experiments.registry import CHALLENGER, CHAMPION, PREVIOUS, Version
from pocketear.params import Params
from pocketear.report.figures import table

PROMOTED_TAG, WITHDRAWN_TAG = "promoted", "withdrawn"  # when, ISO 8601
CHAMPION_FOLDER = Path("build/champion")

Pair = tuple[float, float]  # of version a, of version b


@dataclass(frozen=True)
class Comparison:
    """Two versions on the clips that both were tested on; the labels are b's."""

    a: Version
    b: Version
    clips: int
    accuracy: Pair
    recall: Mapping[str, Pair]
    only_a: int  # clips that only a has right
    only_b: int
    p_value: float  # exact McNemar test, two-sided
    reported: Mapping[str, tuple[str, str]]  # each on its own test side, with its interval
    figures: Mapping[str, tuple[float | None, float | None]]  # sizes and cost


def models(params: Params) -> list[Version]:
    """Every version of this project's model, the newest first."""
    registry.send_pending()
    return registry.versions(params.package.name)


def compare(params: Params, a: str, b: str) -> Comparison:
    """Version `a` against version `b`, each a number or an alias.

    raises: TrackingError if one is not there, or no clip was tested with both
    """
    registry.send_pending()
    first, second = (registry.find(params.package.name, which) for which in (a, b))
    return compare_versions(first, second)


def promote(params: Params, which: str = CHALLENGER) -> Version:
    """Make a version the champion.

    raises: TrackingError if its verdict refused it, or it is worse than the champion on the same
        clips by more than params.promote.max_drop
    """
    registry.send_pending()
    name = params.package.name
    version = registry.find(name, which)
    if not version.accepted:
        reasons = version.tags.get("reasons", "its verdict is not known")
        raise TrackingError(f"{_called(version)} was refused, so it is not promoted: {reasons}")
    champion = _champion(name)
    if champion and champion.version != version.version:
        _refuse_a_drop(compare_versions(champion, version), params.promote.max_drop)
    if not champion or champion.version != version.version:
        registry.set_tag(version, PROMOTED_TAG, _now())
        registry.set_tag(version, WITHDRAWN_TAG, "")
    _point(name)
    return registry.find(name, version.version)


def rollback(params: Params) -> tuple[Version, Path]:
    """Make the champion before this one champion again; its files are put into a folder.

    raises: TrackingError if there is none
    """
    registry.send_pending()
    name = params.package.name
    line = _line(name)
    if len(line) < 2:
        raise TrackingError(
            f"{name}: no earlier champion to go back to; `pocketear models` lists all"
        )
    withdrawn, version = line[0], line[1]
    folder = fetch(version, CHAMPION_FOLDER)
    registry.set_tag(withdrawn, WITHDRAWN_TAG, _now())
    _point(name)
    return registry.find(name, version.version), folder


def fetch(version: Version, folder: Path) -> Path:
    """Put the model files of a version into `folder`, which is replaced as a whole."""
    with files.replacing(folder) as fresh, tempfile.TemporaryDirectory() as scratch:
        fresh.mkdir()
        for path in registry.download(version, "models", Path(scratch)).iterdir():
            if path.suffix != ".zip":
                (fresh / path.name).write_bytes(path.read_bytes())
                continue
            for name, content in files.read_zip(path).items():
                target = fresh / path.stem / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    return folder


def compare_versions(a: Version, b: Version) -> Comparison:
    """See `compare`."""
    with tempfile.TemporaryDirectory() as scratch:
        both = [_tested(version, Path(scratch, version.version)) for version in (a, b)]
    clips = common_clips(both[0].predictions, both[1].predictions)
    if clips.empty:
        raise TrackingError(
            f"{_called(a)} and {_called(b)} were not tested on one common clip, so nothing can be"
            " said; register both on the same test side"
        )
    right = [clips["label"] == clips[f"predicted_{side}"] for side in ("a", "b")]
    by_label = [hits.groupby(clips["label"]).mean() for hits in right]
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    return Comparison(
        a=a,
        b=b,
        clips=len(clips),
        accuracy=(float(right[0].mean()), float(right[1].mean())),
        recall={
            str(label): (by_label[0][label], by_label[1][label]) for label in by_label[0].index
        },
        only_a=only_a,
        only_b=only_b,
        p_value=mcnemar(only_a, only_b),
        reported=_side_by_side(both[0].reported, both[1].reported, "not made"),
        figures=_side_by_side(both[0].figures, both[1].figures, None),
    )


def common_clips(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Clips of both prediction tables, by content: label (b's), predicted_a, predicted_b."""
    keyed = [
        # several clips may be cut from one recording: the n-th of a recording is one clip
        table.assign(cut=table.groupby("sha256").cumcount()).set_index(["sha256", "cut"])
        for table in (a, b)
    ]
    joined = keyed[1][["label", "predicted"]].join(keyed[0]["predicted"].rename("a"), how="inner")
    return joined.rename(columns={"predicted": "predicted_b", "a": "predicted_a"}).reset_index()


def mcnemar(only_a: int, only_b: int) -> float:
    """How likely a difference as large is between two equally good models: exact, two-sided."""
    from scipy.stats import binomtest

    differing = only_a + only_b
    return float(binomtest(only_a, differing, 0.5).pvalue) if differing else 1.0


def render_models(versions: list[Version]) -> str:
    """The versions as a table in Markdown."""
    rows = [
        [
            version.version,
            ", ".join(version.aliases),
            version.tags.get("verdict", ""),
            version.tags.get("accuracy", ""),
            datetime.fromtimestamp(version.time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M"),
            version.tags.get("reasons", ""),
        ]
        for version in versions
    ]
    return table(["version", "alias", "verdict", "accuracy", "registered (UTC)", "reasons"], rows)


def render_comparison(found: Comparison) -> str:
    """A comparison as Markdown."""
    a, b = (f"version {version.version}" for version in (found.a, found.b))
    same = [["accuracy", *_shares(found.accuracy)]]
    same += [[f"recall of {label}", *_shares(pair)] for label, pair in found.recall.items()]
    own = [[name, *pair] for name, pair in found.reported.items()]
    cost = [[name, *map(_figure, pair)] for name, pair in found.figures.items()]
    return "\n".join(
        [
            f"On the {found.clips} clips that both were tested on:",
            table(["", a, b, "difference"], same),
            f"Only {a} has {found.only_a} of them right, only {b} has {found.only_b}:"
            f" p = {found.p_value:.3g} (McNemar, exact).",
            "\nEach on its own test side, accuracy with its 95 % interval:",
            table(["file", a, b], own),
            "\nSize and cost:",
            table(["", a, b], cost),
        ]
    )


@dataclass(frozen=True)
class _Tested:
    predictions: pd.DataFrame
    reported: Mapping[str, str]
    figures: Mapping[str, float]


def _tested(version: Version, scratch: Path) -> _Tested:
    reports = registry.download(version, "reports", scratch)
    predictions = pd.read_parquet(reports / "evaluation" / "predictions.parquet")
    metrics = _json(reports / "metrics.json")
    sizes = {name: float(version.tags[name]) for name in SIZES if name in version.tags}
    return _Tested(
        predictions[predictions["runner"] == version.tags[registry.RUNNER_TAG]],
        {name: with_interval(figures) for name, figures in metrics.items()},
        sizes | cost(_json(reports / "latency.json")),
    )


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _side_by_side(a: Mapping[str, Any], b: Mapping[str, Any], absent: Any) -> dict[str, Any]:
    return {name: (a.get(name, absent), b.get(name, absent)) for name in {**a, **b}}


def _refuse_a_drop(found: Comparison, max_drop: float) -> None:
    before, after = found.accuracy
    if before - after > max_drop:
        raise TrackingError(
            f"{_called(found.b)} is worse than the champion, version {found.a.version}:"
            f" accuracy {after:.3f} against {before:.3f} on the same {found.clips} clips, may lose"
            f" {max_drop:g} (promote.max_drop); `pocketear compare champion"
            f" {found.b.version}` shows where"
        )


def _champion(name: str) -> Version | None:
    line = _line(name)
    return line[0] if line else None


def _line(name: str) -> list[Version]:
    """The champion, the one before it, and so on, by their tags: the aliases only show it."""
    promoted = [
        version
        for version in registry.versions(name)
        if version.tags.get(PROMOTED_TAG) and not version.tags.get(WITHDRAWN_TAG)
    ]
    return sorted(promoted, key=lambda version: version.tags[PROMOTED_TAG], reverse=True)


def _point(name: str) -> None:
    """Bring the aliases in line with the tags."""
    numbers = [version.version for version in _line(name)] + [None, None]
    registry.set_aliases(name, {CHAMPION: numbers[0], PREVIOUS: numbers[1]})


def _called(version: Version) -> str:
    return f"{version.name} version {version.version}"


def _shares(pair: Pair) -> list[str]:
    return [f"{pair[0]:.3f}", f"{pair[1]:.3f}", f"{pair[1] - pair[0]:+.3f}"]


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.6g}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
