"""validate: the clip table -> the clips that can be used, the others with a reason, and Data Docs.

Four suites of Great Expectations. `clips` judges each row: what it refuses is set aside with a
reason. `dataset` judges what is left between rows, and `set` what is counted over all of it: what
they refuse stops the pipeline. `audit` judges what the gate will refuse.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from pocketear.base import process
from pocketear.base.errors import DataError, shown, shown_number
from pocketear.base.files import replacing
from pocketear.base.home import home
from pocketear.base.tables import write_csv
from pocketear.contracts.audit import Audit
from pocketear.contracts.report_file import write
from pocketear.contracts.validation import Validation
from pocketear.data.audit.chart import draw
from pocketear.data.audit.conclusions import summarise
from pocketear.data.audit.label_names import background_problems, label_problems
from pocketear.data.audit.shortcuts import PROPERTIES, audit, by_group
from pocketear.data.clips import known_labels, read_clips, write_clips
from pocketear.data.data_docs import make_offline
from pocketear.params import ValidationParams, load_params

_NO_TIME = datetime(1980, 1, 1, tzinfo=UTC)
_NAMED = 5  # clips named in an error line; the rest are in set_aside.csv


@dataclass(frozen=True)
class Rule:
    """A bound on a column of the clip table. reason: why a row that breaks it is set aside."""

    column: str
    low: float | None
    high: float | None
    reason: str  # may use {value}, {low}, {high}
    percent: bool = False

    def why(self, clip: Any) -> str:
        """The reason, with digits enough to show on which side of its bounds the value is."""
        scale, sign = (100, "%") if self.percent else (1, "")
        value = scale * clip[self.column]
        bounds = {"low": self.low, "high": self.high}
        scaled = {name: scale * b for name, b in bounds.items() if b is not None}
        texts = {name: f"{b:g}{sign}" for name, b in scaled.items()}
        text = shown_number(value, *scaled.values())
        return self.reason.format(value=f"{text}{sign}", error=clip["error"], **texts)


def clip_rules(params: ValidationParams) -> list[Rule]:
    """What each clip must be; of several broken rules, the first is the reason given."""
    p = params
    return [
        Rule("undecodable", None, 0, "{error}"),
        Rule("unlabelled", None, 0, "its label is not in data.labels; fix it, or list it"),
        Rule("duration", p.min_seconds, p.max_seconds, "lasts {value} s, want {low} to {high}"),
        Rule(
            "sample_rate", p.min_sample_rate, p.max_sample_rate,
            "sampled at {value} Hz, want {low} to {high}",
        ),
        Rule("channels", 1, p.max_channels, "has {value} channels, want {low} to {high}"),
        Rule("level_dbfs", p.min_level_dbfs, None, "too quiet: {value} dBFS, want {low} or more"),
        Rule(
            "clipped_share", None, p.max_clipped_share,
            "clipped: {value} of its samples are at full scale, want at most {high}", percent=True,
        ),
        Rule("dc_offset", None, p.max_dc_offset, "has a DC offset of {value}, want <= {high}"),
        Rule(
            "silence_share", None, p.max_silence_share,
            "digital silence: {value} of it, want at most {high}", percent=True,
        ),
        # after what a clip is by itself: all silences are copies of each other
        Rule("other_label", None, 0, "the same sound has another label elsewhere; keep one"),
        Rule("copy", None, 0, "the same sound is in the set already"),
    ]  # fmt: skip


def with_findings(table: pd.DataFrame, labels: tuple[str, ...]) -> pd.DataFrame:
    """The clip table with what the rules need to know of rows together, as columns of 0 and more.

    Clips are the same sound where all their samples are, whatever the files are coded as.
    """
    sound = [table["sound"].where(table["sound"] != "", table["path"])]
    known = set(known_labels(table, labels))
    decoded = table["error"] == ""
    by_sound = table.groupby(sound, sort=False)
    folds = table["fold"].where(table["fold"] > 0)
    return table.assign(
        undecodable=(~decoded).astype(int),
        unlabelled=(~table["label"].isin(known)).astype(int),
        other_label=(by_sound["label"].transform("nunique") - 1).where(decoded, 0),
        copy=by_sound.cumcount().where(decoded & (_folds_of(folds, sound) < 2), 0),
        folds_of_sound=_folds_of(folds, [table["sha256"]]).clip(_folds_of(folds, sound)),
        groups_of_sound=_groups_of(table, [table["sha256"]]).clip(_groups_of(table, sound)),
        folds_of_group=_folds_of(folds, [table["group"]]),
    )


def _groups_of(table: pd.DataFrame, by: list[pd.Series]) -> pd.Series:
    return table["group"].groupby(by).transform("nunique")


def _folds_of(folds: pd.Series, by: list[pd.Series]) -> pd.Series:
    return folds.groupby(by).transform("nunique").clip(lower=1)


def reasons(table: pd.DataFrame, offenders: Iterable[tuple[int, Rule]]) -> pd.Series:
    """One reason a row that is set aside: of the first rule that it breaks. Index: row number."""
    found: dict[int, str] = {}
    for row, rule in offenders:
        found.setdefault(row, rule.why(table.loc[row]))
    return pd.Series(found, dtype="str").sort_index()


def dataset_rules() -> list[Rule]:
    """What must hold between clips; a table that breaks one stops the pipeline."""
    leak = "{path} and others: "
    return [
        Rule("folds_of_sound", None, 1, leak + "the same recording is in two folds; keep one"),
        Rule("groups_of_sound", None, 1, leak + "the same recording is in two groups; keep one"),
        Rule("folds_of_group", None, 1, leak + "a group is in two folds; give it one fold"),
    ]


def too_few(kept: pd.DataFrame, labels: tuple[str, ...], params: ValidationParams) -> list[str]:
    """A line for each label with too few clips."""
    counts = kept["label"].value_counts()
    return [
        f"label {shown(label)} has {counts.get(label, 0)} usable clips, want at least "
        f"{params.min_clips_per_label}; add clips, or is the label a typo?"
        for label in labels
        if counts.get(label, 0) < params.min_clips_per_label
    ]


def audit_expectations(audit: Audit, limit: float) -> tuple[pd.DataFrame, list[Any]]:
    """The certain separations, a column each, and that none is beyond the limit."""
    import great_expectations as gx

    separations = {
        f"separation by {one.name}": one.separation if one.certain else 0.0
        for one in (*audit.properties, audit.overall)
        if one.role != "shown"
    }
    table = pd.DataFrame([{**separations, "row": 0}]).astype("float64")
    return table, [
        gx.expectations.ExpectColumnMaxToBeBetween(column=name, max_value=limit)
        for name in separations
    ]


def write_audit(kept: pd.DataFrame, findings: Audit, report: Path) -> None:
    """audit.json, and in audit/ a table by group and a picture of each property that varies."""
    write(findings, report / "audit.json")
    (report / "audit").mkdir()
    write_csv(by_group(kept), report / "audit" / "groups.csv")
    for one in PROPERTIES:
        if one.name in kept and kept[one.name].nunique() > 1:
            draw(kept, one, report / "audit" / f"{one.name}.svg")


def warnings(findings: Audit) -> list[str]:
    """What the gate will refuse, so that nobody waits for the training to learn it."""
    refused = [one for one in findings.properties if one.status == "refused"]
    if findings.overall.status == "refused":
        refused = refused or [findings.overall]
    return [f"the gate will refuse this set: {one.sentence}" for one in refused]


def expect(rules: list[Rule], mostly: float) -> list[Any]:
    """The rules as Great Expectations' expectations, in order. mostly: the share that must hold"""
    import great_expectations as gx

    return [
        gx.expectations.ExpectColumnValuesToBeBetween(
            column=rule.column, min_value=rule.low, max_value=rule.high, mostly=mostly
        )
        for rule in rules
    ]


