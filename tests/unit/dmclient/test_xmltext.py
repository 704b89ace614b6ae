# SPDX-License-Identifier: Apache-2.0
"""XML text: what real peers send, what is refused, every limit."""

import pytest

from scomod.dmclient import xmltext
from scomod.dmclient.element import Element, Space
from scomod.dmclient.wbxml import Limits
from scomod.errors import DecodeError, LimitExceeded
from tests.support.syncml_samples import LIMITS


def decode(text: str) -> Element:
    return xmltext.decode(text.encode(), LIMITS)


def test_name_spaces_tell_the_space() -> None:
    root = decode(
        "<SyncML xmlns='SYNCML:SYNCML1.2'><Meta><Type xmlns='syncml:metinf'>a</Type></Meta>"
        "<Data><MgmtTree xmlns='syncml:dmddf1.2'><Node/></MgmtTree></Data></SyncML>"
    )
    meta, data = root.children
    assert meta.children == [Element("Type", Space.METINF, data=b"a")]
    assert data.children[0].children == [Element("Node", Space.DMDDF)]
    assert (root.space, meta.space, data.space) == (Space.SYNCML,) * 3


@pytest.mark.spec("interop 7")
@pytest.mark.parametrize("root_space", ["", " xmlns='SYNCML:SYNCML1.1'", " xmlns='nobody:knows'"])
def test_missing_name_spaces_are_told_by_the_place(root_space: str) -> None:
    root = decode(
        f"<SyncML{root_space}><Meta><Type>a</Type><Mem><FreeMem/></Mem></Meta>"
        "<Data><MgmtTree><Node><Type><MIME/></Type></Node></MgmtTree></Data></SyncML>"
    )
    kind, memory = root.children[0].children
    assert (kind.space, memory.children[0].space) == (Space.METINF, Space.METINF)
    mime = root.children[1].children[0].children[0].children[0].children[0]
    assert (mime.name, mime.space) == ("MIME", Space.DMDDF)


def test_prefixes_are_as_good_as_defaults() -> None:
    root = decode(
        "<s:Meta xmlns:s='SYNCML:SYNCML1.2' xmlns:m='syncml:metinf'><m:Size>1</m:Size></s:Meta>"
    )
    assert root == Element("Meta", children=[Element("Size", Space.METINF, data=b"1")])


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("<Data> a\n</Data>", b" a\n"),
        ("<Data>a<!-- no -->b<?p q?>c</Data>", b"abc"),
        ("<Data><![CDATA[<a>&]]>\n</Data>", b"<a>&\n"),
        ("<Data>&lt;&#955;&amp;&#13;</Data>", "<\u03bb&\r".encode()),
        ("<Data></Data>", b""),
        ("<Data/>", b""),
    ],
)
def test_text_is_kept_as_it_is(text: str, data: bytes) -> None:
    assert decode(text) == Element("Data", data=data)


def test_text_beside_elements_is_dropped() -> None:
    assert decode("<Item>\n a <MoreData/> b </Item>") == Element(
        "Item", children=[Element("MoreData")]
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_declared_encoding_is_followed(encoding: str) -> None:
    text = f"<?xml version='1.0' encoding='{encoding}'?><Data>\xe9</Data>"
    assert xmltext.decode(text.encode(encoding), LIMITS).data == b"\xc3\xa9"


def test_plain_document_type_is_tolerated_and_not_loaded() -> None:
    root = decode(
        '<!DOCTYPE SyncML PUBLIC "-//SYNCML//DTD SyncML 1.2//EN" "file:///nowhere.dtd"><SyncML/>'
    )
    assert root == Element("SyncML")


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/hostname'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY % x SYSTEM 'file:///etc/hostname'> %x;]><a/>",
        "<!DOCTYPE a [<!ENTITY x 'y'><!ENTITY z '&x;&x;&x;'>]><a b='&z;'>" + " " * 9000 + "</a>",
    ],
)
def test_entity_declarations_are_refused(text: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(DecodeError, match="declares entities"):
            xmltext.decode(text.encode(encoding), LIMITS)


def test_reference_to_an_entity_of_an_unread_document_type_is_refused() -> None:
    with pytest.raises(DecodeError, match="entity reference in Data"):
        decode('<!DOCTYPE Data SYSTEM "x.dtd"><Data>a&nbsp;b</Data>')


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<a>",
        b"<a/><b/>",
        b"<a/>junk",
        b"junk",
        b"<a>\x00</a>",
        b"<a>\xff</a>",
        b"<x:a/>",
        b"<a b='1' b='2'/>",
        b"<?xml version='1.0' encoding='no-such'?><a/>",
        b"<a>&nbsp;</a>",
        b"<Data>MAXDT=20&DR=1</Data>",
        b"\x02\xa4\x01\x6a\x00\x2d",
    ],
)
@pytest.mark.spec("interop 9")
def test_what_is_no_xml_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError, match="not well-formed"):
        xmltext.decode(body, LIMITS)


@pytest.mark.parametrize("limit", ["max_depth", "max_elements"])
def test_limit_holds_exactly(limit: str) -> None:
    def document(count: int) -> bytes:
        if limit == "max_depth":
            return b"<a>" * count + b"</a>" * count
        return b"<a>" + b"<a/>" * (count - 1) + b"</a>"

    limits = Limits(**({"max_bytes": 1000, "max_depth": 50, "max_elements": 50} | {limit: 7}))
    assert xmltext.decode(document(7), limits).name == "a"
    with pytest.raises(LimitExceeded) as caught:
        xmltext.decode(document(8), limits)
    assert (caught.value.limit, caught.value.value) == (limit, 8)


def test_limit_is_hit_before_the_rest_is_even_parsed() -> None:
    body = b"<a>" + b"<a/>" * 5000 + b"<<< this is no XML"
    with pytest.raises(LimitExceeded, match="max_elements"):
        xmltext.decode(body, Limits(max_bytes=65536, max_depth=9, max_elements=100))


def test_too_many_octets_are_refused_unread() -> None:
    with pytest.raises(LimitExceeded, match="max_bytes exceeded: 11"):
        xmltext.decode(b"\xff" * 11, Limits(max_bytes=10, max_depth=9, max_elements=9))


@pytest.mark.spec("omadm 2.2")
def test_name_spaces_are_declared_where_they_change_and_without_prefix() -> None:
    meta = Element("Meta", children=[Element("Size", Space.METINF, data=b"1")])
    tree = Element("MgmtTree", Space.DMDDF, [Element("Node", Space.DMDDF)])
    root = Element("Item", children=[meta, Element("Data", children=[tree])])
    assert xmltext.encode(root) == (
        b"<?xml version='1.0' encoding='UTF-8'?>\n"
        b'<Item xmlns="SYNCML:SYNCML1.2"><Meta><Size xmlns="syncml:metinf">1</Size></Meta>'
        b'<Data><MgmtTree xmlns="syncml:dmddf1.2"><Node/></MgmtTree></Data></Item>'
    )


def test_markup_and_line_ends_in_text_survive() -> None:
    root = Element("Data", data=b"<a>&amp;]]>\r\n\t'\"")
    assert xmltext.decode(xmltext.encode(root), LIMITS) == root


def test_what_xml_cannot_carry_is_replaced() -> None:
    root = Element("Data", data=b"a\x00b\xffc\xef\xbf\xbf")
    assert xmltext.decode(xmltext.encode(root), LIMITS).data.decode() == "a\ufffdb\ufffdc\ufffd"
