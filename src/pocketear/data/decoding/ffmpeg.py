"""ffmpeg: a sound that soundfile does not read, or not to its end -> its samples, by PyAV.

Only containers that hold the sound themselves are opened: a playlist would name other files.
"""

import errno
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pocketear.base.errors import ClipError
from pocketear.data.decoding.recording import (
    MOST_AT_ONCE,
    Part,
    Recording,
    av_coding,
    check_header,
    too_long,
    truncated,
)
from pocketear.data.decoding.spans import Span, Window

# FFmpeg's demuxers of containers that people and devices store sound in. None opens another file,
# unlike hls, dash, concat, sdp, image2 and about 300 that nobody needs here.
_DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac,loas,amr,amrnb,amrwb,asf,asf_o,caf,wav,w64,aiff,au,"
    "flac,mp3,ogg,ac3,eac3,dts,dtshd,truehd,mlp,ape,wv,tta,tak,mpc,mpc8,dsf,iff,voc,rm,avi,flv,"
    "mpegts,mpeg,qcp,dss,xwma,sox,ircam,nistsphere,oma,shn"
)
_OPTIONS = {"format_whitelist": _DEMUXERS, "protocol_whitelist": "file"}
_MOST_DAMAGED = 0.1  # of the packets
_BEFORE = 2.0  # s that are decoded before a part: an AAC decoder has forgotten all before by then
_LEAST_SHARE = 0.98  # of the duration that a header declares, where the file ends in an error
_MOST_AT_FIRST = 20  # packets before the first that can be decoded
# The types of AMR's frames, from which on they say that nobody speaks. FFmpeg decodes none of them.
_PAUSES = {"amrnb": 8, "amrwb": 9}
_AMR_FRAMES = 50  # a second
_TOLERANCE = 5  # frames of MP3 by which a header and its decoders differ: delay and padding
# Frames are counted where the lowest flag is set. source: Xing's and Fraunhofer's VBR headers
_MP3_HEADER = re.compile(
    rb"(?:Xing|Info)\x00\x00\x00[\x01\x03\x05\x07\x09\x0b\x0d\x0f](.{4})|VBRI.{10}(.{4})", re.DOTALL
)
_UNFLUSHED = 3  # bytes that the encoder Shine leaves out at the end
_LONGEST_FRAME = 2881  # bytes, of MP3
# kbit/s of layer III by the frame's index, of MPEG 1 and of 2 and 2.5
# source: ISO/IEC 11172-3, 13818-3
_MPEG1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0)
_MPEG2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0)


def read_av(path: Path, span: Span, part: Part, block: int) -> Iterator[Recording]:
    """The part of a sound in pieces of about `block` samples a channel.

    raises: ClipError if it is not one, truncated or damaged
    """
    try:
        with _opened(path, span) as container:
            stream = _sound(path, container, part)
            rate, codec = int(stream.rate), str(stream.codec_context.name)
            coding = av_coding(str(container.format.name), codec)
            first, last = part.samples(rate)
            there = _near(container, stream, first)
            sound = _Sound(path, container, stream)
            for samples in _joined(sound, block):
                piece = samples[
                    max(0, first - there) : int(max(0, min(len(samples), last - there)))
                ]
                there += len(samples)
                if len(piece):
                    yield Recording(piece, rate, codec.upper(), coding)
                if there >= last:
                    return
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        raise ClipError(
            f"{path}: not a sound file that can be read ({_reason(error)}); "
            "convert it to WAV or FLAC, or copy it again"
        ) from error


def mp3_goes_on(path: Path, span: Span, samples: int) -> bool:
    """Whether an MP3 has many more samples than `samples`, as libsndfile takes from its header.

    raises: ClipError if its header counts more frames than there are, or the last is not whole
    """
    with _opened(path, span) as container:
        stream = container.streams.audio[0]
        frames, before, last = 0, b"", b""
        for packet in _Sound(path, container, stream).packets():
            if not frames:
                before = _bytes_before(path, span.start + (packet.pos or 0))
            frames, last = frames + 1, bytes(packet)
        found = _MP3_HEADER.search(before)
        declared = int.from_bytes(found[1] or found[2], "big") if found else 0
        missing = _mp3_bytes(last, int(stream.rate)) - len(last)
        if declared > frames + _TOLERANCE or missing > _UNFLUSHED:
            raise truncated(path)
        in_frame = stream.codec_context.frame_size or 1152
        return (frames - _TOLERANCE) * in_frame > samples


def check_last_packet(path: Path, span: Span) -> None:
    """raises: ClipError if the last packet cannot be decoded by itself, as one of FLAC can"""
    with _opened(path, span) as container:
        stream = container.streams.audio[0]
        packets = list(deque(_Sound(path, container, stream).packets(), 1))
        try:
            for packet in packets:
                stream.decode(packet)
        except av.error.FFmpegError as error:
            raise truncated(path) from error


def _mp3_bytes(frame: bytes, rate: int) -> int:
    """Of a frame that begins as `frame` does; 0 if it does not begin as one, or does not say."""
    if len(frame) < 4 or frame[0] != 0xFF or frame[1] & 0xE6 != 0xE2:
        return 0
    is_first = bool(frame[1] & 0x08)
    kbits = (_MPEG1 if is_first else _MPEG2)[frame[2] >> 4]
    return (144 if is_first else 72) * 1000 * kbits // rate + (frame[2] >> 1 & 1 if kbits else 0)


def _bytes_before(path: Path, at: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, at - _LONGEST_FRAME))
        return file.read(min(at, _LONGEST_FRAME))