def count_expectations(labels: tuple[str, ...], params: ValidationParams) -> list[Any]:
    """The set's size and its labels, for the Data Docs."""
    import great_expectations as gx

    least = len(labels) * params.min_clips_per_label
    return [
        gx.expectations.ExpectTableRowCountToBeBetween(min_value=least),
        gx.expectations.ExpectColumnDistinctValuesToEqualSet(
            column="label", value_set=list(labels)
        ),
    ]


def set_expectations(
    found: Validation, wrong_names: int, labels: tuple[str, ...], params: ValidationParams
) -> tuple[pd.DataFrame, list[Any]]:
    """What is counted over the whole set, a column each, and the limits that stop the pipeline.

    wrong_names: of labels, as `label_problems` and `background_problems` find them
    """
    import great_expectations as gx

    total = found.usable + found.set_aside
    share = "share of clips set aside"
    most = {share: params.max_set_aside_share, "wrong names of labels": 0}
    least = {f"clips of label {label}": params.min_clips_per_label for label in labels}
    counts = {f"clips of label {label}": found.labels.get(label, 0) for label in labels}
    values = {share: found.set_aside / max(1, total), "wrong names of labels": wrong_names}
    table = pd.DataFrame([{**values, **counts, "usable clips": found.usable, "row": 0}])
    return table.astype("float64"), [
        *(
            gx.expectations.ExpectColumnMaxToBeBetween(column=name, max_value=limit)
            for name, limit in most.items()
        ),
        *(
            gx.expectations.ExpectColumnMinToBeBetween(column=name, min_value=limit)
            for name, limit in {**least, "usable clips": 1}.items()
        ),
    ]


