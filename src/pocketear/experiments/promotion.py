"""promotion: which version ships: challenger against champion on the same clips, and rollback.

Relative and stateful, so it is a command and never a stage: a verdict is a function of commit and
data; whether a model replaces the one in the field is not.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pandas as pd

from pocketear.base.archive import check_name, read_zip
from pocketear.base.errors import DataError, DemonstrationError, TrackingError
from pocketear.base.files import replacing
from pocketear.base.tables import markdown_table
from pocketear.contracts.latency import LatencyReport
from pocketear.contracts.metrics import MetricsReport
from pocketear.contracts.report_file import read
from pocketear.experiments import registry, rescoring
from pocketear.experiments.candidate import DEMONSTRATION_TAG, SIZES, cost, with_interval
from pocketear.experiments.registry import CHALLENGER, CHAMPION, PREVIOUS, Version
from pocketear.params import Params

PROMOTED_TAG, WITHDRAWN_TAG = "promoted", "withdrawn"  # when, ISO 8601
OVERRIDE_TAG = "promoted_without_comparison"  # why
CHAMPION_FOLDER = Path("build/champion")

Pair = tuple[float, float]  # of version a, of version b
Value = TypeVar("Value")


@dataclass(frozen=True)
class Comparison:
    """Two versions on the clips that both were tested on; the labels are b's.

    scored_again: how many of the clips a was not tested on, so that its file scored them now
    only_a, only_b: clips that only this version has right; p_value: McNemar's, exact, two-sided
    reported: file -> accuracy on the version's own test side; figures: sizes and cost
    """

    a: Version
    b: Version
    clips: int
    scored_again: int
    accuracy: Pair
    recall: Mapping[str, Pair]
    only_a: int
    only_b: int
    p_value: float
    reported: Mapping[str, tuple[str, str]]
    figures: Mapping[str, tuple[float | None, float | None]]


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
    return compare_versions(first, second, params.frontend.sample_rate)


def promote(params: Params, which: str = CHALLENGER, override: str = "") -> Version:
    """Make a version the champion.

    override: why it is not compared with the champion; kept as the version's tag OVERRIDE_TAG

    raises: DemonstrationError if it is one and params.promote does not allow these;
        TrackingError if its verdict refused it, or it is worse than the champion on the same clips
        by more than params.promote.max_drop
    """
    registry.send_pending()
    name = params.package.name
    version = registry.find(name, which)
    if not version.accepted:
        reasons = version.tags.get("reasons", "its verdict is not known")
        raise TrackingError(f"{_title(version)} was refused, so it is not promoted: {reasons}")
    if DEMONSTRATION_TAG in version.tags and not params.promote.demonstrations:
        raise DemonstrationError(
            f"{_title(version)} is a demonstration ({version.tags[DEMONSTRATION_TAG]}), so it is "
            "not promoted; train on recordings, or set promote.demonstrations to true"
        )
    champion = _champion(name)
    known = champion == version
    if champion and not known:
        if override:
            registry.set_tag(version, OVERRIDE_TAG, override)
        else:
            found = compare_versions(champion, version, params.frontend.sample_rate)
            _refuse_a_drop(found, params.promote.max_drop)
    if not known:
        registry.set_aliases(name, {CHAMPION: version.version, PREVIOUS: _number(champion)})
    if not known or PROMOTED_TAG not in version.tags:
        registry.set_tag(version, PROMOTED_TAG, _now())
        registry.set_tag(version, WITHDRAWN_TAG, "")
    return registry.find(name, version.version)


def rollback(params: Params) -> tuple[Version, Path]:
    """Make the previous champion champion again, and put its files into CHAMPION_FOLDER.

    raises: TrackingError if there is none
    """
    registry.send_pending()
    name = params.package.name
    champion = _champion(name)
    earlier = [version for version in _promoted(name) if version != champion]
    if not champion or not earlier:
        raise TrackingError(
            f"{name}: no earlier champion to go back to; `pocketear models` lists all"
        )
    version, before = earlier[0], next(iter(earlier[1:]), None)
    folder = fetch(version, CHAMPION_FOLDER)
    # first: killed in between, the champion is still the same, and the next call goes on
    registry.set_tag(champion, WITHDRAWN_TAG, _now())
    registry.set_aliases(name, {CHAMPION: version.version, PREVIOUS: _number(before)})
    return registry.find(name, version.version), folder


def fetch(version: Version, folder: Path) -> Path:
    """Put the model files of a version into `folder`, which is replaced as a whole."""
    with replacing(folder) as fresh, tempfile.TemporaryDirectory() as scratch:
        fresh.mkdir()
        for path in registry.download(version, "models", Path(scratch)).iterdir():
            if path.suffix != ".zip":
                (fresh / path.name).write_bytes(path.read_bytes())
                continue
            for name, content in read_zip(path).items():
                check_name(path, f"{path.stem}/{name}")  # of "...zip" the stem is ".."
                target = fresh / path.stem / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    return folder


def compare_versions(a: Version, b: Version, sample_rate: int) -> Comparison:
    """See `compare`. sample_rate: of the waveforms in this folder's feature store"""
    with tempfile.TemporaryDirectory() as scratch:
        of_a, of_b = (_test_results(version, Path(scratch, version.version)) for version in (a, b))
    again = _scored_again(a, of_a.predictions, of_b.predictions, sample_rate)
    clips = common_clips(pd.concat([of_a.predictions, again]), of_b.predictions)
    if clips.empty:
        raise TrackingError(
            f"{_title(a)} and {_title(b)} have no test clip in common, and {rescoring.FEATURES} has"
            " none of the second's for the first to be scored on: compare them where `dvc repro`"
            " made the second, or promote with --override and a reason"
        )
    right_a, right_b = (clips["label"] == clips[f"predicted_{side}"] for side in ("a", "b"))
    recall_a, recall_b = (right.groupby(clips["label"]).mean() for right in (right_a, right_b))
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return Comparison(
        a=a,
        b=b,
        clips=len(clips),
        scored_again=len(again),
        accuracy=(float(right_a.mean()), float(right_b.mean())),
        recall={str(label): (recall_a[label], recall_b[label]) for label in recall_a.index},
        only_a=only_a,
        only_b=only_b,
        p_value=mcnemar(only_a, only_b),
        reported=_side_by_side(of_a.reported, of_b.reported, "not known"),
        figures=_side_by_side(of_a.figures, of_b.figures, None),
    )


