# SPDX-License-Identifier: Apache-2.0
"""Short messages: any user data is read or refused, and parts of any kind stay within limits.

An input is messages one after the other, each after the octet that says how long it is.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from scomod.dmclient import sms
from scomod.errors import DecodeError, LimitExceeded
from scomod.settings import Notification
from tests.support.fuzzing import damaged
from tests.support.syncml_samples import VECTORS

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (DecodeError, LimitExceeded)
WORDS = ("\x06\x05\x04\x0b\x84\xc0\x02", "\x00\x03\x42\x02\x01", "\x08\x04\x01\x02\x02\x01")
LIMITS = Notification(sms_messages_count=3, sms_parts_count=4)


def attempt(data: bytes) -> None:
    """The first message must be good; of the others the good ones are taken."""
    messages = list(_messages(data))
    parts = sms.Parts(LIMITS, lambda: 0.0)
    _take(parts, messages[0] if messages else b"")
    for octets in messages[1:]:
        try:
            _take(parts, octets)
        except DECLARED:
            continue


def _take(parts: sms.Parts, octets: bytes) -> None:
    message = sms.read(octets)
    assert octets.endswith(message.payload)
    assert 1 <= message.number <= message.total
    whole = parts.take(message, "somebody")
    assert whole is None or message.payload in whole
    assert whole is None or len(whole) <= sms.MAX_USER_DATA_BYTES * LIMITS.sms_parts_count


def _messages(data: bytes) -> Iterator[bytes]:
    while data:
        size = data[0]
        yield data[1 : size + 1]
        data = data[size + 1 :]


def _written(messages: Iterator[bytes]) -> bytes:
    return b"".join(bytes((len(each),)) + each for each in messages)


def seeds() -> Iterator[bytes]:
    for case in tomllib.loads((VECTORS / "sms/cases.toml").read_text())["message"]:
        parts = [bytes.fromhex(part) for part in case["parts"]]
        yield _written(iter(parts))
        yield _written(reversed(parts))


def mutated(data: bytes, source: random.Random) -> bytes:
    """Change the order of messages, double one, damage the header of one."""
    messages = list(_messages(data)) or [b""]
    source.shuffle(messages)
    messages.append(source.choice(messages))
    place = source.randrange(len(messages))
    messages[place] = damaged(messages[place][:16], source)[:128] + messages[place][16:128]
    return _written(iter(messages[:64]))
