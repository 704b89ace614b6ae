# SPDX-License-Identifier: Apache-2.0
"""Any octets, cut anywhere, in both encodings, come out as they went in."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from scomod.dmclient.chunks import Base64Decoder, Chunks, Whole
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Item, ItemCommand, Meta, Replace, Results, Status
from scomod.dmclient.upload import Octets
from scomod.errors import BadFormat
from scomod.mo.node import decode_base64
from tests.support.packing import Packer

octets = st.binary(max_size=3000) | st.binary(max_size=40).map(lambda piece: piece * 400)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=900)
limits = st.integers(1000, 3000)  # a message of XML costs 800 by itself


class Basket:
    def __init__(self) -> None:
        self.octets = b""

    def write(self, octets: bytes) -> None:
        self.octets += octets

    def drop(self) -> None:
        self.octets = b""


def open_basket(
    _command: ItemCommand, _target: str, meta: Meta, _size_bytes: int
) -> tuple[Basket, bool]:
    return Basket(), meta.format == "b64"


def sent(data: bytes, format_: str, encoding: Encoding, limit: int) -> list[Item]:
    """Send a value as Results; every message is read back, none is longer than the limit."""
    packer = Packer(encoding, limit)
    item = Item(source="./x", meta=Meta(format=format_, type="t"), body=Octets(data))
    packer.out.owe(Results(msg_ref="1", cmd_ref="1", items=(item,)))
    answered = [c for m in packer.pack_all() for c in m.commands if not isinstance(c, Status)]
    assert all(isinstance(c, Results) for c in answered)
    return [item for c in answered if isinstance(c, Results) for item in c.items]


def received(items: list[Item]) -> bytes:
    """Take items as if a server had written them."""
    chunks = Chunks(open_basket, max_object_bytes=1 << 20)
    whole: Whole[Basket] | None = None
    for item in items:
        command = Replace(cmd_id="1", items=(item,))
        assert chunks.before(command) == []
        if not chunks.is_part(command, item):
            assert items == [item]
            data = item.data or b""
            return base64.b64decode(data) if item.meta and item.meta.format == "b64" else data
        assert whole is None
        whole = chunks.take(command, item, item.meta or Meta(), is_inside=False)
    assert whole is not None
    return whole.sink.octets


@settings(deadline=None, max_examples=40)
@given(octets, st.sampled_from(Encoding), limits)
def test_binary_value_survives_both_ways(data: bytes, encoding: Encoding, limit: int) -> None:
    items = sent(data, "bin", encoding, limit)
    assert received(items) == data
    if len(items) > 1 and items[0].meta:
        assert items[0].meta.size == sum(len(item.data or b"") for item in items)


@settings(deadline=None, max_examples=40)
@given(texts, st.sampled_from(Encoding), limits)
def test_text_survives_both_ways(text: str, encoding: Encoding, limit: int) -> None:
    assert received(sent(text.encode(), "chr", encoding, limit)).decode() == text


@given(st.binary(max_size=400), st.lists(st.integers(0, 600), max_size=12), st.booleans())
def test_server_may_cut_where_it_likes(data: bytes, places: list[int], is_base64: bool) -> None:
    carried = base64.encodebytes(data) if is_base64 else data
    edges = [0, 0, *sorted(min(place, len(carried)) for place in places), len(carried)]
    meta = Meta(size=len(carried), format="b64" if is_base64 else None)
    pieces = [carried[a:b] for a, b in itertools.pairwise(edges)]
    items = [
        Item(target="./x", data=piece, more_data=number < len(pieces) - 1)
        for number, piece in enumerate(pieces)
    ]
    assert received([dataclasses.replace(items[0], meta=meta), *items[1:]]) == data


@given(st.text("AQz+/=\n !", max_size=24).map(str.encode), st.lists(st.integers(0, 24)))
def test_decoder_of_pieces_agrees_with_that_of_the_whole(text: bytes, places: list[int]) -> None:
    edges = [0, *sorted(min(place, len(text)) for place in places), len(text)]
    outcomes: list[bytes | None] = [None, None]
    with contextlib.suppress(BadFormat):
        outcomes[0] = decode_base64(text)
    with contextlib.suppress(BadFormat):
        decoder = Base64Decoder()
        found = b"".join(decoder.decode(text[a:b]) for a, b in itertools.pairwise(edges))
        decoder.finish()
        outcomes[1] = found
    is_odd = len(b"".join(text.split())) % 4 > 0  # of which the standard library takes some
    assert outcomes[1] == (None if is_odd else outcomes[0])
