"""listening_truth: whether chunks hear what windows hear, over a day and over real recordings.

    python benchmarks/listening_truth.py MODELS FEATURES [RECORDING ...]

MODELS is models/litert of a run, FEATURES its data/features. A stream of HOURS is made of clips of
the store in random order and at random levels, with stretches of silence and of faint noise
between; it is listened to twice, with the file of chunks and with the file of windows, each window
alone. Then every RECORDING, and the stream's first MINUTES with a NaN, cut in blocks of odd
lengths, restarted, and captured at 44.1 kHz.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soxr

import claim
from pocketear.base.arrays import Runner, Scores, Waveform, WindowBatch
from pocketear.base.errors import ClipError
from pocketear.contracts.names import of_windows
from pocketear.data.decoding.untrusted import stream_untrusted
from pocketear.data.store import Store, open_store
from pocketear.listening.listener import SoundEvent, listen
from pocketear.params import load_params
from pocketear.runtimes.card import ModelCard
from pocketear.runtimes.litert import litert_runner, open_model

HOURS, MINUTES, SEED = 24, 30, 2718
_BLOCK = 1 << 16
_OTHER_RATE = 44_100
PARAMS = load_params()


class Kept:
    """A runner that keeps what it was asked and said, window by window."""

    def __init__(self, run: Runner) -> None:
        self._run = run
        self.scores: list[Waveform] = []

    def __call__(self, windows: WindowBatch) -> Scores:
        found = self._run(windows)
        self.scores += list(found)
        return found


def stream(store: Store, seconds: float) -> Iterator[Waveform]:
    """Clips at -40 to 0 dB, and as often a pause: silence, or noise at -100 to -40 dB."""
    draw, rate, made = np.random.default_rng(SEED), PARAMS.frontend.sample_rate, 0
    while made < seconds * rate:
        if draw.random() < 0.5:
            clip = store.waveform(int(draw.integers(len(store.index))))
            block = clip * np.float32(10 ** draw.uniform(-2, 0))
        else:
            level = 0 if draw.random() < 0.3 else 10 ** draw.uniform(-5, -2)
            block = draw.normal(0, level, int(draw.uniform(0.2, 20) * rate)).astype(np.float32)
        made += len(block)
        yield block


def compared(
    files: tuple[Path, Path], card: ModelCard, blocks: list[Waveform] | None = None, hours: int = 0
) -> dict[str, Any]:
    """Both files over the same sound. hours: of `stream`, where no blocks are given"""
    store = open_store(Path(sys.argv[2]))
    runs = [Kept(litert_runner(path)) for path in files]
    events = [
        list(listen(run, card, blocks if blocks is not None else stream(store, hours * 3600)))
        for run in runs
    ]
    chunked, whole = (np.asarray(run.scores) for run in runs)
    finite = np.isfinite(whole).all(axis=1)
    return {
        "windows_run": len(whole),
        "events": sum(event.ended for event in events[1]),
        "events_that_differ": len(set(events[0]) ^ set(events[1])),
        "largest_score_difference": float(np.abs(chunked - whole)[finite].max(initial=0)),
        "same_windows_not_a_number": bool((np.isfinite(chunked) == np.isfinite(whole)).all()),
        "last_event_s": events[1][-1].end_s if events[1] else None,
    }


def recording(files: tuple[Path, Path], card: ModelCard, path: Path) -> dict[str, Any]:
    """One recording; {} of one that cannot be decoded, which is said."""
    try:
        return compared(files, card, list(stream_untrusted(path, card.sample_rate, _BLOCK)))
    except ClipError as error:
        print(f"left out: {error}")
        return {}


def odd_cases(files: tuple[Path, Path], card: ModelCard, store: Store) -> dict[str, Any]:
    """The beginning of the stream, made difficult."""
    sound = np.concatenate(list(stream(store, MINUTES * 60)))
    wrong = sound.copy()
    wrong[:: 100 * card.window_length] = np.nan
    draw = np.random.default_rng(SEED)
    cuts = np.cumsum(draw.integers(1, 40_000, len(sound) // 20_000))
    odd = [block for block in np.split(sound, cuts[cuts < len(sound)]) if len(block)]
    there = soxr.resample(sound, card.sample_rate, _OTHER_RATE)
    back = soxr.resample(there, _OTHER_RATE, card.sample_rate).astype(np.float32)
    found = {
        "not_a_number": compared(files, card, [wrong]),
        "blocks_of_odd_lengths": compared(files, card, odd),
        "captured_at_44100": compared(files, card, [back]),
    }
    run = litert_runner(files[0])
    first, again = (list(listen(run, card, [sound])) for _ in range(2))
    plain = list(listen(run, card, odd))
    return found | {
        "restart_events_that_differ": len(set(first) ^ set(again)),
        "odd_blocks_to_one_block_events_that_differ": len(set(first) ^ set(plain)),
        "time_drift_s": drift(first, plain),
    }


def drift(events: list[SoundEvent], others: list[SoundEvent]) -> float:
    """The largest difference of a start or an end."""
    pairs = zip(events, others, strict=True)
    times = ((a.start_s - b.start_s, a.end_s - b.end_s) for a, b in pairs)
    return max((abs(one) for both in times for one in both), default=0.0)


def main() -> None:
    """Listen, compare, publish."""
    folder, features, *recordings = map(Path, sys.argv[1:])
    chunks = folder / f"{PARAMS.package.name}_{PARAMS.export.android}.tflite"
    files, card = (chunks, of_windows(chunks)), open_model(chunks).card
    store = open_store(features)
    figures: dict[str, Any] = {"variant": card.variant, "quiet_peak": card.listener.quiet_peak}
    figures |= odd_cases(files, card, store)
    real = {path.name: recording(files, card, path) for path in recordings}
    real = {name: one for name, one in real.items() if one}
    figures["recordings"] = {
        "count": len(real),
        "windows_run": sum(one["windows_run"] for one in real.values()),
        "events": sum(one["events"] for one in real.values()),
        "events_that_differ": sum(one["events_that_differ"] for one in real.values()),
        "largest_score_difference": max(
            (one["largest_score_difference"] for one in real.values()), default=0.0
        ),
    }
    figures[f"stream_of_{HOURS}_h"] = compared(files, card, hours=HOURS)
    claim.publish("listening_truth", figures)


if __name__ == "__main__":
    main()
