"""Suspected labels: wrong ones that were planted, among clips scored by a plain classifier."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pocketear.evaluation.label_errors import label_errors


def table_of(scores: np.ndarray, given: list[str], labels: list[str]) -> pd.DataFrame:
    columns = {f"score_{label}": scores[:, i].astype(np.float32) for i, label in enumerate(labels)}
    paths = [f"{number}.wav" for number in range(len(given))]
    return pd.DataFrame({"path": paths, "label": given, **columns})


def sure(labels: list[str], clips: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Scores that are right and sure, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(len(labels), size=clips)
    scores = rng.uniform(0, 0.02, (clips, len(labels)))
    scores[np.arange(clips), truth] += 1
    return scores / scores.sum(axis=1, keepdims=True), [labels[i] for i in truth]


def test_labels_that_agree_with_the_scores_are_not_suspected() -> None:
    scores, truth = sure(["a", "b", "c"], 90)
    assert label_errors(table_of(scores, truth, ["a", "b", "c"])).empty


def test_planted_errors_are_found_with_the_label_they_had() -> None:
    labels = ["=cry", "laugh", "rest"]
    scores, truth = sure(labels, 120)
    given = list(truth)
    planted = range(0, 120, 10)
    for place in planted:
        given[place] = labels[(labels.index(truth[place]) + 1) % 3]
    table = table_of(scores, given, labels)
    table.index = pd.RangeIndex(100, 220)
    found = label_errors(table)
    assert set(found.index - 100) <= set(planted)
    assert len(found) >= 9  # the rule estimates how many there are
    assert list(found.columns) == ["path", "label", "suggested", "score"]
    assert found["suggested"].tolist() == [truth[place] for place in found.index - 100]
    assert found["score"].is_monotonic_increasing and found["score"].between(0, 0.1).all()


@pytest.mark.slow
def test_a_planted_tenth_of_wrong_labels_in_esc10(esc10: Path) -> None:
    from planted_labels import mfcc_features, planted_tenth

    clips = pd.read_csv(esc10 / "clips.csv")
    features = mfcc_features([esc10 / file for file in clips["file"]])
    table = planted_tenth(clips, features, seed=0)
    found = table.loc[label_errors(table).index, "planted"].to_numpy(bool)
    assert found.sum() >= 0.75 * 40  # as many clips at random hold a fifth of them
    assert len(found) <= 0.25 * len(clips)
    assert found[:40].mean() >= 0.6
