# SPDX-License-Identifier: Apache-2.0
"""DM messages in WBXML: what can be read can be written, in both syntaxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.dmclient import codec, wbxml
from scomod.dmclient.codec import Encoding
from scomod.errors import DecodeError, LimitExceeded
from tests.fuzz.targets.shapes import NAMES, drawn, reshaped
from tests.support.syncml_samples import LIMITS, WBXML
from tests.support.syncml_strategies import ITEMS, messages

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (DecodeError, LimitExceeded)
WORDS = (*NAMES, "\x02\xa4\x01\x6a", "\x00\x01", "\x00\x02", "-//SYNCML//DTD SyncML 1.2//EN")


def attempt(data: bytes) -> None:
    message = codec.decode(data, Encoding.WBXML, LIMITS)
    for encoding in Encoding:
        assert codec.encode(message, encoding)


def seeds() -> Iterator[bytes]:
    for path in WBXML:
        yield path.read_bytes()
    for message in drawn(messages("1.1", "1.2", items=ITEMS)):
        yield codec.encode(message, Encoding.WBXML)


def mutated(data: bytes, source: random.Random) -> bytes:
    try:
        return wbxml.encode(reshaped(wbxml.decode(data, LIMITS), source))
    except DECLARED:
        return data