@contextmanager
def _opened(path: Path, span: Span) -> Iterator[Any]:
    if span.start == 0 and span.end == path.stat().st_size:
        # "file:", or a folder called `http:`, or a file called `12:30`, would be an address
        with av.open(f"file:{path}", options=_OPTIONS) as container:
            yield container
    else:
        with (
            Window(path, span.start, span.end) as window,
            av.open(window, options=_OPTIONS) as container,
        ):
            yield container


def _near(container: Any, stream: Any, first: int) -> int:
    """Go to a place before sample `first`, where that is exact. returns: the sample there

    Only MP4 counts its time in samples. What lies before the place does not sound behind it:
    but the noise that AAC draws by itself (PNS) is another draw.
    """
    rate = int(stream.rate)
    start = first - round(_BEFORE * rate)
    if start <= 0 or "mp4" not in container.format.name or stream.time_base != Fraction(1, rate):
        return 0
    offset = next(container.decode(stream)).pts
    container.seek(start + offset, stream=stream)
    at = next(container.decode(stream)).pts
    container.seek(start + offset, stream=stream)
    if None in (offset, at) or not 0 <= at - offset <= first:
        container.seek(offset or 0, stream=stream)
        return 0
    return int(at - offset)


def _sound(path: Path, container: Any, part: Part) -> Any:
    """The first stream of sound in PyAV's container, if its header keeps the limits."""
    if not container.streams.audio:
        raise ClipError(f"{path}: holds no sound; remove it or give the right file")
    stream = container.streams.audio[0]
    if not stream.codec_context:
        raise ClipError(f"{path}: is in a format without a decoder; convert it to WAV or FLAC")
    check_header(path, stream.codec_context.channels, int(stream.rate or 0))
    declared = (container.duration or 0) / 1e6  # microseconds
    if not part.end and declared - part.start > part.longest:
        raise too_long(path, f"declares {declared - part.start:.0f} s", part)
    return stream


def _joined(sound: "_Sound", block: int) -> Iterator[NDArray[np.float32]]:
    """Decoded frames (a few hundredths of a second), joined to (sample, channel) of a block."""
    # packed: PyAV counts a plane too many of eight planar channels, and crashes reading it
    packed = av.AudioResampler(format="flt")
    block = max(1, min(block, MOST_AT_ONCE // sound.stream.codec_context.channels))
    held: list[NDArray[np.float32]] = []  # (sample, channel) each
    count = 0
    for decoded in sound.frames():
        for frame in packed.resample(decoded):
            held.append(np.asarray(frame.to_ndarray(), np.float32).reshape(frame.samples, -1))
            count += frame.samples
        if count >= block:
            yield np.concatenate(held)
            held, count = [], 0
    if held:
        yield np.concatenate(held)


class _Sound:
    """The packets and frames of one stream, and whether its file ends before it does."""

    def __init__(self, path: Path, container: Any, stream: Any) -> None:
        self.stream = stream
        self._path, self._container = path, container
        self._packets = self._damaged = self._samples = 0
        self._is_cut = False  # as the last packet says
        self._error: av.error.FFmpegError | None = None

    def packets(self) -> Iterator[Any]:
        """All that hold something, up to an error behind the first."""
        packets = self._container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                if not self._packets:
                    raise
                self._error = error
                return
            if packet is None:
                return
            if packet.size:
                self._packets += 1
                self._is_cut = packet.is_corrupt
                yield packet

    def frames(self) -> Iterator[Any]:
        """All that can be decoded.

        raises: ClipError if the file ends before the sound does, or much of it is damaged
        """
        sign = b""
        for packet in self.packets():
            sign = sign or bytes(packet)[:1]
            try:
                frames = self.stream.decode(packet)
            except av.error.FFmpegError as error:
                if self._is_pause(packet):
                    yield self._counted(self._silence())
                    continue
                self._damaged += 1
                self._is_cut |= bytes(packet)[:1] == sign  # else it is something behind the sound
                if not self._samples and self._damaged > _MOST_AT_FIRST:
                    raise
                self._error = error
                continue
            yield from map(self._counted, frames)
        yield from map(self._counted, self.stream.decode(None))
        self._check_end()

    def _is_pause(self, packet: Any) -> bool:
        first = _PAUSES.get(self.stream.codec_context.name)
        return first is not None and bytes(packet)[0] >> 3 & 0xF >= first

    def _silence(self) -> Any:
        """As long as a frame of AMR."""
        rate, codec = int(self.stream.rate), self.stream.codec_context
        zeros = np.zeros((codec.channels, rate // _AMR_FRAMES), np.float32)
        frame = av.AudioFrame.from_ndarray(zeros, codec.format.name, codec.layout.name)
        frame.sample_rate = rate
        return frame

    def _counted(self, frame: Any) -> Any:
        self._samples += frame.samples
        return frame

    def _check_end(self) -> None:
        if self._error and not self._samples:
            raise self._error
        declared = (self._container.duration or 0) / 1e6 * _LEAST_SHARE  # microseconds
        is_short = self._error and self._samples < declared * self.stream.rate
        if self._is_cut or is_short:
            raise truncated(self._path)
        if self._damaged > _MOST_DAMAGED * self._packets:
            raise ClipError(
                f"{self._path}: damaged: {self._damaged} of {self._packets} packets cannot be "
                "decoded; copy it again"
            )


def _reason(error: Exception) -> str:
    if getattr(error, "errno", None) == errno.EINVAL:  # FFmpeg's word for a demuxer not on the list
        return "not a container that holds sound itself"
    return str(getattr(error, "strerror", None) or error).lower()
