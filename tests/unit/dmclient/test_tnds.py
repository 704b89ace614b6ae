# SPDX-License-Identifier: Apache-2.0
"""TNDS documents read in every form that is seen, and written (omadm §6.2, §7.8)."""

import base64
from collections.abc import Callable

import pytest

from scomod.dmclient import codec, tnds, tndswriter, wbxml, xmltext
from scomod.dmclient.codec import Encoding
from scomod.dmclient.element import Element
from scomod.dmclient.model import Add
from scomod.dmclient.tnds import Syntax
from scomod.errors import BadFormat, BadRequest, TooLarge
from scomod.mo.node import Format, Property
from scomod.mo.tnds import TndsNode
from tests.support.syncml_samples import LIMITS, VECTORS


def read(data: bytes | Element, **limits: int) -> list[TndsNode]:
    known = {"max_bytes": 1 << 16, "max_nodes_count": 100, "max_depth_count": 8, **limits}
    return tnds.decode(data, **known)


def document(*nodes: str) -> bytes:
    space = 'xmlns="syncml:dmddf1.2"'
    return f"<MgmtTree {space}><VerDTD>1.2</VerDTD>{''.join(nodes)}</MgmtTree>".encode()


def node(name: str | None, *inner: str, path: str = "") -> str:
    named = "" if name is None else f"<NodeName>{name}</NodeName>"
    return f"<Node>{named}{path and f'<Path>{path}</Path>'}{''.join(inner)}</Node>"


def properties(form: str = "", kind: str = "", rest: str = "") -> str:
    written = form and f"<Format><{form}/></Format>"
    return f"<RTProperties>{written}{kind and f'<Type>{kind}</Type>'}{rest}</RTProperties>"


def paths(*nodes: str) -> list[str]:
    return [each.path for each in read(document(*nodes))]


ACCOUNT = [
    TndsNode(
        path="OperatorX", is_interior=True, format=Format.NODE,
        type="org.openmobilealliance/1.0/w7",
    ),
    TndsNode(path="OperatorX/AppID", format=Format.CHR, type="text/plain", value=b"w7"),
]  # fmt: skip


# The forms


def in_message(name: str, encoding: Encoding) -> bytes | Element:
    message = codec.decode((VECTORS / name).read_bytes(), encoding, LIMITS)
    [command] = message.commands
    assert isinstance(command, Add)
    [item] = command.items
    found = item.data if item.tree is None else item.tree
    assert found is not None
    return found


def test_elements_inside_an_xml_message_are_read() -> None:
    found = in_message("xml/tnds.xml", Encoding.XML)
    assert isinstance(found, Element)
    assert read(found) == ACCOUNT


def test_a_document_inside_a_wbxml_message_is_read() -> None:
    """What libwbxml makes of the XML: a WBXML document in an OPAQUE."""
    found = in_message("wbxml/tnds.wbxml", Encoding.WBXML)
    assert isinstance(found, bytes)
    assert read(found) == ACCOUNT


def test_elements_on_their_code_page_inside_a_wbxml_message_are_read() -> None:
    inline = xmltext.decode((VECTORS / "xml/tnds.xml").read_bytes(), LIMITS)
    message = codec.decode(wbxml.encode(inline), Encoding.WBXML, LIMITS)
    [command] = message.commands
    assert isinstance(command, Add)
    assert command.items[0].tree is not None
    assert read(command.items[0].tree) == ACCOUNT


FORMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda octets: octets,
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "with white space": lambda octets: b"\n\t " + octets + b"\n" if octets[:1] == b"<" else octets,
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("syntax", Syntax)
def test_what_we_write_is_read_in_every_form(
    syntax: Syntax, form: Callable[[bytes], bytes]
) -> None:
    written = tndswriter.encode(ACCOUNT, syntax, max_bytes=1000)
    assert read(form(written)) == ACCOUNT


def test_a_declaration_and_a_document_type_do_no_harm() -> None:
    head = b'<?xml version="1.0"?><!DOCTYPE MgmtTree PUBLIC "-//OMA//DTD-DM-DDF 1.2//EN" "x">'
    assert read(head + tndswriter.encode(ACCOUNT, Syntax.XML, max_bytes=1000)) == ACCOUNT


def test_a_document_without_a_name_space_is_read() -> None:
    text = tndswriter.encode(ACCOUNT, Syntax.XML, max_bytes=1000)
    assert read(text.replace(b' xmlns="syncml:dmddf1.2"', b"")) == ACCOUNT


def test_a_tree_beside_other_elements_is_found() -> None:
    root = xmltext.decode(tndswriter.encode(ACCOUNT, Syntax.XML, max_bytes=1000), LIMITS)
    assert read(Element("Data", children=[Element("Other"), root])) == ACCOUNT


