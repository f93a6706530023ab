"""addresses: what may be shown of an address, such as that of a server or a database.

An address may hold a password before its `@` or a token in its query, and what is shown goes on
into logs. Only what is certain to be neither is kept: scheme, host, port and path.
"""

import re
from urllib.parse import unquote, unquote_plus

_HIDDEN = "…"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,30}:/{2,4}", re.IGNORECASE)
_HOST = re.compile(
    r"(?:[\w.-]+|\[[0-9a-f:.]+\])?(?::[0-9]{1,5})?(?:/[^?#;&=%\x00-\x1f\x7f]*)?",
    re.IGNORECASE | re.ASCII,
)
_QUERY = re.compile(r"[?#;&=]")
_PARTS = re.compile(r"[:@/?#&;=]")
_LONGEST = 200  # characters
_TELLING = 4  # characters of a part of a secret that tell something about it


def redacted(address: str) -> str:
    """An address without user, password, query and fragment.

    What reads as none of scheme, host, port and path is hidden, so a misspelt address shows less.
    """
    scheme, secret, known = _split(address)
    plain = _QUERY.split(known, maxsplit=1)[0]
    if not known or not _HOST.fullmatch(plain):
        return f"{scheme}{_HIDDEN}"
    user = f"{_HIDDEN}@" if secret else ""
    query = f"{known[len(plain)]}{_HIDDEN}" if plain != known else ""
    shown = f"{scheme}{user}{plain}{query}"
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}{_HIDDEN}"


def names_secret(text: str, address: str) -> bool:
    """Whether a text, such as a library's error, repeats a secret of an address, or a part of one.

    As it is written, or as percent-encoding makes it; parts as wrong readings of it would cut it.
    """
    _, secret, known = _split(address)
    query = _QUERY.split(known, maxsplit=1)[1:]
    values = [pair.partition("=")[2] or pair for text in query for pair in re.split("[&;]", text)]
    secrets = (secret, secret.partition(":")[2], *values)
    folded = text.casefold()
    return any(part.casefold() in folded for one in secrets for part in _parts(one))


def _split(address: str) -> tuple[str, str, str]:
    """The scheme, what stands before the last `@`, and what comes after it, query and all."""
    found = _SCHEME.match(address)
    scheme = found[0] if found else ""
    rest = address[len(scheme) :]
    secret, _, known = rest.rpartition("@")
    # an `@` behind a `?` may be a password's or a token's: then nothing is certain
    return (scheme, rest, "") if _QUERY.search(secret) else (scheme, secret, known)


def _parts(secret: str) -> set[str]:
    """A secret, and what it is made of where that is long enough to tell something."""
    readings = {secret, unquote(secret), unquote_plus(secret)}
    pieces = {piece for text in readings for piece in _PARTS.split(text) if len(piece) >= _TELLING}
    return (readings | pieces) - {""}
