# SPDX-License-Identifier: Apache-2.0
"""WBXML: samples byte for byte, the quirks of real peers, and every limit."""

from collections.abc import Callable

import pytest

from scomod.dmclient import wbxml, xmltext
from scomod.dmclient.element import Element, Space
from scomod.dmclient.wbxml import Limits
from scomod.errors import DecodeError, LimitExceeded
from tests.support.syncml_samples import (
    LIMITS,
    PAIRS,
    WBXML,
    binary,
    comparable,
    foreign_emptied,
    xml,
)

HEADER = bytes.fromhex("02a4016a00")
PUBLIC_ID_1_1 = 0x0FD3


def decode(body: str, header: bytes = HEADER) -> Element:
    return wbxml.decode(header + bytes.fromhex(body), LIMITS)


@pytest.mark.spec("omadm 6.7")
def test_package_1_is_written_as_libwbxml_writes_it() -> None:
    root = xmltext.decode(xml("pkg1"), LIMITS)
    item = root.children[1].children[1].children[1]
    item.children[2].is_opaque = True
    assert wbxml.encode(root) == binary("pkg1.nostrtbl")
    assert wbxml.encode(root)[:5] == HEADER


@pytest.mark.spec("omadm 6.7")
@pytest.mark.parametrize("name", ["pkg1", "pkg1.nostrtbl"])
def test_package_1_is_read_with_and_without_string_table(name: str) -> None:
    read = wbxml.decode(binary(name), LIMITS)
    assert comparable(read) == comparable(xmltext.decode(xml("pkg1"), LIMITS))


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("table", ["", ".nostrtbl"])
def test_sample_reads_the_same_in_both_syntaxes(name: str, table: str) -> None:
    if name == "tnds":
        table = ""
    read = wbxml.decode(binary(name + table), LIMITS)
    assert comparable(read) == comparable(foreign_emptied(xmltext.decode(xml(name), LIMITS)))


@pytest.mark.parametrize(
    "name",
    [
        path.stem
        for path in WBXML
        if ".nostrtbl" in path.stem and not path.stem.startswith(("syncml-011", "syncml_with"))
    ],
)
def test_what_libwbxml_wrote_is_written_again_octet_by_octet(name: str) -> None:
    body = binary(name)
    public_id = PUBLIC_ID_1_1 if body[1:3] == b"\x9f\x53" else 0x1201
    again = wbxml.encode(wbxml.decode(body, LIMITS), public_id=public_id)
    assert again[1:] == body[1:]


@pytest.mark.spec("omadm 6.2")
def test_document_inside_of_data_stays_octets_and_reads_by_itself() -> None:
    root = wbxml.decode(binary("tnds"), LIMITS)
    data = root.children[1].children[0].children[2].children[1]
    assert data.is_opaque
    assert data.data.startswith(bytes.fromhex("0200006a1b"))
    tree = wbxml.decode(data.data, LIMITS)
    assert (tree.name, tree.space, tree.text("VerDTD")) == ("MgmtTree", Space.DMDDF, "1.2")


def test_device_information_of_data_synchronisation_is_refused() -> None:
    with pytest.raises(DecodeError, match="DevInf"):
        wbxml.decode(binary("syncml-011"), LIMITS)


@pytest.mark.spec("interop 8")
@pytest.mark.parametrize(
    "header",
    [
        pytest.param(bytes.fromhex("01a4016a00"), id="WBXML 1.1"),
        pytest.param(bytes.fromhex("03a4016a00"), id="WBXML 1.3"),
        pytest.param(bytes.fromhex("039f536a00"), id="SyncML 1.1"),
        pytest.param(bytes.fromhex("03016a00"), id="unknown public id"),
        pytest.param(bytes.fromhex("02a4010300"), id="US-ASCII"),
        pytest.param(
            bytes.fromhex("0200006a1d") + b"-//SYNCML//DTD SyncML 1.2//EN", id="no NUL in table"
        ),
        pytest.param(
            bytes.fromhex("0200006a1e") + b"-//SYNCML//DTD SyncML 1.2//EN\0", id="NUL in table"
        ),
    ],
)
def test_headers_of_real_peers_are_read(header: bytes) -> None:
    root = decode("6d6b1201 01", header)
    assert root == Element("SyncML", children=[Element("SyncBody", children=[Element("Final")])])


