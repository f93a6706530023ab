"""containers: a file of sound -> its samples, piece by piece, within fixed limits.

soundfile reads WAV, FLAC, Ogg and MP3; PyAV reads the rest (m4a, 3gp …), which phones record, and
MP3 that goes on where its header says that it ends.
"""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from pocketear.base.errors import ClipError
from pocketear.data.decoding.recording import (
    MOST_AT_ONCE,
    WHOLE,
    Part,
    Recording,
    check_header,
    coding,
    too_long,
    truncated,
)
from pocketear.data.decoding.spans import Span, Window, spans_of

_UNKNOWN = 1 << 62  # samples; beyond it, libsndfile says that the header gives no length
_UNREAD = 1 << 14  # bytes; libsndfile may leave half as many of a FLAC that it has read to its end
_FLAC_COUNT = slice(22, 26)  # the bytes that count its samples, but for four bits before them
_LOUDEST = 64.0  # a float file beyond this many times full scale is not sound
_LEAST_LEFT = 0.01  # of the power that channels have together if they do not go together
# What libsndfile reads without the decoders of Ogg, MP3 and FFmpeg: WAV and AIFF that hold samples
# as they are, and FLAC.
_PLAIN_HEADS = (b"RIFF", b"RF64", b"fLaC", b"FORM")
_PLAIN_KINDS = ("wav", "rf64", "flac", "aiff", "form")
_PLAIN_SUBTYPES = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
_BARE_SUBTYPES = (*_PLAIN_SUBTYPES, "ULAW", "ALAW")  # those of fixed size a sample


class NotPlainError(ClipError):
    """A file needs a decoder that should run in a process of its own."""


class _SoundFile(soundfile.SoundFile):
    """Read from its start to its end, without a seek to where it is already after each block."""

    def __init__(self, raw: Any, **how: Any) -> None:
        """raw: a Window, or a whole file, which is opened by its number: libsndfile then neither
        judges the name nor looks for files beside it
        """
        self.raw = raw
        given = raw if isinstance(raw, Window) else raw.fileno()
        super().__init__(given, closefd=False, **how)
        self.container = str(self.format)

    def seekable(self) -> bool:
        return False


def pieces(
    path: Path, part: Part = WHOLE, block: int = MOST_AT_ONCE, *, plain: bool = False
) -> Iterator[Recording]:
    """A part of a file in pieces of about `block` samples a channel, fewer if there are many.

    plain: only WAV, AIFF and FLAC that libsndfile reads without another library
    raises: ClipError if it is missing, empty, truncated, not sound, beyond the limits, holds NaN or
        infinity, or, at its end, if its channels cancel each other; NotPlainError, before the first
        piece, if it is not `plain`
    """
    _check_file(path)
    done, balance = 0, _Balance()
    for piece in _read_plain(path, part, block) if plain else _read(path, part, block):
        first, _ = part.samples(piece.sample_rate)
        _check_samples(path, piece.samples, first + done)
        done += len(piece.samples)
        if done > part.longest * piece.sample_rate:
            raise too_long(path, f"lasts {part.longest:g} s and more", part)
        balance.add(piece.samples)
        yield piece
    balance.check(path)


class _Balance:
    """What is left of the channels where they are one, as a model gets them."""

    def __init__(self) -> None:
        self._each = self._mean = 0.0  # sums of squares

    def add(self, samples: NDArray[np.float32]) -> None:
        """samples: (sample, channel)"""
        channels = samples.shape[1]
        if channels > 1:
            # of channels that have nothing to do with each other, both sums are the same
            self._each += float(np.square(samples, dtype=np.float64).sum()) / channels**2
            self._mean += float(np.square(samples.mean(axis=1), dtype=np.float64).sum())

    def check(self, path: Path) -> None:
        """raises: ClipError if hardly anything is left"""
        if self._mean < _LEAST_LEFT * self._each:
            raise ClipError(
                f"{path}: its channels cancel each other, so that their mean is almost silence; "
                "export one of them"
            )


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise ClipError(f"{path}: not found")
    if path.stat().st_size == 0:
        raise ClipError(f"{path}: the file is empty; record or copy it again")


def _check_samples(path: Path, samples: NDArray[np.float32], first: int) -> None:
    """first: the number in the file of the first of `samples`"""
    loudest = max(samples.max(initial=0.0), -samples.min(initial=0.0))  # NaN if there is one
    if not np.isfinite(loudest):
        bad = first + int(np.argmin(np.isfinite(samples).all(axis=1)))
        raise ClipError(f"{path}: sample {bad} is NaN or infinite; export the clip again")
    if loudest > _LOUDEST:
        raise ClipError(f"{path}: samples reach {loudest:.3g}; want [-1, 1]")


def _read(path: Path, part: Part, block: int) -> Iterator[Recording]:
    """All sounds of a file, as one."""
    first, *others = spans_of(path)
    if not others:
        yield from _read_span(path, first, part, block)
        return
    done, format_ = 0, None
    for span in (first, *others):
        for piece in _read_span(path, span, WHOLE, block):
            found = (piece.sample_rate, piece.samples.shape[1])
            format_ = format_ or found
            if format_ != found:
                raise ClipError(
                    f"{path}: changes from {format_[0]} Hz in {format_[1]} channels to "
                    f"{found[0]} Hz in {found[1]} after {done / format_[0]:.1f} s; cut it there"
                )
            start, end = (one - done for one in part.samples(piece.sample_rate))
            done += len(piece.samples)
            wanted = piece.samples[max(0, start) : int(max(0, min(end, len(piece.samples))))]
            if len(wanted):
                yield replace(piece, samples=wanted)
            if end <= len(piece.samples):
                return


