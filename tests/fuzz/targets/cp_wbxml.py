# SPDX-License-Identifier: Apache-2.0
"""Client provisioning documents in WBXML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.dmclient import provisioning
from scomod.errors import RemoteProtocolError
from tests.support.fuzzing import damaged
from tests.support.syncml_samples import VECTORS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (RemoteProtocolError,)
WORDS = ("w7", "APPSRV", "\x00\x01", "\x87\x06\x03", "\x87\x36", "-//WAPFORUM//DTD PROV 1.0//EN")
HEADER_OCTETS = 4


def attempt(data: bytes) -> None:
    profiles = provisioning.parse(data)
    assert profiles
    for profile in profiles:
        assert profile.server_id


def seeds() -> Iterator[bytes]:
    for path in sorted((VECTORS / "provisioning").glob("*.wbxml")):
        yield path.read_bytes()


def mutated(data: bytes, source: random.Random) -> bytes:
    """Keep the header, damage the elements."""
    return data[:HEADER_OCTETS] + damaged(data[HEADER_OCTETS:], source)