def _scored_again(
    version: Version, own: pd.DataFrame, other: pd.DataFrame, sample_rate: int
) -> pd.DataFrame:
    """Predictions of a version for clips of another's test side that are not on its own.

    Only if the feature store here has them: the table is empty where it does not.
    """
    missing = rescoring.clip_keys(other).difference(rescoring.clip_keys(own))
    if missing.empty or not rescoring.FEATURES.is_dir():
        return own.head(0)
    with tempfile.TemporaryDirectory() as scratch:
        files = registry.download(version, "models", Path(scratch))
        return rescoring.score_again(next(files.glob("*.tflite")), missing, sample_rate)


def common_clips(a: pd.DataFrame, b: pd.DataFrame) -> pd.DataFrame:
    """Clips of both prediction tables, by content: label (b's), predicted_a, predicted_b."""
    # several clips may be cut from one recording: the n-th of a recording is one clip
    keyed = [table.set_index(rescoring.clip_keys(table)) for table in (a, b)]
    joined = keyed[1][["label", "predicted"]].join(keyed[0]["predicted"].rename("a"), how="inner")
    return joined.rename(columns={"predicted": "predicted_b", "a": "predicted_a"}).reset_index()


def mcnemar(only_a: int, only_b: int) -> float:
    """The p-value of McNemar's exact test, two-sided: of two equally good models.

    only_a, only_b: clips that only one of them has right
    """
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
    return markdown_table(
        ["version", "alias", "verdict", "accuracy", "registered (UTC)", "reasons"], rows
    )


