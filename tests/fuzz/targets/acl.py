# SPDX-License-Identifier: Apache-2.0
"""ACL texts: what is accepted prints as something equal, and decides alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.errors import BadRequest
from scomod.mo.acl import EVERYONE, Acl, Right, is_server_id

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (BadRequest,)
WORDS = ("Add=", "Delete=", "Exec=", "Get=", "Replace=", "*", "&", "+", "=", "com.example.dm")


def attempt(data: bytes) -> None:
    known = Acl.parse(data.decode("utf-8", "surrogateescape"))
    again = Acl.parse(str(known))
    assert again == known
    assert str(again) == str(known)
    for server_id in known.server_ids():
        assert is_server_id(server_id)
        assert server_id not in known.without(server_id).server_ids()
    for right in Right:
        assert known.allows(right, "stranger") == (
            EVERYONE in known.entries.get(right, ()) or "stranger" in known.entries.get(right, ())
        )


def seeds() -> Iterator[bytes]:
    yield b""
    yield b"Add=*&Get=*"
    yield b"Get=C&Replace=C"
    yield b"Add=com.example.dm+other&Delete=&Exec=*+a&Get=a+b+c&Replace=x:1/y?z"


def mutated(data: bytes, source: random.Random) -> bytes:
    """Shuffle, double or drop entries."""
    entries = data.split(b"&")
    source.shuffle(entries)
    return b"&".join(entries[source.randrange(2) :] + entries[: source.randrange(2)])
