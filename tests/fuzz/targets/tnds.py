# SPDX-License-Identifier: Apache-2.0
"""TNDS documents in either syntax: what can be read can be written and read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.dmclient import tnds, tndswriter, wbxml, xmltext
from scomod.dmclient.tnds import Syntax
from scomod.errors import BadFormat, BadRequest, DecodeError, LimitExceeded, TooLarge
from tests.fuzz.targets.shapes import NAMES, reshaped
from tests.support.syncml_samples import LIMITS
from tests.support.tnds_text import document, node

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

DECLARED = (BadFormat, BadRequest, TooLarge)
UNREADABLE = (DecodeError, LimitExceeded)
WORDS = (
    *(f"<{name}>" for name in NAMES), "<Path>./A/B</Path>", "<chr/>", "<bin/>", "<DDFName/>",
    "syncml:dmddf1.2", "-//OMA//DTD-DM-DDF 1.2//EN", "\x00\x02", "<![CDATA[", "PE1nbXRUcmVl",
)  # fmt: skip
MAX_BYTES = 1 << 20


def attempt(data: bytes) -> None:
    nodes = tnds.decode(data, max_bytes=65536, max_nodes_count=1000, max_depth_count=16)
    for syntax in Syntax:
        written = tndswriter.encode(nodes, syntax, max_bytes=MAX_BYTES)
        assert written


def seeds() -> Iterator[bytes]:
    inner = node("Deep", node("Leaf", value="v", acl="Get=*"), kind="urn:x")
    texts = (document(inner), document(node("", node("Text", value="a&amp;b")), node("Other")))
    for text in texts:
        yield text.encode()
        yield wbxml.encode(xmltext.decode(text.encode(), LIMITS))


def mutated(data: bytes, source: random.Random) -> bytes:
    try:
        if data.lstrip().startswith(b"<"):
            return xmltext.encode(reshaped(xmltext.decode(data, LIMITS), source))
        return wbxml.encode(reshaped(wbxml.decode(data, LIMITS), source))
    except UNREADABLE:
        return data
