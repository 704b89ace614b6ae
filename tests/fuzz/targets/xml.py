# SPDX-License-Identifier: Apache-2.0
"""DM messages in XML: what can be read can be written, in both syntaxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.dmclient import codec, xmltext
from scomod.dmclient.codec import Encoding
from scomod.errors import DecodeError, LimitExceeded
from tests.fuzz.targets.shapes import NAMES, drawn, reshaped
from tests.support.syncml_samples import LIMITS, XML
from tests.support.syncml_strategies import ITEMS, messages

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (DecodeError, LimitExceeded)
WORDS = (
    *(f"<{name}>" for name in NAMES), "<![CDATA[", "]]>", "<!DOCTYPE a [<!ENTITY b 'c'>]>", "&b;",
    "&#x41;", "xmlns='syncml:metinf'", "<?xml version='1.0' encoding='UTF-16'?>", "<!--", "-->",
)  # fmt: skip


def attempt(data: bytes) -> None:
    message = codec.decode(data, Encoding.XML, LIMITS)
    for encoding in Encoding:
        assert codec.encode(message, encoding)


def seeds() -> Iterator[bytes]:
    for path in XML:
        yield path.read_bytes()
    for message in drawn(messages("1.1", "1.2", items=ITEMS)):
        yield codec.encode(message, Encoding.XML)


def mutated(data: bytes, source: random.Random) -> bytes:
    try:
        return xmltext.encode(reshaped(xmltext.decode(data, LIMITS), source))
    except DECLARED:
        return data
