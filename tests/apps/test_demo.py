"""The demo page: its listener against the shared vectors, its server, and the whole in Chromium."""

import http.client
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from browser import open_tab
from places import ROOT
from pocketear.apps.demo import server
from pocketear.apps.demo.assets import client_folder
from pocketear.base.errors import PackagingError, RunnerError
from pocketear.data.decoding.audio import load_waveform
from pocketear.listening.listener import is_quiet, listen
from pocketear.runtimes.card import write_card
from pocketear.runtimes.litert import litert_runner, open_model
from tiny_model import SAMPLE_RATE, WINDOW, tiny_card, tiny_tflite

STATIC = ROOT / "src/pocketear/apps/demo/static"
VECTORS = ROOT / "mobile/vectors"
QUIET = 0.001
BROWSER = 1e-5  # WebAssembly adds up in another order; the weights here make logits of tens

RUN_VECTORS = """
import { readFileSync } from "node:fs";
const { EventDecoder, WindowBuffer, knownScores } = await import(process.argv[1]);
const read = (name) => JSON.parse(readFileSync(`${process.argv[2]}/${name}.json`));
const events = read("decoder").map((c) => {
  const decoder = new EventDecoder(c.listener, c.labels, c.sample_rate, c.window_length);
  const events = [];
  const add = (after, found) => events.push(...found.map((event) => ({ after, ...event })));
  c.steps.forEach((step, i) => {
    if ("gap" in step) add(i, decoder.gap(step.gap));
    else add(i, decoder.push(Float32Array.from(step.scores, (s) => (s === null ? NaN : s))));
  });
  add(c.steps.length, decoder.finish());
  return { events, ignored: decoder.ignored };
});
const windows = read("windows").map((c) => {
  const buffer = new WindowBuffer(c.window_length, c.hop_length);
  const out = [];
  let next = 0;
  const add = (w) => out.push({
    start: buffer.start, first: w[0], last: w[w.length - 1], all: Array.from(w) });
  for (const block of c.blocks) {
    if (block < 0) { buffer.skip(-block); next -= block; continue; }
    const ramp = Float32Array.from({ length: block }, (_, i) => next + i + RAMP);
    next += block;
    for (const window of buffer.push(ramp)) add(window);
  }
  const rest = buffer.finish();
  if (rest) add(rest);
  return out;
});
const streams = read("detector").map((c) => {
  const buffer = new WindowBuffer(c.window_length, c.hop_length);
  const windows = [];
  let ignored = 0;
  const add = (w) => {
    const scores = knownScores(w, c.quiet_peak, 2);
    ignored += scores !== null && isNaN(scores[0]);
    windows.push({ start: buffer.start, run: scores === null });
  };
  for (const step of c.steps) {
    if ("lost" in step) { buffer.skip(step.lost); continue; }
    const samples = Float32Array.from(step.samples, (s) => (s === null ? NaN : s));
    for (const window of buffer.push(samples)) add(window);
  }
  const rest = buffer.finish();
  if (rest) add(rest);
  return { windows, ignored };
});
console.log(JSON.stringify({ events, windows, streams }));
"""