def open_context(docs: Path) -> Any:
    """Great Expectations with nothing but a site of Data Docs at `docs`, and no telemetry."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "False")
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    context.delete_data_docs_site("local_site")
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.resolve())}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    site = {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index}
    context.add_data_docs_site("docs", {**site, "show_how_to_buttons": False})
    return context


def judge(
    context: Any, name: str, table: pd.DataFrame, rules: list[Rule], expectations: list[Any]
) -> list[tuple[int, Rule]]:
    """Run one suite over the table and add it to the Data Docs.

    rules: those of `expectations` whose offenders are wanted; returns: row and rule, in their order
    """
    import great_expectations as gx
    from great_expectations.checkpoint import UpdateDataDocsAction
    from great_expectations.core.run_identifier import RunIdentifier

    asset = context.data_sources.add_pandas(name).add_dataframe_asset(name)
    suite = context.suites.add(gx.ExpectationSuite(name, expectations=expectations))
    definition = context.validation_definitions.add(
        gx.ValidationDefinition(
            name=name, suite=suite, data=asset.add_batch_definition_whole_dataframe(name)
        )
    )
    checkpoint = gx.Checkpoint(
        name=name,
        validation_definitions=[definition],
        actions=[UpdateDataDocsAction(name="docs", site_names=["docs"])],
        result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["row"]},
    )
    outcome = context.checkpoints.add(checkpoint).run(
        batch_parameters={"dataframe": table},
        # the same clips give the same pages: no time in them, nor in their names
        run_id=RunIdentifier(run_name=name, run_time=_NO_TIME),
    )
    (result,) = outcome.run_results.values()
    by_column = {rule.column: rule for rule in rules}
    return [
        (int(entry["row"]), by_column[one.expectation_config.kwargs["column"]])
        for one in sorted(result.results, key=lambda one: _place(rules, one))
        for entry in one.result.get("unexpected_index_list") or []
    ]


def statuses(context: Any) -> dict[str, bool]:
    """Suite -> whether all of it held, as Great Expectations keeps it."""
    store = context.validation_results_store
    results = [store.get(key) for key in store.list_keys()]
    return {result.suite_name: bool(result.success) for result in results}


def _place(rules: list[Rule], result: Any) -> int:
    columns = [rule.column for rule in rules]
    column = result.expectation_config.kwargs.get("column")
    return columns.index(column) if column in columns else len(columns)


def validate(
    context: Any, table: pd.DataFrame, labels: tuple[str, ...], params: ValidationParams
) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Judge a clip table. context: of `open_context`

    returns: the usable clips; those set aside, with their `reason`; why the set cannot be used
    """
    rows = with_findings(table.reset_index(drop=True), labels).assign(row=lambda t: range(len(t)))
    rules = clip_rules(params)
    expectations = expect(rules, mostly=1 - params.max_set_aside_share)
    bad = reasons(rows, judge(context, "clips", rows, rules, expectations))
    aside = table.loc[bad.index].assign(reason=bad)
    kept = rows.drop(index=bad.index)
    expected = known_labels(kept, labels)
    problems = [*label_problems(expected), *too_few(kept, expected, params)]
    if len(kept):
        rules = dataset_rules()
        expectations = [*expect(rules, mostly=1), *count_expectations(expected, params)]
        broken = judge(context, "dataset", kept, rules, expectations)
        first = {rule.column: (row, rule) for row, rule in reversed(broken)}
        problems += [rule.reason.format(path=kept["path"][row]) for row, rule in first.values()]
    share, most = len(aside) / max(1, len(table)), 100 * params.max_set_aside_share
    if share > params.max_set_aside_share or not len(kept):
        problems.append(
            f"{len(aside)} of {len(table)} clips cannot be used "
            f"({shown_number(100 * share, most)}%, want at most {most:g}%): " + named(aside)
        )
    return kept[table.columns], aside, problems


