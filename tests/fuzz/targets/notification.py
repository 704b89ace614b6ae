# SPDX-License-Identifier: Apache-2.0
"""Package #0: what is well formed is judged, and what we write ourselves is read as written."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from scomod.dmclient import notification
from scomod.errors import DecodeError, LimitExceeded
from scomod.secret import Secret
from tests.support.fuzzing import damaged
from tests.support.syncml_samples import VECTORS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (DecodeError, LimitExceeded)
WORDS = ("com.mgmtsrv.manage", "\x02\xd0\x00\x00\x00\x12\x34\x12")
PASSWORD = Secret("srvpw")


def attempt(data: bytes) -> None:
    found = notification.parse(data)
    assert found.digest + found.trigger == data
    assert not notification.is_authentic(found, [found.server_id], PASSWORD, [b"no such nonce"])
    again = notification.build(
        server_id=found.server_id,
        password=PASSWORD,
        nonce=b"n",
        session_id=found.session_id,
        ui_mode=found.ui_mode,
        initiator_is_server=found.initiator_is_server,
        vendor=found.vendor,
    )
    written = notification.parse(again)
    assert notification.is_authentic(written, [found.server_id], PASSWORD, [b"n"])
    assert (written.session_id, written.vendor) == (found.session_id, found.vendor)


def seeds() -> Iterator[bytes]:
    cases = tomllib.loads((VECTORS / "notification/cases.toml").read_text())
    for case in cases.values():
        if "trigger" in case:
            yield bytes(16) + bytes.fromhex(case["trigger"])
        else:
            yield bytes.fromhex(case["body"]) + case["server_id"].encode()


def mutated(data: bytes, source: random.Random) -> bytes:
    """Keep the digest, damage the fields."""
    return data[:16] + damaged(data[16:], source)
