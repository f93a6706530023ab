"""`pocketear predict` on real files and processes, with a model whose answer is known.

The model sees a waveform's mean: above zero it says crying_baby, below laughing, at zero
background. Resampling, mixing and every format keep the mean, so the right answer is plain.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

from decoder_processes import little_time
from pocketear.apps.default_model import shipped_model
from pocketear.apps.predict import Segment, predict, segments
from pocketear.base.errors import ClipError, RunnerError
from pocketear.params import load_params
from pocketear.runtimes.card import write_card
from pocketear.runtimes.litert import open_model
from tiny_model import LABELS, SAMPLE_RATE, WINDOW, mean_tflite, tiny_card, tiny_tflite

HEAVY = ("tensorflow", "keras", "librosa", "pandas", "mlflow", "pydantic", "scipy", "sklearn")


@pytest.fixture
def model(project: Path) -> Path:
    path = project / "models/litert/cry_laugh_int8.tflite"
    path.parent.mkdir(parents=True)
    path.write_bytes(write_card(mean_tflite(), tiny_card()))
    return path


def steps(levels: dict[float, float], sample_rate: int, channels: int = 1) -> np.ndarray:
    """(sample, channel): seconds at each level in turn, the levels spread over the channels."""
    mono = np.concatenate([np.full(round(s * sample_rate), v) for v, s in levels.items()])
    return np.outer(mono, np.linspace(0.5, 1.5, channels) if channels > 1 else [1.0])


def pocketear(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("pocketear")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 44_100, 192_000])
@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.aiff", "stereo.wav"])
def test_any_rate_and_format(model: Path, sample_rate: int, name: str) -> None:
    channels = 2 if name.startswith("stereo") else 1
    sound = steps({0.5: 2.0}, sample_rate, channels)
    soundfile.write(name, sound, sample_rate)
    found = predict(Path(name), open_model(model))
    assert (found.label, len(found.segments)) == ("crying_baby", 1)
    assert found.seconds == pytest.approx(2.0, abs=0.01)


def test_what_a_phone_records(model: Path) -> None:
    clip = np.full((1, 48_000), 0.5, np.float32)
    with av.open("memo.m4a", "w") as file:
        stream = file.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(clip, format="fltp", layout="mono")
        frame.sample_rate = 48_000
        file.mux([*stream.encode(frame), *stream.encode(None)])
    found = predict(Path("memo.m4a"), open_model(model))
    assert found.label == "crying_baby"
    assert found.seconds == pytest.approx(1.0, abs=0.1)


def test_a_long_file_is_cut_by_time(model: Path) -> None:
    soundfile.write("long.wav", steps({0.5: 3.0, 0.0: 2.0, -0.5: 4.0}, 44_100), 44_100)
    found = predict(Path("long.wav"), open_model(model)).segments
    assert [one.label for one in found] == ["crying_baby", "background", "laughing"]
    hop = WINDOW / 2 / SAMPLE_RATE
    np.testing.assert_allclose([one.end for one in found], [3.0, 5.0, 9.0], atol=hop)
    assert [one.start for one in found[1:]] == [one.end for one in found[:-1]]


def test_the_score_is_the_mean_over_windows(model: Path) -> None:
    soundfile.write("two.wav", steps({0.5: 0.1, -0.5: 0.1}, SAMPLE_RATE), SAMPLE_RATE)
    scores = predict(Path("two.wav"), open_model(model)).scores
    assert scores["crying_baby"] == pytest.approx(scores["laughing"], abs=1e-6)
    assert sum(scores.values()) == pytest.approx(1.0, abs=1e-6)


def test_segments_tile_the_file() -> None:
    scores = np.asarray([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8]], np.float32)
    found = segments(scores, [0.5, 1.0, 1.4], 1.9, ("cry", "rest"))
    assert [replace(one, score=round(one.score, 6)) for one in found] == [
        Segment(0.0, 1.2, "cry", 0.8),
        Segment(1.2, 1.9, "rest", 0.8),
    ]


@pytest.mark.slow
def test_an_hour_does_not_fill_memory(model: Path) -> None:
    quiet = np.zeros(SAMPLE_RATE * 60, np.int16)
    with soundfile.SoundFile("hour.wav", "w", SAMPLE_RATE, 1) as file:
        for _ in range(60):
            file.write(quiet)
    code = (
        "import resource; from pathlib import Path; from pocketear.apps.predict import *\n"
        f"model = open_model(Path({str(model)!r}))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "assert predict(Path('hour.wav'), model).label == 'background'\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 40_000  # kB; the hour is 230 MB


def test_the_table(model: Path) -> None:
    soundfile.write("a b.wav", steps({0.5: 1.0}, 16_000), 16_000)
    soundfile.write("long.wav", steps({0.5: 1.0, 0.0: 1.0}, 16_000), 16_000)
    done = pocketear("predict", "a b.wav", "long.wav")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[1] == ["a", "b.wav", "crying_baby", "1.00", "1.0"]
    assert [row[:4] for row in rows[3:5]] == [
        ["0.0–1.0", "s", "crying_baby", "1.00"],
        ["1.0–2.0", "s", "background", "0.58"],
    ]
    assert "real-time factor" in done.stdout


def test_json_and_a_name_in_unicode(model: Path) -> None:
    name = 'мой "крик" 😀.wav'
    soundfile.write(name, steps({-0.5: 1.0}, 16_000), 16_000)
    done = pocketear("predict", "--json", "--model", model, name)
    (entry,) = json.loads(done.stdout)["files"]
    assert (entry["path"], entry["label"]) == (name, "laughing")
    assert entry["segments"][0]["end"] == 1.0


def noise(sample_rate: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(2 * sample_rate)


def test_a_recording_that_is_narrower_than_the_training_set_is_named(model: Path) -> None:
    model.write_bytes(write_card(mean_tflite(), replace(tiny_card(), bandwidth=7000.0)))
    soundfile.write("phone call.wav", noise(8_000), 8_000)
    soundfile.write("wide.wav", noise(44_100), 44_100)
    soundfile.write("silent.wav", np.zeros(8_000), 8_000)
    done = pocketear("predict", "phone call.wav", "wide.wav", "silent.wav")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("note: phone call.wav: holds nothing above 3.9 kHz, and the model was")
    for name in ("phone call.wav", "wide.wav"):
        done = pocketear("listen", name)
        assert ("holds nothing above" in done.stderr) == (name == "phone call.wav")
    found = predict(Path("wide.wav"), open_model(model))
    assert found.bandwidth_hz == SAMPLE_RATE / 2


def test_a_demonstration_says_so(model: Path) -> None:
    model.write_bytes(write_card(mean_tflite(), replace(tiny_card(), rendered=True)))
    soundfile.write("a.wav", steps({0.5: 1.0}, 16_000), 16_000)
    for command in ("predict", "listen"):
        done = pocketear(command, "a.wav")
        assert "is a demonstration: it was trained on rendered sounds only" in done.stderr


def test_no_heavy_module_is_imported(model: Path) -> None:
    soundfile.write("a.wav", steps({0.5: 1.0}, 44_100), 44_100)
    code = (
        "import sys; from pocketear import cli; cli.main(['predict', 'a.wav'])\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_what_cannot_be_read_is_named_and_the_rest_is_judged(model: Path) -> None:
    soundfile.write("good.wav", steps({0.5: 1.0}, 16_000), 16_000)
    Path("text.wav").write_text("this is not sound")
    Path("empty.wav").touch()
    Path("folder").mkdir()
    soundfile.write("nothing.wav", np.zeros(0), 16_000)
    soundfile.write("nan.wav", np.full(9, np.nan), 16_000, subtype="FLOAT")
    soundfile.write("cut.mp3", steps({0.5: 9.0}, 16_000), 16_000)
    Path("cut.mp3").write_bytes(Path("cut.mp3").read_bytes()[:-2000])
    bad = ["missing.wav", "text.wav", "empty.wav", "folder", "nothing.wav", "nan.wav", "cut.mp3"]
    done = pocketear("predict", *bad[:3], "good.wav", *bad[3:])
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == bad
    assert "crying_baby" in done.stdout
    assert "Traceback" not in done.stderr


def test_before_the_first_run(project: Path) -> None:
    done = pocketear("predict", "a.wav")
    assert done.returncode == 1
    assert done.stderr == (
        "error: models/litert/cry_laugh_int8.tflite: no model yet; run `dvc repro` first\n"
    )


@pytest.mark.parametrize(
    "export",
    [
        "export:\n  android: fp32\n  ios: fp16\n  ios_front_end: in_model\n",
        "export:  # what ships\n\n# both\n  ios: fp16  # Core ML\n"
        "  ios_front_end: in_model\n  android: fp32 # LiteRT\n",
        "export: {android: fp32, ios: fp16, ios_front_end: in_model}\n",
        "export:\n  android: 'fp32'\n  ios: \"fp16\"\n  ios_front_end: in_model\n",
    ],
)
def test_the_default_model_is_the_one_that_params_say(model: Path, export: str) -> None:
    text = Path("params.yaml").read_text()
    before, after = text.index("export:"), text.index("parity:")
    Path("params.yaml").write_text(text[:before] + export + text[after:])
    other = model.rename(model.with_name("cry_laugh_fp32.tflite"))
    assert shipped_model() == other.relative_to(Path.cwd())
    assert load_params().export.android == "fp32"


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = pocketear("predict", "a.wav")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "--model" in done.stderr


def test_a_damaged_model(model: Path) -> None:
    whole = model.read_bytes()
    for kept in (0, 100, len(whole) // 2, len(whole) - 30):
        model.write_bytes(whole[:kept])
        with pytest.raises(RunnerError, match=r"cry_laugh_int8.tflite: "):
            open_model(model)
    model.write_bytes(write_card(mean_tflite(), tiny_card(window_length=WINDOW * 2)))
    with pytest.raises(RunnerError, match="does not fit"):
        open_model(model)
    model.write_bytes(write_card(tiny_tflite(labels=2), tiny_card()))
    with pytest.raises(RunnerError, match="2 scores for 3 labels"):
        open_model(model)


def test_real_recordings_in_their_own_format(model: Path, esc10: Path) -> None:
    source = next(esc10.rglob("*.ogg"))
    shutil.copy(source, "real.ogg")
    found = predict(Path("real.ogg"), open_model(model))
    assert found.label in LABELS
    assert found.seconds == pytest.approx(soundfile.info("real.ogg").duration, abs=0.01)


@pytest.mark.slow
def test_a_file_that_kills_its_decoder_costs_one_row(model: Path) -> None:
    """32 GiB of nothing behind a sound, which take more than three seconds to look through."""
    soundfile.write("good.ogg", steps({0.5: 1.0}, 16_000), 16_000)
    shutil.copy("good.ogg", "killer.ogg")
    os.truncate("killer.ogg", 32 << 30)
    done = pocketear("predict", "killer.ogg", "good.ogg", preexec_fn=little_time(3))
    assert done.returncode == 1
    what = "its decoder crashed (SIGXCPU); convert it to WAV or FLAC, or remove it"
    assert done.stderr == f"error: killer.ogg: {what}\n"
    assert "good.ogg" in done.stdout
    listened = pocketear("listen", "killer.ogg", preexec_fn=little_time(3))
    assert (listened.returncode, listened.stderr) == (1, done.stderr)


def test_a_folder_is_refused_with_advice(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ClipError, match=r"\*\.wav"):
        predict(tmp_path, open_model(model))