@pytest.fixture(scope="module")
def vectors() -> dict[str, list[dict]]:
    node = shutil.which("node")
    if not node:
        pytest.skip("no Node.js")
    first = json.loads((VECTORS / "windows.json").read_text())[0]["windows"][0]["first"]
    script = RUN_VECTORS.replace("RAMP", str(first))
    command = [node, "--input-type=module", "-e", script, str(STATIC / "listener.js"), str(VECTORS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_events_are_the_references(vectors: dict[str, list[dict]]) -> None:
    cases = json.loads((VECTORS / "decoder.json").read_text())
    assert len(cases) > 30
    for case, found in zip(cases, vectors["events"], strict=True):
        assert found == {"events": case["events"], "ignored": case["ignored"]}, case["name"]


def test_windows_are_the_references(vectors: dict[str, list[dict]]) -> None:
    cases = json.loads((VECTORS / "windows.json").read_text())
    for case, found in zip(cases, vectors["windows"], strict=True):
        for expected, window in zip(case["windows"], found, strict=True):
            ends = [window["start"], window["first"], window["last"]]
            assert ends == [expected["start"], expected["first"], expected["last"]], case["name"]
            zeros = len(np.trim_zeros(window["all"], "f")) - len(np.trim_zeros(window["all"]))
            assert zeros == expected["zeros"], case["name"]


def test_the_windows_that_are_run_are_the_references(vectors: dict[str, list[dict]]) -> None:
    cases = json.loads((VECTORS / "detector.json").read_text())
    for case, found in zip(cases, vectors["streams"], strict=True):
        expected: Any = [{"start": w["start"], "run": w["run"]} for w in case["windows"]]
        assert found == {"windows": expected, "ignored": case["ignored"]}, case["name"]


RUN_BANDWIDTH = """
import { readFileSync } from "node:fs";
const { BandwidthMeter } = await import(process.argv[1]);
console.log(JSON.stringify(JSON.parse(readFileSync(process.argv[2])).map((c) => {
  const meter = new BandwidthMeter(c.sample_rate, -1, c.steps.length / c.sample_rate);
  meter.push(Float32Array.from(c.steps, (step) => step / 32768));
  return meter.hertz;
})));
"""


def test_bandwidths_are_the_references() -> None:
    node = shutil.which("node")
    if not node:
        pytest.skip("no Node.js")
    paths = [STATIC / "bandwidth.js", VECTORS / "bandwidth.json"]
    command = [node, "--input-type=module", "-e", RUN_BANDWIDTH, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    expected = [case["bandwidth"] for case in json.loads(paths[1].read_text())]
    assert json.loads(done.stdout) == pytest.approx(expected, abs=1e-6)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    thresholds = {"crying_baby": 0.45, "laughing": 0.45}
    card = tiny_card(thresholds=thresholds)
    card = replace(card, listener=replace(card.listener, quiet_peak=QUIET), bandwidth=7000.0)
    path.write_bytes(write_card(tiny_tflite(), card))
    return path


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(ROOT)
    try:
        return client_folder().resolve()
    except PackagingError as error:
        pytest.skip(str(error))


@pytest.fixture
def address(model: Path, client: Path) -> Iterator[str]:
    with server.make_server(server.demo_files(model, client), 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def get(address: str, path: str, host: str | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(address, timeout=20)
    connection.request("GET", path, headers={"Host": host or address})
    return connection.getresponse()


def test_only_the_pages_own_files_are_served(address: str, model: Path) -> None:
    assert get(address, "/model.tflite").read() == model.read_bytes()
    assert get(address, "/").getheader("Content-Type") == "text/html; charset=utf-8"
    for path in ("/../../etc/passwd", "/tasks-audio/../package.json", "/index.html", "/nothing"):
        assert get(address, path).status == 404


def with_state(tflite: bytes) -> bytes:
    """A .tflite with a second input, a state, which it gives back."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(tflite, 0))
    (graph,) = model.subgraphs
    state = schema.TensorT()
    state.name, state.shape, state.type = b"state_in", [1, 1, 4], schema.TensorType.FLOAT32
    graph.tensors.append(state)
    graph.inputs = [*graph.inputs, len(graph.tensors) - 1]
    graph.outputs = [*graph.outputs, len(graph.tensors) - 1]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_beside_a_model_of_chunks_the_file_of_windows_is_served(
    model: Path, tmp_path: Path, client: Path
) -> None:
    chunks, windows = tmp_path / "baby_int8.tflite", tmp_path / "baby_int8_window.tflite"
    chunks.write_bytes(write_card(with_state(tiny_tflite(window=WINDOW // 2)), tiny_card()))
    with pytest.raises(RunnerError, match=r"no baby_int8_window.tflite beside it") as error:
        server.demo_files(chunks, client)
    assert "\n" not in str(error.value)
    shutil.copy(model, windows)
    assert server.demo_files(chunks, client)["/model.tflite"][0] == windows.read_bytes()
    assert server.demo_files(windows, client)["/model.tflite"][0] == windows.read_bytes()


def test_a_foreign_name_for_this_machine_is_refused(address: str) -> None:
    port = address.partition(":")[2]
    assert get(address, "/card.json", host=f"LOCALHOST:{port}").status == 200
    for host in ("evil.example", f"evil.example:{port}", "localhost:1", f"localhost.evil:{port}"):
        assert get(address, "/card.json", host=host).status == 403


def test_nothing_on_the_page_comes_from_elsewhere() -> None:
    for path in STATIC.iterdir():
        assert "//" not in "".join(
            part for line in path.read_text().splitlines() for part in [line.split("// ")[0]]
        ).replace("/**", "").replace("*/", ""), path


def test_npm_missing_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PackagingError, match=r"^npm: not found; install"):
        client_folder()
    assert not list(tmp_path.rglob("package.json"))


def test_a_taken_port_is_one_line(address: str) -> None:
    with pytest.raises(PackagingError, match="is taken"):
        server.make_server({}, int(address.partition(":")[2]))


@pytest.mark.slow
def test_a_file_gives_the_scores_and_events_of_python(
    address: str, model: Path, tmp_path: Path, esc10: Path
) -> None:
    waveform = load_waveform(next(esc10.rglob("*.ogg")), SAMPLE_RATE)[: 3 * SAMPLE_RATE]
    waveform[SAMPLE_RATE : SAMPLE_RATE + 4 * WINDOW] *= QUIET  # what is quiet is not run
    # float: Chromium divides positive 16-bit samples by 32767, everyone else by 32768
    soundfile.write(tmp_path / "clip.wav", waveform, SAMPLE_RATE, subtype="FLOAT")
    with open_tab(f"http://{address}/") as tab:
        tab.wait_for("!document.getElementById('file').disabled")
        node = tab.send("DOM.getDocument")["root"]["nodeId"]
        found = tab.send("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
        tab.send("DOM.setFileInputFiles", nodeId=found, files=[str(tmp_path / "clip.wav")])
        tab.wait_for("demo.session && !demo.context && demo.session.seconds > 2")
        history = tab.evaluate("demo.session.history.map((h) => [h.start, ...h.scores])")
        events = tab.evaluate("demo.session.events")
        rows = tab.evaluate("document.querySelectorAll('#events li').length")
        assert tab.problems == []
    ours = open_model(model)
    starts = range(0, len(waveform) - WINDOW + 1, WINDOW // 2)
    windows = np.stack([waveform[start : start + WINDOW] for start in starts])
    expected = ours.run(windows)
    quiet = [is_quiet(window, QUIET) for window in windows]
    assert 0 < sum(quiet) < len(quiet)
    expected[quiet] = 0
    assert [row[0] for row in history] == list(starts)
    np.testing.assert_allclose([row[1:] for row in history], expected, atol=BROWSER)
    reference = [vars(event) for event in listen(ours.run, ours.card, [waveform])]
    assert len(events) == len(reference) > 0
    assert rows == sum(event["ended"] for event in reference)
    for event, wanted in zip(events, reference, strict=True):
        assert {**event, "peak": 0} == {**wanted, "peak": 0}
        assert event["peak"] == pytest.approx(wanted["peak"], abs=BROWSER)


@pytest.mark.slow
def test_the_microphone_arrives_as_it_sounds(
    address: str, model: Path, tmp_path: Path, esc10: Path
) -> None:
    clip = load_waveform(next(esc10.rglob("*Rooster*/*.ogg")), 48_000)
    soundfile.write(tmp_path / "mic.wav", clip, 48_000, subtype="PCM_16")
    flags = (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={tmp_path / 'mic.wav'}",
    )
    keep = (
        "(() => { window.taken = []; const push = demo.session.push;"
        "demo.session.push = function (s) { taken.push(...s); return push.call(this, s); }; })()"
    )
    with open_tab(f"http://{address}/", *flags) as tab:
        tab.wait_for("!document.getElementById('microphone').disabled")
        tab.evaluate(f"document.getElementById('microphone').click(); {keep}")
        tab.wait_for("taken.length > 16000 * 6")
        tab.evaluate("document.getElementById('stop').click()")
        taken = np.asarray(tab.evaluate("taken"), np.float32)
        history = tab.evaluate("demo.session.history.map((h) => [h.start, ...h.scores])")
        drawn = tab.evaluate(
            "[...document.getElementById('spectrogram').getContext('2d')"
            ".getImageData(0, 0, 800, 100).data].filter((v, i) => i % 4 === 0 && v > 90).length"
        )
        assert tab.problems == []
    assert likeness(taken, load_waveform(tmp_path / "mic.wav", SAMPLE_RATE)) > 0.95
    assert drawn > 1000
    run = litert_runner(model)
    for start, *scores in history[:-1]:
        window = taken[start : start + WINDOW]
        if not is_quiet(window, QUIET):
            np.testing.assert_allclose(scores, run(window[np.newaxis])[0], atol=BROWSER)


def likeness(taken: np.ndarray, clip: np.ndarray) -> float:
    """How alike the loudest second of `clip` is to what came in, wherever it is.

    The median over its quarters, each correlated at its best place: on a busy machine the browser
    drops a few milliseconds now and then.
    """
    loud = int(np.argmax(energy(clip, SAMPLE_RATE)))
    quarters = np.split(clip[loud : loud + SAMPLE_RATE], 4)
    return float(np.median([best_correlation(taken, quarter) for quarter in quarters]))


def best_correlation(taken: np.ndarray, piece: np.ndarray) -> float:
    size = len(taken) + len(piece)
    product = np.fft.irfft(np.fft.rfft(taken, size) * np.conj(np.fft.rfft(piece, size)), size)
    scale = np.sqrt(energy(taken, len(piece)) * np.sum(piece**2) + 1e-9)
    return float((product[: len(scale)] / scale).max())


def energy(waveform: np.ndarray, length: int) -> np.ndarray:
    """Of every stretch of `length` samples."""
    total = np.cumsum(np.pad(waveform.astype(np.float64) ** 2, (1, 0)))
    return total[length:] - total[:-length]


@pytest.mark.slow
def test_a_sound_narrower_than_the_training_is_said_on_the_page(
    address: str, tmp_path: Path
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 11 * SAMPLE_RATE)
    bins = np.fft.rfft(noise)
    bins[len(bins) // 2 :] = 0
    soundfile.write(tmp_path / "narrow.wav", np.fft.irfft(bins), SAMPLE_RATE, subtype="FLOAT")
    shown = "document.getElementById('narrow').textContent"
    with open_tab(f"http://{address}/") as tab:
        tab.wait_for("!document.getElementById('file').disabled")
        node = tab.send("DOM.getDocument")["root"]["nodeId"]
        found = tab.send("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
        tab.send("DOM.setFileInputFiles", nodeId=found, files=[str(tmp_path / "narrow.wav")])
        tab.wait_for("demo.session && demo.session.seconds > 1")
        assert tab.evaluate(shown) == ""  # not known yet
        tab.wait_for("demo.session.meter.hertz !== null")
        tab.wait_for(f"{shown}.includes('above {SAMPLE_RATE / 4000:.1f} kHz')")
        assert tab.problems == []


@pytest.mark.slow
def test_a_refused_microphone_is_said_on_the_page(address: str) -> None:
    with open_tab(f"http://{address}/", "--use-fake-device-for-media-stream",
                  "--deny-permission-prompts") as tab:  # fmt: skip
        tab.wait_for("!document.getElementById('microphone').disabled")
        tab.evaluate("document.getElementById('microphone').click()")
        tab.wait_for("document.getElementById('status').textContent.includes('refused')")


@pytest.mark.slow
def test_a_file_that_is_no_sound_is_said_on_the_page(address: str, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not sound")
    with open_tab(f"http://{address}/") as tab:
        tab.wait_for("!document.getElementById('file').disabled")
        node = tab.send("DOM.getDocument")["root"]["nodeId"]
        found = tab.send("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
        tab.send("DOM.setFileInputFiles", nodeId=found, files=[str(tmp_path / "text.wav")])
        tab.wait_for("document.getElementById('status').textContent.includes('not sound')")
