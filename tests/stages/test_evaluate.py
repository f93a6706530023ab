from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from exported_project import working_in
from pocketear.base.errors import DataError, RunnerError
from pocketear.contracts.metrics import MetricsReport
from pocketear.contracts.names import labels_of
from pocketear.contracts.report_file import read
from pocketear.data.store import open_store
from pocketear.evaluation.metrics import predictions
from pocketear.listening.thresholds import Stream
from pocketear.params import load_params
from pocketear.runtimes.runner import open_runner
from pocketear.stages import evaluate

RUNNERS = ["keras", "litert_fp32", "litert_int8", "coreml_fp16", "coreml_int8"]


@pytest.fixture(scope="module")
def evaluated(exported: Path) -> Path:
    with working_in(exported):
        evaluate.main(
            Path("data/features"), Path("models"), Path("reports/metrics.json"),
            Path("reports/evaluation"),
        )  # fmt: skip
    return exported / "reports"


def test_every_runner_is_scored_on_the_test_side_alone(evaluated: Path, exported: Path) -> None:
    metrics = read(evaluated / "metrics.json", MetricsReport)
    assert [name for name, _ in metrics.items()] == RUNNERS
    table = pd.read_parquet(evaluated / "evaluation" / "predictions.parquet")
    index = open_store(exported / "data" / "features").index
    test = set(index.loc[index["split"] == "test", "path"])
    for name in RUNNERS:
        own = table[table["runner"] == name]
        assert set(own["path"]) == test
        assert metrics[name].clips == len(test)
        assert metrics[name].bytes > 10_000
        assert metrics[name].accuracy == accuracy_score(own["label"], own["predicted"])


def test_the_small_core_ml_variant_is_smaller(evaluated: Path) -> None:
    metrics = read(evaluated / "metrics.json", MetricsReport)
    assert metrics["coreml_int8"].bytes < 0.8 * metrics["coreml_fp16"].bytes


def test_a_clips_scores_are_the_mean_over_its_windows(evaluated: Path, exported: Path) -> None:
    table = pd.read_parquet(evaluated / "evaluation" / "predictions.parquet")
    row = table[table["runner"] == "litert_fp32"].iloc[0]
    store = open_store(exported / "data" / "features")
    waveform = store.waveform(int(np.flatnonzero(store.index["path"] == row["path"])[0]))
    with working_in(exported):
        hop = load_params().listener.hop_length
    run = open_runner(exported / "models" / "litert" / "cry_laugh_fp32.tflite")
    starts = [*range(0, len(waveform) - 24000 + 1, hop)]
    assert starts[-1] + 24000 == len(waveform)
    expected = run(np.stack([waveform[s : s + 24000] for s in starts])).mean(axis=0)
    scores = row[[f"score_{label}" for label in ("background", "cry", "laugh")]]
    np.testing.assert_allclose(scores.to_numpy(float), expected, atol=1e-6)


def test_misses_and_false_alarms_of_the_file_that_ships_are_counted(
    evaluated: Path, exported: Path
) -> None:
    metrics = read(evaluated / "metrics.json", MetricsReport)
    assert [name for name, own in metrics.items() if own.alarms] == ["litert_int8"]
    alarms = metrics["litert_int8"].alarms
    assert alarms is not None
    store = open_store(exported / "data/features")
    quiet = store.index.query("split == 'test' and label == 'background'")["samples"].sum()
    assert alarms.quiet_hours == pytest.approx(quiet / 16_000 / 3600)
    assert set(alarms.misses) == {"cry", "laugh"}
    curve = pd.read_csv(evaluated / "evaluation/alarms.csv")
    assert set(curve["label"]) == {"cry", "laugh"}


def streams_with(negatives: Path) -> list[Stream]:
    params = load_params()
    named = params.evaluate.model_copy(update={"negatives": negatives})
    model, store = Path("models/litert/cry_laugh_int8.tflite"), open_store(Path("data/features"))
    return evaluate.alarm_streams(model, store, params.model_copy(update={"evaluate": named}))


def test_every_negative_recording_is_scored_from_end_to_end(exported: Path, tmp_path: Path) -> None:
    place = tmp_path / "negatives"
    (place / "nights").mkdir(parents=True)
    (place / "README.md").write_text("notes")
    noise = np.random.default_rng(1).normal(0, 0.1, (8_000 * 70, 2))
    soundfile.write(place / "nights/one.flac", noise, 8_000)
    soundfile.write(place / "two.wav", noise[: 8_000 * 5, 0], 8_000)
    assert [path.name for path in evaluate.negatives(place)] == ["one.flac", "two.wav"]
    with working_in(exported):
        mixed, *named = streams_with(place)
    assert len(mixed.sounds) == 6
    assert [stream.sounds for stream in named] == [(), ()]
    assert [stream.seconds for stream in named] == pytest.approx([70, 5], abs=0.01)
    assert [len(stream.scores) for stream in named] == [(70 * 2 - 3) + 1, (5 * 2 - 3) + 1]


def test_negatives_that_are_not_there_or_too_short_say_so(exported: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none: not found; evaluate.negatives in params.yaml"):
        evaluate.negatives(tmp_path / "none")
    soundfile.write(tmp_path / "short.wav", np.zeros(100), 16_000)
    refusal = r"short.wav: .* 100 samples has no whole window"
    with working_in(exported), pytest.raises(RunnerError, match=refusal):
        streams_with(tmp_path / "short.wav")


def test_plots_are_of_the_file_that_ships_on_android(evaluated: Path) -> None:
    table = pd.read_parquet(evaluated / "evaluation" / "predictions.parquet")
    own = table[table["runner"] == "litert_int8"]
    confusion = pd.read_csv(evaluated / "evaluation" / "confusion.csv")
    assert confusion["actual"].tolist() == own["label"].tolist()
    assert confusion["predicted"].tolist() == own["predicted"].tolist()
    calibration = pd.read_csv(evaluated / "evaluation" / "calibration.csv")
    assert calibration["clips"].sum() == len(own)
    right = (calibration["clips"] * calibration["accuracy"]).sum()
    assert right == pytest.approx((own["label"] == own["predicted"]).sum(), abs=0.01)


@given(st.lists(st.text(), min_size=1, max_size=4, unique=True))
@example(["path", "score_a", "a", ""])
def test_labels_of_any_name_come_back_from_predictions_in_output_order(labels: list[str]) -> None:
    index = pd.DataFrame({"path": ["a"], "sha256": ["b"], "group": ["c"], "label": labels[:1]})
    table = predictions(index, np.ones((1, len(labels)), np.float32), tuple(labels))
    assert labels_of(map(str, table)) == labels