def _read_span(path: Path, span: Span, part: Part, block: int) -> Iterator[Recording]:
    """By soundfile, or by PyAV where the format is not soundfile's."""
    if span.truncated:
        raise truncated(path)
    with _opened(path, span) as file:
        wanted = file and not _is_left_to_ffmpeg(path, span, file)
        if file and wanted and (yield from _read_soundfile(path, file, part, block)):
            yield from _uncounted(path, span, file, part, block)
            return
    from pocketear.data.decoding.ffmpeg import read_av  # 0.1 s, and only for these

    yield from read_av(path, span, part, block)


def _is_left_to_ffmpeg(path: Path, span: Span, file: _SoundFile) -> bool:
    """Whether libsndfile would not give all of it, or more than it: a VOC, an MP3 that goes on,
    an Ogg that ends without saying so.

    raises: ClipError if it is an MP3 that is cut, or a FLAC that is and does not say how long it is
    """
    if file.format == "VOC" or not span.is_ended:
        return True
    if file.format == "MP3":
        from pocketear.data.decoding.ffmpeg import mp3_goes_on

        return mp3_goes_on(path, span, int(file.frames))
    if file.format == "FLAC" and file.frames >= _UNKNOWN:
        from pocketear.data.decoding.ffmpeg import check_last_packet

        check_last_packet(path, span)
    return False


@contextmanager
def _opened(path: Path, span: Span, zeros: slice = slice(0, 0)) -> Iterator[_SoundFile | None]:
    """What soundfile makes of a span, None: nothing. zeros: bytes of it that read as 0"""
    with (
        path.open("rb", buffering=0) as whole,
        Window(path, span.start, span.end, zeros) as window,
    ):
        is_whole = span.end - span.start == path.stat().st_size and not zeros.stop
        try:
            file = _SoundFile(whole if is_whole else window)
        except soundfile.LibsndfileError:
            yield None
            return
        with file:
            if not span.samples_from or file.subtype not in _BARE_SUBTYPES:
                yield file
                return
            with (  # the format from the header, and all samples behind it
                Window(path, span.samples_from, span.end) as bare,
                _SoundFile(
                    bare,
                    samplerate=file.samplerate,
                    channels=file.channels,
                    subtype=file.subtype,
                    endian="LITTLE" if span.kind == "wav" else "BIG",
                    format="RAW",
                ) as samples,
            ):
                samples.container = file.container
                yield samples


def _uncounted(
    path: Path, span: Span, file: _SoundFile, part: Part, block: int
) -> Iterator[Recording]:
    """The samples of a FLAC that its header does not count."""
    counted = file.frames / file.samplerate
    unread = span.end - span.start - file.raw.tell()
    if span.kind != "flac" or unread < _UNREAD or 0 < part.end <= counted:
        return
    with _opened(path, span, zeros=_FLAC_COUNT) as rest:
        if rest:
            behind = replace(part, start=max(part.start, counted))
            yield from _read_soundfile(path, rest, behind, block)


def _read_plain(path: Path, part: Part, block: int) -> Iterator[Recording]:
    """By soundfile, if it is one sound of _PLAIN_KINDS and _PLAIN_SUBTYPES that says its length."""
    with path.open("rb") as raw:  # a search of the whole file is for the process that may die
        is_plain = raw.read(4) in _PLAIN_HEADS
    span, *others = spans_of(path) if is_plain else [None]
    if span and span.kind in _PLAIN_KINDS and not others:
        if span.truncated:
            raise truncated(path)
        with _opened(path, span) as file:
            plain = file and file.subtype in _PLAIN_SUBTYPES and file.frames < _UNKNOWN
            if file and plain and (yield from _read_soundfile(path, file, part, block)):
                yield from _uncounted(path, span, file, part, block)
                return
    raise NotPlainError(f"{path}: needs a decoder")


def _read_soundfile(
    path: Path, file: _SoundFile, part: Part, block: int
) -> Generator[Recording, None, bool]:
    """returns (by `yield from`): False if it turns out at once that this cannot be decoded"""
    rate, declared = int(file.samplerate), int(file.frames)
    check_header(path, file.channels, rate)
    how = coding(file.container, str(file.subtype))
    first, last = (min(one, declared) for one in part.samples(rate))
    wanted = max(0, int(last) - int(first))
    if wanted > part.longest * rate and declared < _UNKNOWN:
        raise too_long(path, f"declares {wanted / rate:.0f} s", part)
    there, block = 0, max(1, min(block, MOST_AT_ONCE // file.channels))
    try:
        file.seek(first)
        while len(samples := file.read(min(block, wanted - there), "float32", always_2d=True)):
            there += len(samples)
            yield Recording(samples, rate, str(file.subtype), how)
    except soundfile.LibsndfileError as error:
        if not there:
            return False
        raise ClipError(f"{path}: damaged after {there} samples; copy it again") from error
    # the length of an MP3, in a WAV too, is an estimate where its header does not count its frames
    is_estimate = str(file.subtype).startswith("MPEG_LAYER")
    if there < wanted and declared < _UNKNOWN and not is_estimate:
        raise truncated(path, f"{there} of {wanted} samples are there")
    return True
