# SPDX-License-Identifier: Apache-2.0
"""Node URIs: what is accepted has one spelling, which is accepted again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.errors import BadRequest, UriTooLong
from scomod.mo import uri
from scomod.mo.uri import UriLimits

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (BadRequest, UriTooLong)
WORDS = ("./", "../", "/", "%2F", "%2e", "%C3%A4", "?prop=", "?list=", "ACL", "TNDS+Value", ".")
LIMITS = UriLimits()
NO_LIMITS = UriLimits(max_depth_count=0, max_total_chars=0, max_segment_chars=0)


def attempt(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    name = uri.safe_name(text)
    assert uri.segment(name) == name
    found = uri.parse(text, NO_LIMITS)
    again = uri.parse(found.path, NO_LIMITS)
    assert again.path == found.path
    assert again.is_plain
    if found.path != uri.ROOT:
        assert uri.join(uri.parent(found.path), uri.name(found.path)) == found.path
    assert uri.parse(text, LIMITS) == found


def seeds() -> Iterator[bytes]:
    yield from (
        b".", b"./DevInfo/DevId", b"SCOMO/Download/x?prop=ACL", b"./A?list=TNDS+Value-ACL",
        b"./A%20b/%C3%A4", b"./a.b/..c/-_.!~*'():@&=+$,", b"./" + b"a/" * 15 + b"a",
    )  # fmt: skip


def mutated(data: bytes, source: random.Random) -> bytes:
    """Move, double or drop segments."""
    names = data.split(b"/")
    names.insert(source.randrange(len(names) + 1), source.choice([*names, b"", b"..", b"%2E"]))
    del names[source.randrange(len(names))]
    return b"/".join(names)
