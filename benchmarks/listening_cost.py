"""listening_cost: what a second of listening costs, before and after chunks, and against others.

    python benchmarks/listening_cost.py MODELS [YAMNET.tflite]

MODELS is the folder models/litert of a run. Before: the file of windows, run every hop over a
window, as any runtime must that has only that file. After: the file of chunks, once a hop; and a
quiet second, in which no chunk is run. Instructions are counted on every phone class. Then
processor time on this machine, all in one process and in turn: our listener, MediaPipe's
AudioClassifier in stream mode with our file of windows and, where a file is given, with YAMNet, and
a loop of librosa and Keras over the same windows.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import librosa
import numpy as np
from ai_edge_litert.tools import flatbuffer_utils
from mediapipe.tasks.python import BaseOptions, audio
from mediapipe.tasks.python.components.containers import AudioData

import claim
from pocketear.base.arrays import Waveform
from pocketear.contracts.names import FRONT_END, of_windows
from pocketear.listening.listener import listen
from pocketear.params import load_params
from pocketear.phone.classes import phone_table
from pocketear.phone.count import count
from pocketear.phone.setup import Tools, prepare
from pocketear.runtimes.card import ListenerSettings, ModelCard, write_card
from pocketear.runtimes.keras import load_keras
from pocketear.runtimes.litert import open_model

SECONDS, ROUNDS = 60, 7
_YAMNET_SAMPLES, _YAMNET_CLASSES = 15_600, 521
PARAMS = load_params()


def counted(tools: Tools, chunks: Path, windows: Path) -> dict[str, dict[str, Any]]:
    """Instructions of a second, by phone class."""
    a_second = PARAMS.frontend.sample_rate / PARAMS.listener.hop_length  # inferences
    end_to_end = PARAMS.frontend.sample_rate / PARAMS.frontend.window_length
    rows = {}
    for name in phone_table().classes:
        before, after = (count(path, name, tools=tools) for path in (windows, chunks))
        rows[name] = {
            "before": round(before.instructions * a_second),
            "after": round(after.instructions * a_second),
            "quiet": round(after.quiet * a_second),
            "after_to_windows_end_to_end": round(
                after.instructions * a_second / (before.instructions * end_to_end), 3
            ),
        }
        print(name, rows[name], flush=True)
    return rows


def ours(path: Path) -> Callable[[Waveform], None]:
    """The listener, in blocks of a hop as the phone captures them."""
    model = open_model(path)
    hop = model.card.hop_length

    def run(sound: Waveform) -> None:
        blocks = (sound[start : start + hop] for start in range(0, len(sound), hop))
        for _ in listen(model.run, model.card, blocks):
            pass

    return run


def mediapipe(path: Path, sample_rate: int) -> Callable[[Waveform], None]:
    """AudioClassifier in stream mode, in the same blocks."""
    hop = PARAMS.listener.hop_length

    def run(sound: Waveform) -> None:
        options = audio.AudioClassifierOptions(
            base_options=BaseOptions(model_asset_path=str(path)),
            running_mode=audio.RunningMode.AUDIO_STREAM,
            result_callback=lambda result, timestamp_ms: None,
        )
        with audio.AudioClassifier.create_from_options(options) as client:
            for start in range(0, len(sound), hop):
                block = AudioData.create_from_array(sound[start : start + hop], sample_rate)
                client.classify_async(block, round(start / sample_rate * 1e3))

    return run


def with_metadata(yamnet: Path, folder: Path) -> Path:
    """YAMNet as MediaPipe takes it: with metadata, which its file has not, and scores alone."""
    labels = tuple(f"class {number}" for number in range(_YAMNET_CLASSES))
    settings = ListenerSettings(_YAMNET_SAMPLES // 2, 1, 0.0, 0.0, 0.0, {}, labels)
    card = ModelCard(
        "yamnet", "1.0.0", "int8", "Apache-2.0", labels, 16_000, _YAMNET_SAMPLES, settings
    )
    made = folder / "yamnet.tflite"
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(yamnet.read_bytes()))
    graph = model.subgraphs[0]
    graph.outputs = [at for at in graph.outputs if graph.tensors[at].shape[-1] == _YAMNET_CLASSES]
    model.signatureDefs = []
    content = flatbuffer_utils.convert_object_to_bytearray(model)
    made.write_bytes(write_card(bytes(content), card))
    return made


def librosa_and_keras(path: Path) -> Callable[[Waveform], None]:
    """What a tutorial does: librosa's log-mel of each window, then the network."""
    whole, p, hop = load_keras(path), PARAMS.chunk, PARAMS.listener.hop_length
    network = keras.Model(whole.get_layer(FRONT_END).output, whole.output)

    def run(sound: Waveform) -> None:
        for start in range(0, len(sound) - PARAMS.frontend.window_length + 1, hop):
            window = sound[start : start + PARAMS.frontend.window_length].reshape(-1, hop)
            mel = librosa.feature.melspectrogram(
                y=window, sr=p.sample_rate, n_fft=p.n_fft, win_length=p.win_length,
                hop_length=p.hop_length, n_mels=p.n_mels, fmin=p.fmin, fmax=p.fmax, center=False,
            )  # fmt: skip
            network(librosa.power_to_db(mel, amin=p.floor, top_db=None).transpose(0, 2, 1))

    return run


def timed(loops: dict[str, Callable[[Waveform], None]]) -> dict[str, float]:
    """Milliseconds of processor time a second of sound: medians of ROUNDS, run in turn."""
    rate = PARAMS.frontend.sample_rate
    sound = np.random.default_rng(1).normal(0, 0.1, SECONDS * rate).astype(np.float32)
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(ROUNDS + 1):
        for name, loop in loops.items():
            began = time.process_time()
            loop(sound)
            times[name].append((time.process_time() - began) / SECONDS * 1e3)
    return {name: round(statistics.median(own[1:]), 3) for name, own in times.items()}


def main() -> None:
    """Count, time, publish."""
    folder, *yamnet = map(Path, sys.argv[1:])
    chunks = folder / f"{PARAMS.package.name}_{PARAMS.export.android}.tflite"
    windows = of_windows(chunks)
    loops = {
        "pocketear": ours(chunks),
        "mediapipe_our_file": mediapipe(windows, PARAMS.frontend.sample_rate),
        "librosa_and_keras": librosa_and_keras(folder.parent / "keras" / "model.keras"),
    }
    with tempfile.TemporaryDirectory() as scratch:
        if yamnet:
            named = with_metadata(yamnet[0], Path(scratch))
            loops["mediapipe_yamnet"] = mediapipe(named, PARAMS.frontend.sample_rate)
        milliseconds = timed(loops)
    own = milliseconds["pocketear"]
    claim.publish(
        "listening_cost",
        {
            "instructions_a_second": counted(prepare(), chunks, windows),
            "milliseconds_a_second": milliseconds,
            "times_ours": {name: round(ms / own, 2) for name, ms in milliseconds.items()},
        },
    )


if __name__ == "__main__":
    main()
