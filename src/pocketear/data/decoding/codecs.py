"""codecs: a waveform through an encoder and back, as a call or a voice message changes it."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketear.base.arrays import Waveform
from pocketear.data.decoding.int16 import to_int16


@dataclass(frozen=True)
class Codec:
    """How to encode. name, container: FFmpeg's; sample_rate in Hz, 0: as the waveform's."""

    name: str
    container: str
    bit_rate: int
    sample_rate: int


AMR_NB = Codec("libopencore_amrnb", "amr", 12_200, 8000)
AAC = Codec("aac", "adts", 32_000, 0)


def through_codec(waveform: Waveform, sample_rate: int, codec: Codec) -> Waveform:
    """Encode and decode. (sample,) in and out, as long as it was, at the same sample rate.

    The encoder's delay at the start is left in: a phone's recording has it too. Short clips are
    encoded with silence behind them, since FFmpeg does not recognise a stream of a frame or two.
    """
    import av

    buffer = io.BytesIO()
    rate = codec.sample_rate or sample_rate
    with av.open(buffer, "w", format=codec.container) as out:
        stream: Any = out.add_stream(codec.name, rate=rate)  # PyAV's stubs know no audio stream
        stream.bit_rate, stream.layout = codec.bit_rate, "mono"
        whole = np.pad(to_int16(waveform), (0, max(0, sample_rate // 2 - len(waveform))))
        frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        frame.sample_rate = sample_rate
        resampler = av.AudioResampler(
            stream.codec_context.format, "mono", rate, stream.codec_context.frame_size or None
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None), None]:
            out.mux(stream.encode(piece))
    buffer.seek(0)
    with av.open(buffer, "r", format=codec.container) as back:
        resampler = av.AudioResampler("flt", "mono", sample_rate)
        pieces = [
            one.to_ndarray()[0]
            for decoded in [*back.decode(audio=0), None]
            for one in resampler.resample(decoded)
        ]
    returned = np.concatenate(pieces)[: len(waveform)] if pieces else np.zeros(0, np.float32)
    return np.pad(returned, (0, len(waveform) - len(returned))).clip(-1, 1).astype(np.float32)