@pytest.mark.parametrize(
    ("body", "data"),
    [
        pytest.param("4f 03616200 01", b"ab", id="inline"),
        pytest.param("4f c3026162 01", b"ab", id="opaque"),
        pytest.param("4f c303610062 01", b"a\0b", id="opaque with NUL"),
        pytest.param("4f c300 01", b"", id="empty opaque"),
        pytest.param("4f 8300 01", b"one", id="first of table"),
        pytest.param("4f 8304 01", b"two", id="second of table, without NUL"),
        pytest.param("4f 8305 01", b"wo", id="inside of a table text"),
        pytest.param("4f 028748 01", b"\xcf\x88", id="entity"),
        pytest.param("4f 036100 8304 c30163 0220 01", b"atwoc ", id="mixture"),
        pytest.param("4f 01", b"", id="content announced, none there"),
        pytest.param("0f", b"", id="no content"),
    ],
)
def test_text_is_joined_from_all_its_forms(body: str, data: bytes) -> None:
    root = decode(f"54 {body} 01", bytes.fromhex("02a4016a07") + b"one\0two")
    assert root.children[0].name == "Data"
    assert root.children[0].data == data


def test_opaque_is_noted_and_only_that() -> None:
    root = decode("54 4fc3016101 4f03610001 01")
    assert [child.is_opaque for child in root.children] == [True, False]


@pytest.mark.spec("omadm 6.2")
def test_inline_tree_in_data_is_read_on_its_page_and_the_page_switched_back() -> None:
    root = decode("54 4f 0002 60 77 03312e3200 01 01 01 0000 34 01")
    assert [child.name for child in root.children] == ["Data", "MoreData"]
    tree = root.children[0].children[0]
    assert (tree.name, tree.space) == ("MgmtTree", Space.DMDDF)
    assert root.children[1].space is Space.SYNCML


def test_text_beside_elements_is_dropped() -> None:
    root = decode("54 c30161 34 036200 01")
    assert root == Element("Item", children=[Element("MoreData")])


def test_literal_tag_keeps_its_name() -> None:
    root = decode("6b 4400 03610001 0400 01", bytes.fromhex("02a4016a05") + b"X-Own")
    assert [(child.name, child.data) for child in root.children] == [
        ("X-Own", b"a"),
        ("X-Own", b""),
    ]


def test_tag_unknown_to_a_known_page_gets_a_name_and_kills_nothing() -> None:
    root = decode("6b 7d 03610001 12 01")
    assert [child.name for child in root.children] == ["unknown-0-3D", "Final"]


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param("05 036100 01", id="inline value"),
        pytest.param("05 8300 01", id="value in the table"),
        pytest.param("0400 036100 06 85 01", id="literal name, token value"),
        pytest.param("0001 05 c30201 01 0241 01", id="page, opaque, entity"),
        pytest.param("01", id="none"),
    ],
)
def test_attributes_are_skipped(attributes: str) -> None:
    root = decode(f"eb {attributes} 92 {attributes} 01", bytes.fromhex("02a4016a02") + b"x\0")
    assert root == Element("SyncBody", children=[Element("Final")])


def test_processing_instructions_are_skipped_before_and_inside_of_the_root() -> None:
    assert decode("43 05036100 01 6b 43 0501 12 01").children == [Element("Final")]


def test_what_follows_the_root_is_ignored() -> None:
    assert decode("6b 12 01 0d0a2020") == Element("SyncBody", children=[Element("Final")])


