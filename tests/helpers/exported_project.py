"""A project whose clips are split and whose model, never trained, is exported: in seconds."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from places import ROOT
from tables import clip_table


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """`folder` as the working folder, for stages that read params.yaml."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def make_exported(folder: Path) -> Path:
    """Twenty-four clips of noise and tones in three labels, and every exported file."""
    (folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    (folder / "data/negatives").mkdir(parents=True)
    with working_in(folder):
        _featurize()
        _build()
        _export()
    return folder


def _featurize() -> None:
    from pocketear.data.clips import write_clips
    from pocketear.stages import featurize

    table = clip_table({"cry": 8, "laugh": 8, "background": 8})
    table = table.assign(split=["train", "train", "val", "test"] * 6)
    rng = np.random.default_rng(3)
    for number, path in enumerate(table["path"]):
        time = np.arange(40_000) / 16_000
        tone = np.sin(2 * np.pi * (200 + 40 * number) * time)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * tone + rng.normal(0, 0.02, len(time)), 16_000)
    write_clips(table, Path("data/split/clips.parquet"))
    featurize.main(Path("data/split/clips.parquet"), Path("data/features"))


def _build() -> None:
    import keras

    from pocketear.data.clips import known_labels
    from pocketear.data.store import open_store
    from pocketear.params import load_params
    from pocketear.stages import train
    from pocketear.training import network

    params, store = load_params(), open_store(Path("data/features"))
    labels = known_labels(store.index, ())
    keras.utils.set_random_seed(1)
    hop = params.listener.hop_length
    built = network.build(params.frontend, params.model, labels, store.normalisation, hop)
    Path("models").mkdir()
    train.write_model(built, labels, params.model, Path("models/keras"))


def _export() -> None:
    from pocketear.stages import export_coreml, export_litert

    keras, litert = Path("models/keras"), Path("models/litert")
    export_litert.main(keras, Path("data/features"), litert)
    export_coreml.main(keras, litert / "card.json", Path("models/coreml"))
