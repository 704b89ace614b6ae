# SPDX-License-Identifier: Apache-2.0
"""Whatever message we can think of is the same after a way through either syntax."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scomod.dmclient import codec, syncml, wbxml
from scomod.dmclient.codec import Encoding
from scomod.dmclient.element import Element, Space
from scomod.dmclient.model import Item, Message, Meta, Replace, SyncHdr
from scomod.errors import DecodeError, LimitExceeded
from tests.support.syncml_samples import LIMITS, WBXML, XML
from tests.support.syncml_strategies import ITEMS, ITEMS_OF_ONE_LINE, messages
from tests.support.wbxml_spelling import Speller

HEADER = SyncHdr(session_id="1", msg_id="2", target="t", source="s")


@settings(max_examples=100, deadline=None)
@given(messages("1.1", "1.2", items=ITEMS))
def test_message_is_the_same_after_either_syntax(message: Message) -> None:
    for encoding in Encoding:
        body = codec.encode(message, encoding)
        assert codec.decode(body, encoding, LIMITS) == message
        assert codec.encoded_size(message, encoding) == len(body)


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["bin", "chr", None]))
def test_octets_survive_wbxml_whatever_the_format(data: bytes, word: str | None) -> None:
    command = Replace(cmd_id="1", items=(Item(meta=Meta(format=word), data=data),))
    message = Message(header=HEADER, commands=(command,))
    body = codec.encode(message, Encoding.WBXML)
    assert codec.decode(body, Encoding.WBXML, LIMITS) == message


ELEMENTS = st.recursive(
    st.builds(
        Element,
        st.sampled_from(["Data", "Type", "Node", "X-Own", "Y.2"]),
        st.sampled_from(Space),
        data=st.binary(min_size=1, max_size=200),
        is_opaque=st.just(True),
    ),
    lambda inner: st.builds(
        Element,
        st.sampled_from(["Item", "Meta", "MgmtTree", "X-Own"]),
        st.sampled_from(Space),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(ELEMENTS)
def test_element_is_the_same_after_wbxml(root: Element) -> None:
    assert wbxml.decode(wbxml.encode(root), LIMITS) == root


@settings(max_examples=60, deadline=None)
@given(messages("1.1", "1.2", items=ITEMS_OF_ONE_LINE), st.randoms(use_true_random=False))
def test_message_is_the_same_however_it_is_spelled(message: Message, source: Random) -> None:
    body = Speller(source).document(syncml.encode(message))
    assert codec.decode(body, Encoding.WBXML, LIMITS) == message


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.sampled_from([b"", b"\x02\xa4\x01\x6a\x00", b"<SyncML>"]))
def test_any_octets_end_in_a_message_or_a_refusal(body: bytes, start: bytes) -> None:
    for encoding in Encoding:
        with pytest.raises((DecodeError, LimitExceeded)):
            codec.decode(start + body, encoding, LIMITS)


@pytest.mark.parametrize("path", WBXML, ids=lambda path: path.stem)
def test_wbxml_cut_off_anywhere_is_refused(path: Path) -> None:
    body = path.read_bytes()
    for length in range(len(body)):
        with pytest.raises((DecodeError, LimitExceeded)):
            codec.decode(body[:length], Encoding.WBXML, LIMITS)


@pytest.mark.parametrize("path", XML, ids=lambda path: path.stem)
def test_xml_cut_off_anywhere_is_refused(path: Path) -> None:
    body = path.read_bytes().rstrip()
    for length in range(len(body)):
        with pytest.raises((DecodeError, LimitExceeded)):
            codec.decode(body[:length], Encoding.XML, LIMITS)