def named(aside: pd.DataFrame) -> str:
    """The first few clips that are set aside, with their reasons."""
    first = aside.head(_NAMED)
    lines = [
        reason if reason.startswith(path) else f"{path}: {reason}"
        for path, reason in zip(first["path"].map(str), first["reason"].map(str), strict=True)
    ]
    return "; ".join(lines) + (f"; and {len(aside) - _NAMED} more" if len(aside) > _NAMED else "")


def summary(kept: pd.DataFrame, aside: pd.DataFrame, problems: list[str]) -> Validation:
    """What validation.json says."""
    counts = kept["label"].value_counts().sort_index()
    return Validation(
        usable=len(kept),
        set_aside=len(aside),
        labels={str(label): int(count) for label, count in counts.items()},
        seconds=round(float(kept["duration"].sum()), 3),
        problems=tuple(problems),
    )


def main(clips: Path, valid: Path, report: Path) -> None:
    """Set aside clips that cannot be used, with reasons; stop if the set as a whole cannot be."""
    params = load_params()
    table = read_clips(clips)
    with replacing(report) as fresh:
        fresh.mkdir()
        context = open_context(fresh / "docs")
        kept, aside, problems = validate(context, table, params.data.labels, params.validation)
        labels, background = known_labels(kept, params.data.labels), params.listener.background
        wrong, asked = background_problems(labels, background)
        problems += wrong
        front_end = params.frontend
        seconds = front_end.window_length / front_end.sample_rate
        found = audit(kept, labels, background, front_end.fmax, seconds)
        findings = summarise(found, kept, params.audit)
        write_audit(kept, findings, fresh)
        separations, limits = audit_expectations(findings, params.audit.max_separation)
        judge(context, "audit", separations, [], limits)
        whole = summary(kept, aside, problems)
        names = len(wrong) + len(label_problems(labels))
        counts, limits = set_expectations(whole, names, labels, params.validation)
        judge(context, "set", counts, [], limits)
        make_offline(fresh / "docs", statuses(context))
        write_csv(aside, fresh / "set_aside.csv")
        write(whole, fresh / "validation.json")
    print(f"validate: {len(kept)} clips can be used, {len(aside)} set aside ({report})")
    for line in (*asked, *findings.marks, *warnings(findings)):
        print(f"validate: {line}")
    if problems:
        keep_report(report)
        raise DataError(f"{' | '.join(problems)} | every clip's reason: {_KEPT}/set_aside.csv")
    write_clips(kept, valid)


_KEPT = Path(".pocketear/refused/validation")


def keep_report(report: Path) -> None:
    """Keep the report of a refused set where no later run of the stage clears it away."""
    kept = home() / _KEPT
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(report, kept)


if __name__ == "__main__":
    process.run(main)
