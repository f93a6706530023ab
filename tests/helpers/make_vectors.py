"""Makes the vectors that the listeners in Python, Kotlin and Swift must pass, from the Python one.

    python tests/helpers/make_vectors.py            says whether the files are up to date
    python tests/helpers/make_vectors.py --update   writes them; review the difference

decoder.json: settings, steps and events. A step is the scores of the next window (null: not a
number) or a gap (the next window starts at that sample). An event comes `after` a step; the
number of steps itself means: when the stream was finished. Numbers are decimal; the scores and
peaks are float32, times are float64, and all must be equal to the last bit.

card.tflite: a tiny model with its card inside (tiny_model.py), for those who read cards.

cards.json: cards, most of them wrong, and whether a reader must refuse them.

front_end.json: settings of the front-end, a waveform, and librosa's features of it, row by row a
frame. `loudest` is by frame the most that a mel power could be, for numeric_error.power_error: a
test that reads it holds every log-mel to `limit` in that measure, and every MFCC to `limit` of the
largest of its frame. Waveforms are rounded, to keep the file small. The last digits of librosa's
FFT depend on the machine: tests/frontend/test_numpy_fft.py asks whether this file is up to date.

detector.json: streams of samples (null: not a number) with losses, and their windows: where each
starts, whether it is run (it is not if it is quiet, or if a sample of it is not finite, and then it
is one of those `ignored`), and whether its state is `carried`: the window a hop before it, in the
same unbroken stream, was run, so only the newest hop of samples is new to the model. The last
window of a stream shorter than a window is zero-padded, and is never carried.

bandwidth.json: waveforms, in steps of 1/32768, and up to which frequency they hold sound, in Hz.

windows.json: a ramp (sample i is i) pushed in blocks, with losses; the windows that come out, by
where they start in the stream, their first and last sample, and how many zeros end them.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pocketear.base.errors import RunnerError
from pocketear.data.decoding.bandwidth import N_FFT, bandwidth
from pocketear.evaluation.numeric_error import probes
from pocketear.frontend.librosa_features import mel_matrix, reference_steps
from pocketear.listening.listener import EventDecoder, WindowBuffer, is_quiet
from pocketear.params import FrontEndParams
from pocketear.runtimes.card import card_from, card_json, settings_from, write_card
from tiny_model import tiny_card, tiny_tflite

FOLDER = Path(__file__).parents[2] / "mobile/vectors"

LABELS = ["background", "crying_baby", "laughing"]
PLAIN: dict[str, Any] = {
    "hop_length": 8000,
    "smoothing": 1,
    "hysteresis": 0.1,
    "min_seconds": 0.5,
    "refractory_seconds": 0.0,
    "thresholds": {"crying_baby": 0.6, "laughing": 0.7},
    "background": ["background"],
}
TWO = PLAIN["thresholds"]
BELOW = float(np.nextafter(np.float32(0.6), np.float32(0)))
OFF = float(np.float32(0.6) - np.float32(0.1))
BELOW_OFF = float(np.nextafter(np.float32(OFF), np.float32(0)))
SILENCE = [0.0, 0.0, 0.0]
FRONT_END = {
    "kind": "log_mel", "sample_rate": 16_000, "window_length": 1_000, "n_fft": 256,
    "win_length": 200, "hop_length": 160, "n_mels": 24, "fmin": 60.0, "fmax": 7_600.0,
    "mel_scale": "slaney", "mel_norm": "slaney", "center": False, "spectrum": "power", "log": "db",
    "floor": 1e-7, "floor_mode": "clip",
    "n_mfcc": 13, "lifter": 0,
}  # fmt: skip
LIMIT = 1e-4  # gate.max_front_end_error, as it ships
PEAK = 0.01  # ABOVE is the next float32, TINY the one after 0
ABOVE = float(str(np.nextafter(np.float32(PEAK), np.float32(1))))
TINY = float(str(np.nextafter(np.float32(0), np.float32(1))))


def cry(*scores: float | None) -> list[Any]:
    """Steps in which only crying_baby varies."""
    return [{"scores": [0.1, score, 0.0]} for score in scores]


def hand_made() -> list[dict[str, Any]]:
    """One case a rule."""
    loud = cry(0.9, 0.9, 0.9)
    return [
        case("one event", cry(0.1, 0.8, 0.9, 0.7, 0.1, 0.1)),
        case("still sounding at the end", loud),
        case("no step at all", []),
        case("a score equal to the threshold starts", cry(0.6, 0.1)),
        case("the next float below does not", cry(BELOW, 0.1)),
        case("a score equal to threshold minus hysteresis goes on", cry(0.9, OFF, 0.1)),
        case("the next float below ends", cry(0.9, BELOW_OFF, 0.1)),
        case("no hysteresis", cry(0.6, BELOW, 0.6), hysteresis=0.0),
        case("background yields nothing", [{"scores": [1.0, 0.0, 0.0]}] * 5),
        case("two labels at once", [{"scores": [0.0, 0.9, 0.9]}] * 3 + [{"scores": SILENCE}]),
        case("too short is dropped", cry(0.1, 0.9, 0.1), min_seconds=1.0),
        case("just long enough", cry(0.1, 0.9, 0.9, 0.1), min_seconds=1.0),
        case("no minimum", cry(0.9, 0.1), min_seconds=0.0),
        case("refractory holds back", cry(0.9, 0.1, 0.9, 0.9, 0.9, 0.1), refractory_seconds=1.0),
        case("refractory ends in time", cry(0.9, 0.1, 0.1, 0.9, 0.1), refractory_seconds=1.0),
        case("a dropped event holds nothing back",
             cry(0.9, 0.1, 0.9, 0.9, 0.1), min_seconds=1.0, refractory_seconds=5.0),
        case("refractory is a label's own",
             [{"scores": [0, 0.9, 0]}, {"scores": [0, 0, 0.9]}, {"scores": [0, 0.9, 0.9]}],
             refractory_seconds=60.0),
        case("mean of two", cry(0.1, 0.9, 0.9, 0.9, 0.1, 0.1), smoothing=2),
        case("mean of three, oldest first", cry(0.1, 0.7, 0.3, 0.9, 1.0, 0.8), smoothing=3),
        case("one spike is averaged away", cry(0.1, 0.9, 0.1, 0.1), smoothing=3),
        case("not a number ends and is counted out", cry(0.9, 0.9, None, 0.9, 0.1)),
        case("not a number elsewhere counts too",
             [{"scores": [None, 0.9, 0.0]}, {"scores": [0.1, 0.9, 0.0]}]),
        case("only not a number", cry(None, None, None)),
        case("means begin anew after not a number", cry(0.1, 0.1, None, 0.9, 0.9), smoothing=3),
        case("a gap ends", [*loud, {"gap": 160_000}, *loud]),
        case("a gap with nothing sounding", [{"gap": 4000}, *loud]),
        case("means forget over a gap", [*cry(0.0, 0.0), {"gap": 32_000}, *cry(0.9)], smoothing=3),
        case("refractory goes on over a gap",
             [*loud, {"gap": 32_000}, *loud, *loud], refractory_seconds=2.0),
        case("two minutes of digital silence", [{"scores": SILENCE}] * 240),
        case("silence ends", [*loud, {"scores": SILENCE}]),
        case("hop as long as the window", cry(0.9, 0.9, 0.1), hop_length=24_000),
        case("odd lengths",
             cry(0.9, 0.9, 0.1), hop_length=777, min_seconds=0.07, sample_rate=11_025),
    ]  # fmt: skip


def random_cases() -> list[dict[str, Any]]:
    """Settings and scores drawn at random, with holes."""
    draw = np.random.default_rng(20)
    cases = []
    for number in range(30):
        settings = {
            "hop_length": int(draw.integers(1, 24_001)),
            "smoothing": int(draw.integers(1, 6)),
            "hysteresis": round(float(draw.uniform(0, 0.3)), 3),
            "min_seconds": round(float(draw.uniform(0, 1.5)), 3),
            "refractory_seconds": round(float(draw.uniform(0, 2)), 3),
        }
        steps: list[Any] = []
        for scores in np.round(draw.uniform(0, 1, (60, 3)) ** 0.6, 3).tolist():
            kind = draw.uniform()
            if kind < 0.02:
                steps.append({"gap": int(len(steps) * 30_000)})
            steps.append({"scores": [scores[0], None, scores[2]] if kind > 0.98 else scores})
        cases.append(case(f"random {number}", steps, **settings))
    return cases


def case(name: str, steps: list[Any], **changes: Any) -> dict[str, Any]:
    """One case with the events that the reference yields."""
    rate = changes.pop("sample_rate", 16_000)
    settings = {**PLAIN, **changes}
    decoder = EventDecoder(settings_from(settings), LABELS, rate, 24_000)
    events = []
    for index, step in enumerate([*steps, None]):
        for event in _events_of(decoder, step):
            events.append({"after": index, **vars(event)})
    return {
        "name": name, "labels": LABELS, "sample_rate": rate, "window_length": 24_000,
        "listener": settings, "steps": steps, "events": events, "ignored": decoder.ignored,
    }  # fmt: skip


def _events_of(decoder: EventDecoder, step: Any) -> list[Any]:
    if step is None:
        return decoder.finish()
    if "gap" in step:
        return decoder.gap(step["gap"])
    scores = [np.nan if score is None else score for score in step["scores"]]
    return decoder.push(np.array(scores, np.float32))


def card_cases() -> list[dict[str, Any]]:
    """One case a rule of a card."""
    nothing: dict[str, Any] = {}
    return [
        card_case("as it should be", nothing, {}),
        card_case("no label", {"labels": []}, {"thresholds": {}}),
        card_case("a label twice", {"labels": [*LABELS, "laughing"]}, {}),
        card_case("labels that are no list", {"labels": "laughing"}, {}),
        card_case("a label without a threshold", {"labels": [*LABELS, "dog"]}, {}),
        card_case("a threshold of no label", nothing, {"thresholds": {**TWO, "dog": 0.5}}),
        card_case("a threshold of background", nothing, {"thresholds": {**TWO, "background": 0.5}}),
        card_case("no sample rate", {"sample_rate": 0}, {}),
        card_case("a window shorter than the hop", {"window_length": 3}, {}),
        card_case("no hop", nothing, {"hop_length": 0}),
        card_case("nothing to average", nothing, {"smoothing": 0}),
        card_case("hysteresis below 0", nothing, {"hysteresis": -0.1}),
        card_case("hysteresis as high as a threshold", nothing, {"hysteresis": 0.6}),
        card_case("a negative minimum", nothing, {"min_seconds": -1.0}),
        card_case("a negative pause", nothing, {"refractory_seconds": -1.0}),
        card_case("a threshold that is text", nothing, {"thresholds": {**TWO, "laughing": "x"}}),
        card_case("a quiet peak", nothing, {"quiet_peak": 0.01}),
        card_case("a quiet peak of 0", nothing, {"quiet_peak": 0}),
        card_case("a quiet peak just below full scale", nothing, {"quiet_peak": 0.9999999999}),
        card_case("a negative quiet peak", nothing, {"quiet_peak": -0.01}),
        card_case("a quiet peak of full scale", nothing, {"quiet_peak": 1}),
        card_case("a quiet peak that is not a number", nothing, {"quiet_peak": "NaN"}),
        card_case("a quiet peak that is text", nothing, {"quiet_peak": "quiet"}),
    ]  # fmt: skip


def card_case(name: str, changes: dict[str, Any], listener: dict[str, Any]) -> dict[str, Any]:
    """One card, and what the reference says of it. It has no quiet_peak but in `listener`."""
    card = json.loads(card_json(tiny_card(window_length=8, hop_length=4))) | changes
    del card["listener"]["quiet_peak"]
    card["listener"] |= listener
    try:
        card_from(json.dumps(card))
    except RunnerError:
        return {"name": name, "refused": True, "card": card}
    return {"name": name, "refused": False, "card": card}


def front_end_cases() -> list[dict[str, Any]]:
    """A few settings, each with the probes that parity compares and a chord."""
    htk = {"mel_scale": "htk", "mel_norm": "none", "log": "ln"}
    cases = [
        *front_end_case("dB, Slaney"),
        *front_end_case("nepers, HTK, peak 1", **htk, win_length=256, fmin=0.0, fmax=8_000.0),
        *front_end_case("MFCC, liftered", kind="mfcc", lifter=22),
        *front_end_case("centred, odd hop", center=True, hop_length=233, win_length=255),
        *front_end_case("long frames at 44.1 kHz, few mels, low floor", sample_rate=44_100,
                        n_fft=512, win_length=512, n_mels=16, floor=1e-10),
    ]  # fmt: skip
    return sorted(cases, key=lambda case: case["name"].partition(": ")[2])  # alike ones zip well


def front_end_case(name: str, **changes: Any) -> list[dict[str, Any]]:
    """One case a sound, with the features that librosa finds."""
    settings = FRONT_END | changes
    p = FrontEndParams.model_validate(settings)
    cases = []
    for sound, samples in {**probes(p, seed=20), "chord": chord(p)}.items():
        waveform = np.round(samples.astype(np.float64), 7 if "-80" in sound else 4)
        steps = reference_steps(waveform.astype(np.float32), p)
        loudest = steps["power"].sum(axis=1) * mel_matrix(p).max()
        cases.append(
            {"name": f"{name}: {sound}", "frontend": settings, "limit": LIMIT,
             "waveform": _short(waveform), "loudest": _short(loudest),
             "features": [_short(frame) for frame in steps["features"]]}
        )  # fmt: skip
    return cases


def chord(p: FrontEndParams) -> np.ndarray:
    """Sines 60 dB apart, from the lowest mels to the highest."""
    time = np.arange(p.window_length) / p.sample_rate
    tones = ((0.5, 110.0), (0.05, 440.0), (0.005, 1_870.0), (0.0005, 7_040.0))
    first, *rest = (level * np.sin(2 * np.pi * hertz * time) for level, hertz in tones)
    return sum(rest, first)


def _short(values: np.ndarray) -> list[float]:
    return [int(x) if x == int(x) else float(f"{x:.8g}") for x in values.tolist()]


def window_cases() -> list[dict[str, Any]]:
    """Blocks of a ramp; a negative block is a loss."""
    return [
        window_case("blocks of the hop", 6, 2, [2] * 6),
        window_case("one long block", 6, 2, [17]),
        window_case("one sample at a time", 4, 3, [1] * 11),
        window_case("hop as long as the window", 5, 5, [3] * 5),
        window_case("exactly one window", 6, 2, [6]),
        window_case("shorter than a window", 6, 2, [3, 1]),
        window_case("nothing", 6, 2, []),
        window_case("a loss", 6, 2, [7, -4, 5, 5]),
        window_case("a loss, then too little", 6, 2, [7, -4, 5]),
        window_case("a loss at once", 6, 2, [-3, 8]),
    ]


def window_case(name: str, length: int, hop: int, blocks: list[int]) -> dict[str, Any]:
    """One case with the windows that the reference yields."""
    buffer, position, windows = WindowBuffer(length, hop), 0, []
    for block in blocks:
        if block < 0:
            buffer.skip(-block)
        else:
            samples = np.arange(position, position + block, dtype=np.float32)
            for window in buffer.push(samples + 1):  # so that no sample of the ramp is 0
                windows.append(_seen(buffer.start, window))
        position += abs(block)
    rest = buffer.finish()
    if rest is not None:
        windows.append(_seen(buffer.start, rest))
    return {"name": name, "window_length": length, "hop_length": hop, "blocks": blocks,
            "windows": windows}  # fmt: skip


def _seen(start: int, window: np.ndarray) -> dict[str, Any]:
    zeros = int(np.argmax(window[::-1] != 0))
    return {"start": start, "first": float(window[0]), "last": float(window[-1]), "zeros": zeros}


def detector_cases() -> list[dict[str, Any]]:
    """One case a rule, and streams drawn at random. Windows of 12, hops of 4."""
    loud, quiet, lost = [0.5, -0.25], [PEAK, -0.005], {"lost": 5}
    long, hop = pushed(loud * 14), pushed(quiet * 2)
    return [
        detector_case("loud", [long]),
        detector_case("quiet", [pushed(quiet * 40)]),
        detector_case("loud, quiet, loud", [long, pushed(quiet * 16), long]),
        detector_case("equal to the peak", [pushed([PEAK, -PEAK] * 14)]),
        detector_case("the next float above", [hop, hop, pushed([PEAK, 0, ABOVE, 0]), *[hop] * 5]),
        detector_case("the next float below minus", [*[hop] * 3, pushed([0, -ABOVE]), *[hop] * 5]),
        detector_case("not a number", [*[hop] * 3, pushed([None]), *[hop] * 5]),
        detector_case("not a number in loud", [long, pushed([0.5, None]), long]),
        detector_case("not a number first in a hop", [long, pushed([None]), long]),
        detector_case("not a number last in a hop", [long, pushed([0.5] * 3 + [None]), long]),
        detector_case("not a number twice", [long, pushed([None, *loud * 4, None]), long]),
        detector_case("not a number before a loss", [long, pushed([None]), lost, long]),
        detector_case("only not a number", [pushed([None] * 30)]),
        detector_case("not a number, shorter than a window", [pushed([0.5, None])]),
        detector_case(
            "not a number, not a whole number of hops", [long, pushed([None, 0.5]), long], length=10
        ),
        detector_case("a loud sample first in a hop", [*[hop] * 4, pushed([0.5]), *[hop] * 5]),
        detector_case("a loud sample last in a hop", [pushed([0] * 15 + [0.5]), *[hop] * 5]),
        detector_case("digital silence", [pushed([0] * 20 + [TINY] + [0] * 20)], quiet_peak=0.0),
        detector_case("a loss", [long, lost, long]),
        detector_case("a loss of nothing", [long, {"lost": 0}, long]),
        detector_case("two losses", [long, lost, pushed(loud), lost, long]),
        detector_case("a loss in quiet", [hop, hop, lost, *[hop] * 3, pushed(loud), *[hop] * 5]),
        detector_case("a loss after loud", [pushed(loud * 6), lost, *[hop] * 6]),
        detector_case("a loss at once", [lost, long]),
        detector_case("shorter than a window", [pushed(loud)]),
        detector_case("shorter than a window and quiet", [hop]),
        detector_case("a loss, then too little", [long, lost, pushed(loud)]),
        detector_case("nothing", []),
        detector_case("one sample at a time", [pushed([x]) for x in loud * 7 + quiet * 8 + loud]),
        detector_case("hop as long as the window", [long, *[hop] * 6, lost, long], length=4),
        detector_case("a loss of nothing between such", [long, {"lost": 0}, long], length=4),
        detector_case("hop of one", [pushed(quiet * 2 + loud + quiet * 4)], length=3, hop=1),
        detector_case("not a whole number of hops", [hop, pushed(loud), *[hop] * 6], length=10),
        *(detector_case(f"random {seed}", random_stream(seed)) for seed in range(8)),
    ]


def pushed(samples: Sequence[float | None]) -> dict[str, Any]:
    """A step of detector.json."""
    return {"samples": samples}


def random_stream(seed: int) -> list[dict[str, Any]]:
    """Blocks of any length around the quiet peak, with losses."""
    draw = np.random.default_rng(seed)
    steps: list[dict[str, Any]] = []
    for _ in range(24):
        levels = draw.choice([0.0, PEAK, -PEAK, ABOVE, 0.5], int(draw.integers(1, 12)),
                             p=[0.3, 0.3, 0.3, 0.05, 0.05])  # fmt: skip
        steps.append(pushed(levels.tolist()))
        if draw.uniform() < 0.1:
            steps.append({"lost": int(draw.integers(0, 9))})
    return steps


def detector_case(
    name: str, steps: list[dict[str, Any]], length: int = 12, hop: int = 4, quiet_peak: float = PEAK
) -> dict[str, Any]:
    """One case with the windows that the reference yields."""
    windows: list[dict[str, Any]] = []
    buffer, unbroken, ignored = WindowBuffer(length, hop), False, 0

    def take(window: np.ndarray) -> None:
        nonlocal ignored
        finite = bool(np.isfinite(window).all())
        ignored += not finite
        run = finite and not is_quiet(window, quiet_peak)
        carried = run and unbroken and windows[-1]["run"]
        windows.append({"start": buffer.start, "run": run, "carried": carried})

    for step in steps:
        if "lost" in step:
            buffer.skip(step["lost"])
            unbroken = False
        else:
            samples = [np.nan if sample is None else sample for sample in step["samples"]]
            for window in buffer.push(np.array(samples, np.float32)):
                take(window)
                unbroken = True
    rest = buffer.finish()
    if rest is not None:
        take(rest)
    return {"name": name, "window_length": length, "hop_length": hop, "quiet_peak": quiet_peak,
            "steps": steps, "windows": windows, "ignored": ignored}  # fmt: skip


def bandwidth_cases() -> list[dict[str, Any]]:
    """Noise that ends in an edge, and sounds that do not."""
    time = np.arange(2 * N_FFT) / 16_000
    return [
        bandwidth_case("wide", noise(16_000, 8_000)),
        bandwidth_case("sampled at 8 kHz before", noise(16_000, 4_000)),
        bandwidth_case("a telephone's, with a quiet hiss", noise(16_000, 3_400) + hiss(-60)),
        bandwidth_case("an edge that a loud hiss hides", noise(16_000, 3_400) + hiss(-6)),
        bandwidth_case("an edge of every resampler's filter", noise(16_000, 7_200)),
        bandwidth_case("a tone", 0.5 * np.sin(2 * np.pi * 440 * time)),
        bandwidth_case("digital silence", np.zeros(2 * N_FFT)),
        bandwidth_case("16 kHz in 44.1 kHz", noise(44_100, 8_000), 44_100),
    ]


def noise(rate: int, highest: float) -> np.ndarray:
    """White noise up to a frequency in Hz, of two blocks."""
    bins = np.fft.rfft(np.random.default_rng(5).normal(0, 0.03, 2 * N_FFT))
    bins[np.fft.rfftfreq(2 * N_FFT, 1 / rate) > highest] = 0
    return np.fft.irfft(bins)


def hiss(decibels: float) -> np.ndarray:
    """White noise, so loud relative to `noise`."""
    return np.random.default_rng(6).normal(0, 0.03 * 10 ** (decibels / 20), 2 * N_FFT)


def bandwidth_case(name: str, waveform: np.ndarray, sample_rate: int = 16_000) -> dict[str, Any]:
    """One case with the reference's figure."""
    steps = np.rint(waveform * 32_768).astype(int)
    found = bandwidth((steps / 32_768).astype(np.float32), sample_rate)
    return {"name": name, "sample_rate": sample_rate, "steps": steps.tolist(), "bandwidth": found}


def vectors() -> dict[str, bytes]:
    """File name -> content, of those that are the same on every machine."""
    card = replace(tiny_card(window_length=8, hop_length=4), bandwidth=3200.0)
    return {
        "decoder.json": _bytes([*hand_made(), *random_cases()]),
        "windows.json": _bytes(window_cases()),
        "detector.json": _bytes(detector_cases()),
        "bandwidth.json": _bytes(bandwidth_cases()),
        "cards.json": _bytes(card_cases()),
        "card.tflite": write_card(tiny_tflite(window=8), card),
    }


def _bytes(cases: list[dict[str, Any]]) -> bytes:
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    return f"[\n{lines}\n]\n".encode()


def main() -> None:
    """Compare, or write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write the files")
    update = parser.parse_args().update
    if update:
        (FOLDER / "front_end.json").write_bytes(_bytes(front_end_cases()))
    for name, content in vectors().items():
        path = FOLDER / name
        if update:
            path.write_bytes(content)
        elif not path.is_file() or path.read_bytes() != content:
            sys.exit(f"{path} differs: run with --update, and review the difference")


if __name__ == "__main__":
    main()