def render_comparison(found: Comparison) -> str:
    """A comparison as Markdown."""
    a, b = (f"version {version.version}" for version in (found.a, found.b))
    again = f", {a} just now on {found.scored_again} of them" if found.scored_again else ""
    same = [["accuracy", *_shares(found.accuracy)]]
    same += [[f"recall of {label}", *_shares(pair)] for label, pair in found.recall.items()]
    own = [[name, *pair] for name, pair in found.reported.items()]
    costs = [[name, *map(_figure, pair)] for name, pair in found.figures.items()]
    return "\n".join(
        [
            f"On the {found.clips} clips that both were tested on{again}:",
            markdown_table(["", a, b, "difference"], same),
            f"Only {a} has {found.only_a} of them right, only {b} has {found.only_b}:"
            f" p = {found.p_value:.3g} (McNemar, exact).",
            "\nEach on its own test side, accuracy with its 95 % interval:",
            markdown_table(["file", a, b], own),
            "\nSize and cost:",
            markdown_table(["", a, b], costs),
        ]
    )


@dataclass(frozen=True)
class _TestResults:
    predictions: pd.DataFrame  # of the file that ships on Android
    reported: Mapping[str, str]
    figures: Mapping[str, float]


def _test_results(version: Version, scratch: Path) -> _TestResults:
    reports = registry.download(version, "reports", scratch)
    predictions = pd.read_parquet(reports / "evaluation" / "predictions.parquet")
    figures = {name: float(version.tags[name]) for name in SIZES if name in version.tags}
    reported = {}
    try:
        metrics = read(reports / "metrics.json", MetricsReport)
        reported = {name: with_interval(one) for name, one in metrics.items()}
        figures |= cost(read(reports / "latency.json", LatencyReport))
    except DataError:  # another version of pocketear wrote them; predictions are what decides
        pass
    shipped = predictions["runner"] == version.tags[registry.RUNNER_TAG]
    return _TestResults(predictions[shipped], reported, figures)


def _side_by_side(
    a: Mapping[str, Value], b: Mapping[str, Value], absent: Value
) -> dict[str, tuple[Value, Value]]:
    return {name: (a.get(name, absent), b.get(name, absent)) for name in {**a, **b}}


def _refuse_a_drop(found: Comparison, max_drop: float) -> None:
    before, after = found.accuracy
    if before - after > max_drop:
        raise TrackingError(
            f"{_title(found.b)} is worse than the champion, version {found.a.version}:"
            f" accuracy {after:.3f} against {before:.3f} on the same {found.clips} clips, a drop"
            f" of at most {max_drop:g} is allowed (promote.max_drop);"
            f" `pocketear compare champion {found.b.version}` shows where"
        )


def _champion(name: str) -> Version | None:
    """The version that has the alias, whoever gave it: MLflow's own page can."""
    return next((one for one in registry.versions(name) if CHAMPION in one.aliases), None)


def _promoted(name: str) -> list[Version]:
    """Versions that were promoted and not withdrawn since, the last first."""
    promoted = [
        version
        for version in registry.versions(name)
        if version.tags.get(PROMOTED_TAG) and not version.tags.get(WITHDRAWN_TAG)
    ]
    return sorted(promoted, key=lambda version: version.tags[PROMOTED_TAG], reverse=True)


def _number(version: Version | None) -> str | None:
    return version.version if version else None


def _title(version: Version) -> str:
    return f"{version.name} version {version.version}"


def _shares(pair: Pair) -> list[str]:
    return [f"{pair[0]:.3f}", f"{pair[1]:.3f}", f"{pair[1] - pair[0]:+.3f}"]


def _figure(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.6g}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
