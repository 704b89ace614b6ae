# SPDX-License-Identifier: Apache-2.0
"""Node URIs: parsing, limits and path arithmetic (omadm §7.1).

A canonical path is "." for the root and "./A/B" otherwise.  Every segment is
kept percent-encoded in one normal form, so that two spellings of a node are one
text, names never contain "/", "?" or spaces, and what the tree lists can be
sent back as it is.  Not here: what exists, and who may see it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from scomod.errors import BadRequest, UriTooLong

ROOT: Final = "."
LITERAL: Final = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._!~*'():@&=+$,"
)
SEGMENT: Final = re.compile(r"(?:[A-Za-z0-9\-._!~*'():@&=+$,]|%[0-9A-Fa-f]{2})+")
ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
QUERY: Final = re.compile(r"(prop|list)=([A-Za-z0-9+\-]+)")
SAFE_NAME_CHARS: Final = 64  # of the names we make ourselves; well below any MaxSegLen
DIGEST_CHARS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class UriLimits:
    """Limits published in ./DevDetail/URI: segments, characters of the whole, of one segment.

    0 means no limit.
    """

    max_depth_count: int = 16
    max_total_chars: int = 512
    max_segment_chars: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Uri:
    """A parsed URI: the canonical path and what stood behind "?prop=" or "?list="."""

    path: str
    prop: str | None = None
    list: str | None = None

    @property
    def is_plain(self) -> bool:
        """Tell whether the URI names the node itself."""
        return self.prop is None and self.list is None


def parse(text: str, limits: UriLimits) -> Uri:
    """Parse a URI as a server writes it ("./A/B", "A/B", ".", with "?prop=X" or "?list=X").

    Raises `BadRequest` for a malformed one, `UriTooLong` beyond the limits.
    """
    if limits.max_total_chars and len(text) > limits.max_total_chars:
        raise UriTooLong(f"URI longer than {limits.max_total_chars} characters")
    address, mark, query = text.partition("?")
    path = _canonical(address)
    check(path, limits)
    if not mark:
        return Uri(path=path)
    match = QUERY.fullmatch(query)
    if match is None:
        raise BadRequest(f"what follows '?' is neither prop nor list: {text!r}")
    if match[1] == "prop":
        return Uri(path=path, prop=match[2])
    return Uri(path=path, list=match[2])


def check(path: str, limits: UriLimits) -> None:
    """Raise `UriTooLong` if a canonical path exceeds a limit."""
    names = segments(path)
    if limits.max_total_chars and len(path) > limits.max_total_chars:
        raise UriTooLong(f"URI longer than {limits.max_total_chars} characters")
    if limits.max_depth_count and len(names) > limits.max_depth_count:
        raise UriTooLong(f"URI deeper than {limits.max_depth_count} segments")
    if limits.max_segment_chars and max(map(len, names), default=0) > limits.max_segment_chars:
        raise UriTooLong(f"node name longer than {limits.max_segment_chars} characters")


def segments(path: str) -> list[str]:
    """Return the names on a canonical path, none for the root."""
    return path.split("/")[1:]


def parent(path: str) -> str:
    """Return the path one level up; "" for the root, which has none."""
    return path.rpartition("/")[0]


def name(path: str) -> str:
    """Return the last segment; "." for the root."""
    return path.rpartition("/")[2]


def join(path: str, *names: str) -> str:
    """Return the path of a node below `path`; the names must be legal segments."""
    return "/".join((path, *names))


def is_below(path: str, ancestor: str) -> bool:
    """Tell whether `path` is `ancestor` or lies below it."""
    return path == ancestor or path.startswith(f"{ancestor}/")


def segment(text: str) -> str:
    """Return one name in normal form; raises `BadRequest` if it is no legal name."""
    if not SEGMENT.fullmatch(text):
        raise BadRequest(f"not a node name: {text!r}")
    octets = ESCAPE.sub(lambda match: chr(int(match[1], 16)), text).encode("latin-1")
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest(f"a node name is not UTF-8: {text!r}") from error
    if decoded in {".", ".."} or "/" in decoded or not decoded.isprintable():
        raise BadRequest(f"not a node name: {text!r}")
    return "".join(chr(octet) if octet in LITERAL else f"%{octet:02X}" for octet in octets)


def safe_name(text: str) -> str:
    """Turn any identifier into a legal segment of at most 64 characters, always the same one.

    What is already a good name stays; otherwise characters are replaced and a digest
    keeps different identifiers apart.
    """
    plain = "".join(char if char.isascii() and ord(char) in LITERAL else "_" for char in text)
    if plain == text and 0 < len(text) <= SAFE_NAME_CHARS and text not in {".", ".."}:
        return text
    from hashlib import sha256  # noqa: PLC0415 - brings OpenSSL, the waiting daemon needs none

    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_CHARS]
    return f"{plain[: SAFE_NAME_CHARS - DIGEST_CHARS - 1]}-{digest}"


def as_typed(text: str) -> str:
    """Return a URI in canonical form, whatever way a person typed it; nothing is checked."""
    path = text.strip("/")
    return ROOT if path in ("", ROOT) else "./" + path.removeprefix("./")


def _canonical(address: str) -> str:
    if address == ROOT:
        return ROOT
    names = address.removeprefix("./").split("/")
    return "/".join((ROOT, *map(segment, names)))
