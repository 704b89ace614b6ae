# SPDX-License-Identifier: Apache-2.0
"""WSP push datagrams: any datagram is a push or a `DecodeError`."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from scomod.dmclient import push
from scomod.errors import DecodeError, LimitExceeded
from tests.support.fuzzing import damaged
from tests.support.syncml_samples import VECTORS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (DecodeError, LimitExceeded)
WORDS = ("\x00\x06", "\xc4", "\xaf\x87", "\x1f", "application/vnd.syncml.notification")
HEADERS_AT = 3


def attempt(data: bytes) -> None:
    found = push.parse_push(data)
    assert data.endswith(found.body)
    assert found.content_type == found.content_type.strip().lower()


def seeds() -> Iterator[bytes]:
    for case in tomllib.loads((VECTORS / "push/cases.toml").read_text())["push"]:
        yield bytes.fromhex(case["datagram"])


def mutated(data: bytes, source: random.Random) -> bytes:
    """Damage the headers and set the length of the headers right again."""
    length = data[2] if len(data) > HEADERS_AT else 0
    headers = damaged(data[HEADERS_AT : HEADERS_AT + length], source)[:127]
    return data[:2] + bytes([len(headers)]) + headers + data[HEADERS_AT + length :]
