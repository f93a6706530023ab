"""Promotion on a real registry: what may become champion, and the way back."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from judged_project import LABELS, TFLITE, write_judged
from pocketear.base.errors import TrackingError
from pocketear.data.windows import cut_windows
from pocketear.experiments import promotion, registry
from pocketear.experiments.candidate import Candidate
from pocketear.params import load_params
from pocketear.runtimes.litert import open_model
from small_store import make_store

pytest_plugins = ["tracked_project"]
pytestmark = pytest.mark.slow

TRUTH = np.arange(30) % 3


def wrong_at(*clips):
    predicted = TRUTH.copy()
    predicted[list(clips)] = (predicted[list(clips)] + 1) % 3
    return predicted


def add_version(root, weights, predicted=TRUTH, *, accepted=True):
    write_judged(root, weights=weights, truth=TRUTH, predicted=predicted, accepted=accepted)
    return registry.register(Candidate(Path("models"), Path("reports"), load_params()))


def aliases():
    return {v.version: v.aliases for v in promotion.models(load_params()) if v.aliases}


def cells(table):
    """The cells of every line of Markdown that is a table's row."""
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows]


def test_promote_and_roll_back_move_the_aliases(tracked):
    params = load_params()
    for weights in (b"one", b"two", b"three"):
        add_version(tracked, weights)
        promotion.promote(params)
    assert aliases() == {"3": ("challenger", "champion"), "2": ("previous",)}
    back, folder = promotion.rollback(params)
    assert (back.version, folder) == ("2", Path("build/champion"))
    write_judged(tracked, weights=b"two")
    assert (folder / TFLITE.name).read_bytes() == TFLITE.read_bytes()
    assert (folder / "cry_laugh_fp16.mlpackage/Manifest.json").read_bytes() == b"two"
    assert aliases() == {"3": ("challenger",), "2": ("champion",), "1": ("previous",)}
    assert promotion.rollback(params)[0].version == "1"
    assert aliases() == {"3": ("challenger",), "1": ("champion",)}
    with pytest.raises(TrackingError, match="no earlier champion to go back to"):
        promotion.rollback(params)
    promotion.promote(params)
    assert aliases() == {"3": ("challenger", "champion"), "1": ("previous",)}


def test_a_champion_that_was_named_on_mlflows_page_is_the_champion(tracked):
    params = load_params()
    for weights in (b"one", b"two"):
        add_version(tracked, weights)
        promotion.promote(params)
    add_version(tracked, b"three", wrong_at(0))
    registry.set_aliases("cry_laugh", {"champion": "3"})  # as the page does
    add_version(tracked, b"four", wrong_at(1))
    promotion.promote(params)
    assert aliases() == {"4": ("challenger", "champion"), "3": ("previous",)}, "3 was replaced"
    registry.set_aliases("cry_laugh", {"champion": "3"})
    assert promotion.rollback(params)[0].version == "4"
    registry.set_aliases("cry_laugh", {"champion": None})
    assert promotion.promote(params, "2").version == "2", "without a champion none is compared"
    assert aliases() == {"4": ("challenger",), "2": ("champion",)}


def test_a_promotion_or_rollback_that_was_killed_midway_can_be_repeated(tracked, monkeypatch):
    params = load_params()
    for weights in (b"one", b"two", b"three"):
        add_version(tracked, weights)
        promotion.promote(params)
    add_version(tracked, b"four")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(registry, "set_tag", interrupted)
        promotion.promote(params)
    promotion.promote(params)
    assert aliases() == {"4": ("challenger", "champion"), "3": ("previous",)}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(registry, "set_aliases", interrupted)
        promotion.rollback(params)
    assert promotion.rollback(params)[0].version == "3"
    assert promotion.rollback(params)[0].version == "2"


def interrupted(*_):
    raise KeyboardInterrupt


def test_a_refused_version_is_not_promoted(tracked):
    add_version(tracked, b"weak", accepted=False)
    with pytest.raises(TrackingError, match=r"version 1 was refused.*accuracy 1\.00 is below 0\.8"):
        promotion.promote(load_params())
    assert aliases() == {"1": ("challenger",)}


