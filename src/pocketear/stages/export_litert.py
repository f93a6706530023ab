"""export_litert: the Keras model -> .tflite, waveform in and scores out, fp32 and int8.

They take a chunk at a time, with a state (network.by_chunks): that is what a listener runs. Of the
variant that ships there is one that takes a whole window besides, which other runtimes can open.
"""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from pocketear.base import process
from pocketear.base.arrays import Runner, WindowBatch
from pocketear.base.files import replacing
from pocketear.base.fingerprint import code_hash
from pocketear.contracts.names import LITERT_VARIANTS, ModelFiles
from pocketear.data.clips import read_labels
from pocketear.data.decoding.bandwidth import bandwidth
from pocketear.data.store import Store, open_store
from pocketear.data.windows import cut_windows
from pocketear.listening import thresholds
from pocketear.params import Params, load_params
from pocketear.runtimes.card import ListenerSettings as Settings
from pocketear.runtimes.card import card_for, card_json, settings_json
from pocketear.runtimes.keras import load_keras
from pocketear.runtimes.litert import litert_runner
from pocketear.runtimes.litert_export import convert, variant
from pocketear.training.network import by_chunks

_CALIBRATION_WINDOWS = 100
_NARROW = 5  # percentile of the training clips


def calibration_windows(store: Store, window_length: int, seed: int) -> WindowBatch:
    """Windows of training clips, drawn over all of them."""
    rows = np.flatnonzero(store.index["split"] == "train")
    drawn = np.random.default_rng(seed).choice(rows, min(len(rows), _CALIBRATION_WINDOWS), False)
    return np.concatenate(
        [cut_windows(store.waveform(int(row)), window_length, window_length)[:1] for row in drawn]
    )


def validation_stream(
    run: Runner, store: Store, labels: tuple[str, ...], params: Params
) -> thresholds.Stream:
    """The validation clips joined to one long recording, scored as a phone would."""
    rows = np.flatnonzero(store.index["split"] == "val").tolist()
    truth = store.index["label"].iloc[rows].tolist()
    rate, window = params.frontend.sample_rate, params.frontend.window_length
    lengths = store.index["samples"].iloc[rows].tolist()
    order, sounds = thresholds.joined_clips(lengths, truth, rate, params.seed)
    clips = (store.waveform(rows[place]) for place in order)
    settings = thresholds.settings_for(params.listener, labels)
    scored = thresholds.score_stream(run, clips, window, settings, labels)
    return thresholds.Stream(
        scored.scores, scored.peaks, sounds, labels, rate, window, scored.samples / rate
    )


def chosen_settings(fp32: Path, store: Store, labels: tuple[str, ...], params: Params) -> Settings:
    """The listener's settings with thresholds that keep the stated rate on validation."""
    stream = validation_stream(litert_runner(fp32), store, labels, params)
    settings = thresholds.settings_for(params.listener, labels)
    chosen = thresholds.choose_thresholds(stream, settings, params.listener.false_alarms_per_hour)
    return thresholds.choose_quiet_peak(stream, chosen, params.listener.quiet_margin_db)


def narrowest_band(store: Store, params: Params) -> float:
    """Up to where all but the narrowest twentieth of the training sounds reach, in Hz.

    Augmentation counts too: it makes windows narrower, if it is asked to.
    """
    rate = params.frontend.sample_rate
    rows = np.flatnonzero(store.index["split"] == "train").tolist()
    found = [bandwidth(store.waveform(row), rate) for row in rows]
    narrowed = params.augment.band * rate if params.augment.band_share else rate / 2
    return round(float(min(narrowed, np.percentile(found, _NARROW))), 1)


def made_from(files: ModelFiles, features: Path) -> dict[str, str]:
    """What the files were made from, by SHA-256."""
    sources = {"dataset": features / "index.parquet", "weights": files.keras}
    hashes = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in sources.items()}
    if files.backbone.exists():
        hashes["backbone"] = files.backbone.read_text().strip()
    return {
        **hashes,
        "training code": files.training_code.read_text().strip(),
        "export code": code_hash("stages/export_litert.py"),
    }


def main(keras: Path, features: Path, out: Path) -> None:
    """Write NAME_fp32.tflite, NAME_int8.tflite, NAME_…_window.tflite and card.json."""
    params, store = load_params(), open_store(features)
    files = ModelFiles(keras.parent, params.package.name)
    labels = read_labels(files.labels)
    whole = load_keras(files.keras)
    fp32 = convert(by_chunks(whole))
    windows = calibration_windows(store, params.frontend.window_length, params.seed)
    with replacing(out) as fresh:
        fresh.mkdir()
        bare = fresh / "fp32.tflite"
        bare.write_bytes(fp32)
        listener = settings_json(chosen_settings(bare, store, labels, params))
        bare.unlink()
        card = card_for(params, labels, listener, "fp32", made_from(files, features))
        card = replace(card, bandwidth=narrowest_band(store, params))
        (fresh / files.card.name).write_text(card_json(card), encoding="utf-8")
        chunks = windows.reshape(-1, params.listener.hop_length)
        content = {files.litert(v): variant(fp32, v, chunks, card) for v in LITERT_VARIANTS}
        ships = params.export.android
        content[files.litert_window(ships)] = variant(convert(whole), ships, windows, card)
        for path, tflite in content.items():
            (fresh / path.name).write_bytes(tflite)
            print(f"export_litert: {path.name}: {len(tflite)} bytes")
    print(f"export_litert: thresholds {listener['thresholds']}")


if __name__ == "__main__":
    process.run(main)
