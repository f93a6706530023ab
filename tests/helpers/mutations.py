"""Bytes of real files, changed as damage and people with bad intentions change them."""

import json
import random
import zipfile
from pathlib import Path

from sounds import tone, write, write_by_phone
from tiny_model import tiny_card, tiny_tflite

_EDGES = (b"\x00", b"\x7f", b"\x80", b"\xff", b"\xff" * 4, b"\x00" * 8, b"\xff\xff\xff\x7f")
_WORDS = (b"[", b"{", b"&a ", b"*a", b"!!python/name:os.system ", b"1e999", b"9" * 400, b"\n", b"-")


def mutated(content: bytes, rng: random.Random, head: int = 400) -> bytes:
    """`content` after one to six changes, half of them in its first `head` bytes."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        size = len(changed) or 1
        at = rng.randrange(min(size, head) if rng.random() < 0.5 else size)
        how = rng.randrange(6)
        if how == 0:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        elif how == 1:
            edge = rng.choice(_EDGES)
            changed[at : at + len(edge)] = edge
        elif how == 2:
            changed[at:at] = rng.choice(_WORDS)
        elif how == 3:
            del changed[at : at + rng.randint(1, 64)]
        elif how == 4:
            length = rng.randint(1, 64)
            changed[at:at] = changed[at : at + length] * rng.randint(1, 8)
        else:
            changed[at : at + 1] = bytes([changed[at] ^ 1 << rng.randrange(8)] if changed else b"x")
    return bytes(changed)


def recordings(folder: Path) -> dict[str, bytes]:
    """Half a second in each container that people have, by the file's name."""
    sound = tone(0.5)
    for name, subtype in (("pcm.wav", "PCM_16"), ("float.wav", "FLOAT"), ("adpcm.wav", "IMA_ADPCM"),
                          ("a.aiff", "PCM_16"), ("a.flac", "PCM_16"), ("a.ogg", "VORBIS"),
                          ("a.mp3", "MPEG_LAYER_III")):  # fmt: skip
        write(folder / name, sound, subtype=subtype)
    write_by_phone(folder / "a.m4a")
    write_by_phone(folder / "a.3gp")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def zipped_card(folder: Path, method: int, **changes: object) -> bytes:
    """A .tflite with a card in a zip by a compression method, with changed values."""
    from pocketear.runtimes.card import card_json

    card = tiny_card()
    path = folder / "card.zip"
    path.write_bytes(tiny_tflite())
    with zipfile.ZipFile(path, "a", method) as archive:
        archive.writestr("labels.txt", "\n".join(card.labels))
        archive.writestr("pocketear.json", json.dumps(json.loads(card_json(card)) | changes))
    return path.read_bytes()
