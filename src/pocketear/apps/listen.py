"""listen: a long recording or a live stream -> the events that a phone would report.

The algorithm is the listener's; here are only where sound comes from and how events are shown.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pocketear.apps.default_model import shipped_model
from pocketear.apps.limits import measured, print_limits, print_narrow
from pocketear.base.arrays import Waveform
from pocketear.base.errors import ClipError
from pocketear.data.decoding.bandwidth import Spectrum, cutoff
from pocketear.data.decoding.int16 import from_int16
from pocketear.data.decoding.untrusted import stream_untrusted
from pocketear.listening import listener
from pocketear.runtimes.litert import open_model

_BLOCK = 1 << 16  # samples of a file in memory at once
_CONTAINERS = (b"RIFF", b"fLaC", b"OggS", b"caff", b"FORM")  # what is not raw PCM


def pcm_blocks(stream: BinaryIO) -> Iterator[Waveform]:
    """Raw 16-bit little-endian mono PCM, as soon as it comes; an interrupt ends the stream.

    raises: ClipError if the stream is a sound file with a header
    """
    rest, began = b"", False
    try:
        while piece := os.read(stream.fileno(), _BLOCK):  # what there is, without waiting
            if not began and piece.startswith(_CONTAINERS):
                raise ClipError("standard input: a sound file with a header; give its name instead")
            piece, began = rest + piece, True
            whole = len(piece) // 2 * 2
            yield from_int16(np.frombuffer(piece[:whole], "<i2"))
            rest = piece[whole:]
    except KeyboardInterrupt:
        return


def counted(blocks: Iterator[Waveform], count: list[int]) -> Iterator[Waveform]:
    """The same blocks; their samples are added to count[0]."""
    for block in blocks:
        count[0] += len(block)
        yield block


def run(file: str, model_path: Path | None, *, as_json: bool) -> None:
    """Print each event: JSON lines, or a table; of a live stream also when one begins."""
    model = open_model(model_path or shipped_model())
    print_limits(model.card)
    live = file == "-"
    if not live and Path(file).is_dir():
        raise ClipError(f"{file}: is a folder; give one file")
    sound = (
        pcm_blocks(sys.stdin.buffer)
        if live
        else stream_untrusted(Path(file), model.card.sample_rate, _BLOCK)
    )
    samples, began, events, spectrum = [0], time.process_time(), 0, Spectrum()
    own = listener.EventDecoder.of(model.card)
    for event in listener.listen(
        model.run, model.card, measured(counted(sound, samples), spectrum), own
    ):
        events += event.ended
        if as_json:
            print(json.dumps(asdict(event), ensure_ascii=False), flush=True)
        elif event.ended or live:
            print(_row(event), flush=True)
    seconds, work = samples[0] / model.card.sample_rate, time.process_time() - began
    factor = f", real-time factor {work / seconds:.4f}" if seconds else ""
    print(
        f"{events} event{'s' * (events != 1)} in {seconds:.1f} s of sound{factor}", file=sys.stderr
    )
    print_narrow(file, cutoff(spectrum.power(), model.card.sample_rate), model.card)
    if own.ignored:
        why = "windows ignored: samples or scores that are not finite numbers"
        print(f"{own.ignored} {why}", file=sys.stderr)


def _row(event: listener.SoundEvent) -> str:
    end = f"{event.end_s:9.2f} s" if event.ended else "        … s"
    return f"{event.start_s:9.2f} – {end}  {event.peak:4.2f}  {event.label}"