@pytest.mark.parametrize(
    ("text", "is_ours"),
    [
        ("application/vnd.syncml.dmtnds+xml", True),
        ("Application/VND.syncml.dmtnds+WBXML; charset=utf-8", True),
        ("application/vnd.syncml.dmddf+xml", False),
        ("text/plain", False),
        ("", False),
        (None, False),
    ],
)
def test_the_type_tells_tnds(text: str | None, is_ours: bool) -> None:
    assert tnds.is_media_type(text) is is_ours


# Names and paths


def test_nodes_are_named_from_the_top() -> None:
    assert paths(node("A", node("B", node("C")), node("D"))) == ["A", "A/B", "A/B/C", "A/D"]


def test_a_path_tells_where_a_node_goes_on() -> None:
    assert paths(
        node("Vendor"), node("ISP", path="Vendor"), node("GW", node("Name"), path="./Vendor/ISP/")
    ) == ["Vendor", "Vendor/ISP", "Vendor/ISP/GW", "Vendor/ISP/GW/Name"]


def test_a_path_inside_starts_over() -> None:
    assert paths(node("A", node("B", path="X"))) == ["A", "X/B"]


@pytest.mark.parametrize("path", [".", "./", "/", " "])
def test_a_path_may_be_the_target_itself(path: str) -> None:
    assert paths(node("A", path=path)) == ["A"]


def test_an_empty_name_stands_for_the_target() -> None:
    assert paths(node("", node("B"))) == ["", "B"]


def test_nodes_without_a_name_are_told_apart() -> None:
    assert paths(node(None, node("B")), node(None, node("B"))) == ["?0", "?0/B", "?1", "?1/B"]


def test_names_take_their_normal_form() -> None:
    assert paths(node("a%c3%a4"), node("%41")) == ["a%C3%A4", "A"]


def test_the_root_may_be_named() -> None:
    assert paths(node(".", node("A", node("B")))) == [".", "./A", "./A/B"]