def test_a_demonstration_is_promoted_only_if_asked_for(tracked):
    write_judged(tracked, weights=b"one", truth=TRUTH, predicted=TRUTH, accepted=True)
    path = Path("reports/verdict.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "demonstration": True}))
    registry.register(Candidate(Path("models"), Path("reports"), load_params()))
    with pytest.raises(TrackingError, match=r"is a demonstration .* train on recordings, or set"):
        promotion.promote(load_params())
    params = load_params()
    asked = params.promote.model_copy(update={"demonstrations": True})
    promotion.promote(params.model_copy(update={"promote": asked}))
    assert aliases() == {"1": ("challenger", "champion")}


def test_a_drop_beyond_the_limit_on_the_same_clips_is_refused(tracked):
    params = load_params()
    add_version(tracked, b"good")
    promotion.promote(params)
    add_version(tracked, b"worse", wrong_at(0, 7))
    with pytest.raises(
        TrackingError,
        match=r"0\.933 against 1\.000 on the same 30 clips, a drop of at most 0\.0\d+ is allowed",
    ):
        promotion.promote(params)
    assert aliases() == {"2": ("challenger",), "1": ("champion",)}
    assert promotion.promote(params, "1").version == "1", "the champion may be promoted again"
    assert promotion.promote(params, "champion").aliases == ("champion",)


def test_versions_are_compared_on_the_clips_that_both_were_tested_on(tracked):
    add_version(tracked, b"a", wrong_at(0, 1, 2, 3, 4, 5, 6))
    add_version(tracked, b"b", wrong_at(6, 7))
    found = promotion.compare(load_params(), "1", "2")
    assert (found.clips, found.only_a, found.only_b) == (30, 1, 6)
    assert found.accuracy == (23 / 30, 28 / 30)
    # Fagerland, Lydersen and Laake 2013: exact conditional McNemar, 2 * P(X <= 1 | 7, 1/2)
    assert found.p_value == pytest.approx(2 * (1 + 7) / 2**7)
    assert found.recall["cry"] == (7 / 10, 9 / 10)
    rows = cells(promotion.render_comparison(found))
    assert ["recall of cry", "0.700", "0.900", "+0.200"] in rows
    assert ["litert_int8", "0.767 (0.667 to 0.867)", "0.933 (0.833 to 1.000)"] in rows
    assert ["latency/a53.instructions_per_second", "6.1e+07", "6.1e+07"] in rows


def test_reports_of_an_older_pocketear_do_not_stop_a_comparison(tracked):
    add_version(tracked, b"old")
    for report in tracked.glob("mlartifacts/**/reports/metrics.json"):
        report.write_text('{"keras": {"accuracy": 1.0}}')
    promotion.promote(load_params())
    add_version(tracked, b"new", wrong_at(0))
    found = promotion.compare(load_params(), "champion", "challenger")
    assert found.accuracy == (1.0, 29 / 30)
    assert found.reported["litert_int8"] == ("not known", "0.967 (0.867 to 1.000)")


def test_clips_are_matched_by_content_and_cut_and_take_the_newer_labels():
    old = pd.DataFrame(
        {"sha256": ["x", "x", "y", "z"], "label": list("abcd"), "predicted": list("aacd")}
    )
    new = pd.DataFrame(
        {"sha256": ["y", "x", "x", "w"], "label": list("Cabw"), "predicted": list("CabW")}
    )
    joined = promotion.common_clips(old, new)
    assert sorted(joined[["label", "predicted_a", "predicted_b"]].itertuples(index=False)) == [
        ("C", "c", "C"), ("a", "a", "a"), ("b", "a", "b"),
    ]  # fmt: skip


def champion_and_other_clips(tracked):
    """A champion, and a challenger that was tested on none of its clips."""
    add_version(tracked, b"a")
    promotion.promote(load_params())
    write_judged(tracked, weights=b"b")
    place = Path("reports/evaluation/predictions.parquet")
    frame = pd.read_parquet(place)
    frame.assign(sha256=frame["sha256"].str.replace("0", "f")).to_parquet(place)
    registry.register(Candidate(Path("models"), Path("reports"), load_params()))


def test_versions_without_a_common_clip_cannot_be_compared(tracked):
    champion_and_other_clips(tracked)
    with pytest.raises(TrackingError, match="have no test clip in common"):
        promotion.promote(load_params())


def test_with_a_new_dataset_the_champion_is_scored_on_its_test_side(tracked):
    """On every clip of it, by the file in the registry; its own test side is gone."""
    add_version(tracked, b"old")
    champion = promotion.promote(load_params())
    store = make_store(tracked)
    names = dict(zip(("high", "low", "noise"), ("cry", "laugh", "other"), strict=True))
    index = store.index.assign(label=store.index["label"].map(names))
    index.to_parquet("features/index.parquet", index=False)
    Path("features").rename("data/features")
    tests = index[index["split"] == "test"]
    write_judged(tracked, weights=b"new", truth=np.arange(len(tests)) % 3)
    place = Path("reports/evaluation/predictions.parquet")
    frame = pd.read_parquet(place)
    rows = pd.concat([tests[["sha256", "label"]]] * frame["runner"].nunique(), ignore_index=True)
    frame.assign(**rows, predicted=rows["label"]).to_parquet(place, index=False)
    registry.register(Candidate(Path("models"), Path("reports"), load_params()))
    found = promotion.compare(load_params(), "champion", "challenger")
    assert (found.clips, found.scored_again) == (len(tests), len(tests))
    assert found.accuracy[1] == 1.0

    files = promotion.fetch(champion, tracked / "champion")
    model = open_model(files / TFLITE.name)
    hop = model.card.hop_length
    right = 0
    for row, label in zip(np.flatnonzero(index["split"] == "test"), tests["label"], strict=True):
        windows = cut_windows(store.waveform(int(row)), model.card.window_length, hop)
        right += LABELS[model.run(windows).mean(axis=0).argmax()] == label
    assert found.accuracy[0] == pytest.approx(right / len(tests))
    assert "version 1 just now on 6 of them" in promotion.render_comparison(found)
    assert promotion.promote(load_params()).version == "2"


def test_an_override_needs_no_common_clip_and_stays_with_the_version(tracked):
    champion_and_other_clips(tracked)
    made = promotion.promote(load_params(), override="the old recordings are gone")
    assert made.tags["promoted_without_comparison"] == "the old recordings are gone"
    assert aliases() == {"2": ("challenger", "champion"), "1": ("previous",)}


def test_the_table_of_models(tracked):
    assert promotion.render_models(promotion.models(load_params())).count("\n") == 1
    add_version(tracked, b"weak", wrong_at(*range(20)), accepted=False)
    last = cells(promotion.render_models(promotion.models(load_params())))[-1]
    assert last[:4] == ["1", "challenger", "refused", "0.333 (0.233 to 0.433)"]
    assert last[-1] == "accuracy 0.33 is below 0.8"