def test_empty_root_is_a_document() -> None:
    assert decode("2d") == Element("SyncML")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "ends too early"),
        ("6d", "ends too early"),
        ("6d 4f 036162", "text without end"),
        ("6d 4f c305616201", "5 octets announced"),
        ("6d 4f 8300 01", "outside of the string table"),
        ("6d 4f 0283b000 01", "no character"),
        ("6d 4f 02c48000 01", "no character"),
        ("6d 4f c3ffffffffff7f", "number too long"),
        ("6d 4f c39fffffff7f", "number too large"),
        ("6d c0 01", "extension token 0xc0"),
        ("6d 40 6100 01", "extension token 0x40"),
        ("6d 80 00 01", "extension token 0x80"),
        ("6d 92 80 00 01 01", "token 0x80 in an attribute"),
        ("6d 92 44 00 01 01", "token 0x44 in an attribute"),
        ("6d 0003 05 01", "unknown code page 3"),
        ("01", "end without a beginning"),
        ("036100", "text outside of the root"),
    ],
)
def test_broken_body_is_refused_with_its_place(body: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason) as caught:
        decode(body)
    assert caught.value.offset is not None
    assert len(HEADER) <= caught.value.offset <= len(HEADER) + len(bytes.fromhex(body))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "ends too early"),
        ("00a4016a00", "version octet 0x0"),
        ("04a4016a00", "version octet 0x4"),
        ("3c3f786d6c", "version octet 0x3c"),
        ("02a401877700", "character set 1015"),
        ("020b6a00", "PROV 1.0"),
        ("0200006a1d2d2f2f53594e434d4c2f2f4454442044657649", "29 octets announced"),
    ],
)
def test_foreign_or_broken_header_is_refused(header: str, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        wbxml.decode(bytes.fromhex(header), LIMITS)


def test_foreign_document_type_in_the_string_table_is_refused() -> None:
    table = b"-//SYNCML//DTD DevInf 1.2//EN"
    with pytest.raises(DecodeError, match="DevInf"):
        decode("4a01", bytes([3, 0, 0, 0x6A, len(table)]) + table)


@pytest.mark.parametrize("name", [b"1st", b"a b", b"", b"a\xff", b"<x>"])
def test_literal_name_that_is_none_is_refused(name: bytes) -> None:
    with pytest.raises(DecodeError, match="no name"):
        decode("6b 0400 01", bytes([2, 0xA4, 1, 0x6A, len(name) + 1]) + name + b"\0")


def nested(depth: int) -> bytes:
    return HEADER + b"\x6b" * depth + b"\x01" * depth


def flat(count: int) -> bytes:
    return HEADER + b"\x6b" + b"\x12" * (count - 1) + b"\x01"


@pytest.mark.parametrize(
    ("limit", "make"), [("max_depth", nested), ("max_elements", flat)], ids=["depth", "elements"]
)
def test_limit_holds_exactly(limit: str, make: Callable[[int], bytes]) -> None:
    size = {"max_bytes": 1000, "max_depth": 50, "max_elements": 50} | {limit: 7}
    limits = Limits(**size)
    assert wbxml.decode(make(7), limits).name == "SyncBody"
    with pytest.raises(LimitExceeded) as caught:
        wbxml.decode(make(8), limits)
    assert (caught.value.limit, caught.value.value) == (limit, 8)


def test_too_many_octets_are_refused_unread() -> None:
    with pytest.raises(LimitExceeded, match="max_bytes exceeded: 11"):
        wbxml.decode(b"\xff" * 11, Limits(max_bytes=10, max_depth=9, max_elements=9))


def test_string_table_does_not_multiply_without_bound() -> None:
    table = b"x" * 16000
    header = bytes.fromhex("02a4016a") + b"\xfd\x00" + table
    body = header + b"\x4f" + b"\x83\x00" * 20000 + b"\x01"
    with pytest.raises(LimitExceeded, match="max_bytes"):
        wbxml.decode(body, LIMITS)


def test_leaving_meta_switches_the_page_back() -> None:
    meta = Element("Meta", children=[Element("Format", Space.METINF, data=b"chr")])
    root = Element("Item", children=[meta, Element("Data", data=b"x")])
    assert wbxml.encode(root) == HEADER + bytes.fromhex(
        "54 5a 0001 47 0363687200 01 01 0000 4f 037800 01 01"
    )


@pytest.mark.parametrize(
    ("data", "is_opaque", "written"),
    [
        (b"a", False, "4f 036100 01"),
        (b"a", True, "4f c30161 01"),
        (b"a\0", False, "4f c3026100 01"),
        (b"\xff", False, "4f c301ff 01"),
        ("\u03c8".encode(), False, "4f 03cf8800 01"),
        (b"", False, "0f"),
        (b"", True, "0f"),
        (b"a" * 200, True, "4f c38148" + "61" * 200 + "01"),
    ],
)
def test_data_is_text_where_it_can_be(data: bytes, is_opaque: bool, written: str) -> None:
    root = Element("Data", data=data, is_opaque=is_opaque)
    assert wbxml.encode(root) == HEADER + bytes.fromhex(written)


def test_names_without_token_are_written_once_into_a_string_table() -> None:
    child = Element("X-Own", Space.METINF, data=b"a")
    root = Element("Meta", children=[child, child, Element("Y", Space.METINF)])
    written = wbxml.encode(root)
    assert written[3:13] == b"\x6a\x08X-Own\0Y\0"
    assert wbxml.decode(written, LIMITS) == root


def test_document_type_is_written_as_asked() -> None:
    assert wbxml.encode(Element("SyncML"), public_id=PUBLIC_ID_1_1) == bytes.fromhex("029f536a002d")