MALFORMED = {
    "no nodes": document(),
    "an empty name inside": document(node("A", node(""))),
    "no name inside": document(node("A", node(None))),
    "an empty name at a path": document(node("", path="A")),
    "no name at a path": document(node(None, path="A")),
    "a slash in a name": document(node("A/B")),
    "a parent as name": document(node("..")),
    "a parent in a path": document(node("A", path="../B")),
    "a space in a name": document(node("A B")),
    "cut off": document(node("A"))[:-5],
    "cut off in WBXML": tndswriter.encode(ACCOUNT, Syntax.WBXML, max_bytes=1000)[:-9],
    "entities": b'<!DOCTYPE MgmtTree [<!ENTITY a "b">]>' + document(node("A")),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_a_bad_request(data: bytes) -> None:
    with pytest.raises(BadRequest):
        read(data)


NO_TNDS = {
    "nothing": b"",
    "text": b"hello",
    "base64 of text": base64.b64encode(b"hello"),
    "another document": b"<SyncML/>",
    "another document in WBXML": wbxml.encode(Element("SyncML")),
    "no such format": document(node("A", properties("colour"))),
    "not base64": document(node("A", properties("bin"), "<Value>***</Value>")),
    "markup as value": document(node("A", properties("xml"), "<Value><a/></Value>")),
}


@pytest.mark.parametrize("data", NO_TNDS.values(), ids=NO_TNDS)
def test_what_is_no_tnds_is_an_unsupported_format(data: bytes) -> None:
    with pytest.raises(BadFormat):
        read(data)


WIDE = document(*(node(f"N{number}") for number in range(10)))
DEEP = document(node("1", node("2", node("3", node("4")))))


@pytest.mark.parametrize(
    ("data", "limits"),
    [
        (WIDE, {"max_nodes_count": 9}),
        (DEEP, {"max_depth_count": 3}),
        (WIDE, {"max_bytes": len(WIDE) - 1}),
        (document(node("a", path="/".join("12345678"))), {}),
    ],
)
def test_limits_hold(data: bytes, limits: dict[str, int]) -> None:
    with pytest.raises(TooLarge):
        read(data, **limits)


def test_what_is_at_the_limit_is_taken() -> None:
    assert len(read(WIDE, max_nodes_count=10, max_bytes=len(WIDE))) == 10
    assert len(read(DEEP, max_depth_count=4)) == 4


def test_elements_inside_a_message_have_the_same_limits() -> None:
    with pytest.raises(TooLarge):
        read(xmltext.decode(WIDE, LIMITS), max_nodes_count=9)


# Properties and values


def one(*inner: str) -> TndsNode:
    [found] = read(document(node("A", *inner)))
    return found


def test_all_properties_are_read() -> None:
    rest = (
        "<ACL>Get=*</ACL><Name>A</Name><Size>3</Size><Title>T</Title>"
        "<TStamp>20240101T000000Z</TStamp><VerNo>7</VerNo>"
    )
    found = one(properties("chr", "<MIME>text/plain</MIME>", rest), "<Value>abc</Value>")
    assert found.property(Property.ACL) == "Get=*"
    assert found.property(Property.TITLE) == "T"
    assert dict(found.properties) == {
        "ACL": "Get=*", "Name": "A", "Size": "3", "Title": "T",
        "TStamp": "20240101T000000Z", "VerNo": "7",
    }  # fmt: skip


def test_an_empty_acl_is_not_the_same_as_none() -> None:
    assert one(properties(rest="<ACL/>")).property(Property.ACL) == ""
    assert one(properties()).property(Property.ACL) is None


@pytest.mark.parametrize(
    ("inner", "form", "is_interior"),
    [
        ([properties("node")], Format.NODE, True),
        ([properties("int")], Format.INT, False),
        ([node("B")], None, True),
        ([properties(kind="<DDFName/>")], None, True),
        ([properties(kind="<MIME>text/plain</MIME>")], None, False),
        ([], None, False),
        (["<RTProperties><Format>int</Format></RTProperties>"], Format.INT, False),
        (["<RTProperties><Format/></RTProperties>"], None, False),
    ],
)
def test_the_format_is_read_or_follows(
    inner: list[str], form: Format | None, is_interior: bool
) -> None:
    found = read(document(node("A", *inner)))[0]
    assert (found.format, found.is_interior) == (form, is_interior)


@pytest.mark.parametrize("form", sorted({*Format} - {Format.NODE}))
def test_every_format_of_a_leaf_is_known(form: str) -> None:
    assert one(properties(form)).format == form


def test_the_type_of_an_interior_node_may_be_empty() -> None:
    assert one(properties("node", "<DDFName/>")).type == ""
    assert one(properties("node")).type is None


def test_a_type_without_its_element_is_read() -> None:
    assert one(properties("chr", "text/plain")).type == "text/plain"


@pytest.mark.parametrize(
    ("form", "written", "value"),
    [
        ("chr", "<Value>  a&amp;b\n</Value>", b"  a&b\n"),
        ("chr", "<Value><![CDATA[<a>]]></Value>", b"<a>"),
        ("chr", "<Value/>", b""),
        ("chr", "", None),
        ("bin", "<Value>AAH/\n</Value>", b"\0\1\xff"),
        ("b64", "<Value>AAH/</Value>", b"AAH/"),
    ],
)
def test_values_are_octets_as_the_device_means_them(
    form: str, written: str, value: bytes | None
) -> None:
    assert one(properties(form), written).value == value


# Writing


def test_a_node_without_its_parent_in_the_document_has_a_path() -> None:
    written = [TndsNode(path="A"), TndsNode(path="A/B"), TndsNode(path="A/X/Y/C")]
    for syntax in Syntax:
        octets = tndswriter.encode(written, syntax, max_bytes=1000)
        assert [each.path for each in read(octets)] == ["A", "A/B", "A/X/Y/C"]
    assert b"<Path>A/X/Y</Path>" in tndswriter.encode(written, Syntax.XML, max_bytes=1000)


def test_names_and_missing_names_come_back() -> None:
    for known in (["", "B"], ["?0", "?0/B"], [".", "./A", "./A/B"]):
        written = [TndsNode(path=path) for path in known]
        for syntax in Syntax:
            octets = tndswriter.encode(written, syntax, max_bytes=1000)
            assert [each.path for each in read(octets)] == known


@pytest.mark.parametrize("syntax", Syntax)
def test_binary_values_survive(syntax: Syntax) -> None:
    written = [TndsNode(path="A", is_binary=True, format=Format.BIN, value=bytes(range(256)))]
    assert read(tndswriter.encode(written, syntax, max_bytes=1000)) == written


def test_text_keeps_its_line_ends_and_loses_what_xml_cannot_carry() -> None:
    written = [TndsNode(path="A", format=Format.CHR, value=b"a\r\nb\t\x01]]>")]
    [found] = read(tndswriter.encode(written, Syntax.XML, max_bytes=1000))
    assert found.value == "a\r\nb\t\ufffd]]>".encode()


def test_a_long_value_in_wbxml_has_a_length_of_several_octets() -> None:
    for size in (127, 128, 16383, 16384):
        written = [TndsNode(path="A", is_binary=True, format=Format.BIN, value=b"x" * size)]
        assert read(tndswriter.encode(written, Syntax.WBXML, max_bytes=1 << 16)) == written


@pytest.mark.parametrize("syntax", Syntax)
def test_writing_stops_at_the_limit(syntax: Syntax) -> None:
    endless = (TndsNode(path=f"N{number}") for number in iter(int, 1))
    with pytest.raises(TooLarge):
        tndswriter.encode(endless, syntax, max_bytes=1000)
