"""listening_second: a recipe -> instructions of a second of listening, before it is trained.

What is executed depends on shapes, not on weights: so those of a network as it begins will do.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pocketear.contracts.normalisation import Normalisation
from pocketear.listening.thresholds import settings_for
from pocketear.params import Params
from pocketear.phone.count import count
from pocketear.phone.setup import Tools
from pocketear.runtimes.card import card_for, settings_json
from pocketear.runtimes.litert_export import convert, variant
from pocketear.training.network import build, by_chunks

_CALIBRATION_CHUNKS = 20


def instructions_a_second(
    params: Params, labels: tuple[str, ...], phones: Iterable[str], tools: Tools
) -> dict[str, int]:
    """Of the int8 file, by phone class. phones: names in phone/classes.yaml

    raises: ParamsError if there is no such network; PhoneError if it cannot be counted here
    """
    hop, count_mels = params.listener.hop_length, params.frontend.n_mels
    normalisation = Normalisation(mean=(1.0,) * count_mels, scale=(1.0,) * count_mels)
    whole = build(params.frontend, params.model, labels, normalisation, hop)
    listener = settings_json(settings_for(params.listener, labels))
    card = card_for(params, labels, listener, "int8", {})
    noise = np.random.default_rng(0).normal(0, 0.1, (_CALIBRATION_CHUNKS, hop))
    file = variant(convert(by_chunks(whole)), "int8", noise.astype(np.float32), card)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "int8.tflite")
        path.write_bytes(file)
        counts = {name: count(path, name, tools=tools).instructions for name in phones}
    rate = params.frontend.sample_rate
    return {name: round(found * rate / hop) for name, found in counts.items()}
