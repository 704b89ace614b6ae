# SPDX-License-Identifier: Apache-2.0
"""Conformance of whole sub-trees: lists, TNDS, Inbox (omadm §7.3, §7.8, §8.4)."""

from pathlib import Path

import pytest

from scomod.dmclient import wbxml, xmltext
from scomod.dmclient.codec import Encoding
from scomod.dmclient.element import Element
from scomod.dmclient.model import Add, Command, Get, Item, Meta, Replace
from tests.support.scripted import READING, SERVER_ID, Device, Heard, item, on, speaking
from tests.support.tnds_text import document, node

X = "./Toy/x"
XML_TYPE = "application/vnd.syncml.dmtnds+xml"
WBXML_TYPE = "application/vnd.syncml.dmtnds+wbxml"
TNDS = Meta(format="xml", type=XML_TYPE)


def tnds(kind: type[Command], target: str, *nodes: str) -> Command:
    return kind(items=(item(target, document(*nodes), meta=TNDS),))  # type: ignore[call-arg]


@pytest.fixture
def filled(device: Device) -> Device:
    device.put(f"{X}/Text", value="hello", acl=f"Get={SERVER_ID}")
    device.put(f"{X}/Secret", value="s3cret")
    device.put(f"{X}/Deep/Deeper/Leaf", value="deep")
    return device


def listed(heard: Heard) -> dict[str | None, bytes | None]:
    return {found.source: found.data for found in heard.results()}


@pytest.mark.spec("T-17")
@pytest.mark.parametrize("encoding", Encoding)
def test_t17_struct_and_struct_data_list_every_node_that_may_be_read(
    tmp_path: Path, encoding: Encoding
) -> None:
    with Device(tmp_path, speaking(encoding)) as device:
        device.put(f"{X}/Text", value="hello")
        device.put(f"{X}/Secret", value="s3cret")
        device.put("./Toy/x/Few", acl="Get=other")
        struct = device.does(on(Get, f"{X}?list=Struct"))
        data = device.does(on(Get, f"{X}?list=StructData"))
    assert struct.codes() == data.codes() == [200]
    assert listed(struct) == {X: None, f"{X}/Text": None}
    assert listed(data) == {X: None, f"{X}/Text": b"hello"}
    formats = [found.meta.format for found in struct.results() if found.meta]
    assert formats == ["node", "chr"]


def tnds_of(heard: Heard) -> Element:
    """The TNDS of the only result, out of either syntax."""
    (found,) = heard.results()
    assert found.meta is not None
    assert (found.meta.type, found.meta.format) in ((XML_TYPE, "xml"), (WBXML_TYPE, "bin"))
    if found.tree is not None:
        return found.tree
    octets = found.data or b""
    if found.meta.type == XML_TYPE:
        return xmltext.decode(octets, READING)
    return wbxml.decode(octets, READING)


def below(element: Element, name: str) -> list[Element]:
    """All elements of a name, at any depth."""
    found = [element] if element.name == name else []
    return found + [each for child in element.children for each in below(child, name)]


def texts(root: Element, name: str) -> list[bytes]:
    return [each.data for each in below(root, name)]


@pytest.mark.spec("T-17")
@pytest.mark.parametrize("encoding", Encoding)
def test_t17_tnds_holds_the_sub_tree(tmp_path: Path, encoding: Encoding) -> None:
    with Device(tmp_path, speaking(encoding)) as device:
        device.put(f"{X}/Text", value="hello", acl=f"Get={SERVER_ID}")
        root = tnds_of(device.does(on(Get, f"{X}?list=TNDS")))
    assert (root.name, root.text("VerDTD")) == ("MgmtTree", "1.2")
    assert texts(root, "NodeName") == [b"x", b"Text"]
    assert texts(root, "Value") == [b"hello"]
    assert texts(root, "ACL") == [f"Get={SERVER_ID}".encode()]


@pytest.mark.spec("T-17")
def test_t17_tnds_takes_a_choice_of_properties(filled: Device) -> None:
    without = tnds_of(filled.does(on(Get, f"{X}?list=TNDS-ACL-Value")))
    assert not texts(without, "ACL")
    assert not texts(without, "Value")
    assert texts(without, "NodeName")
    only = tnds_of(filled.does(on(Get, f"{X}?list=TNDS+ACL")))
    assert texts(only, "ACL")
    assert not texts(only, "Value")


@pytest.mark.spec("T-17")
@pytest.mark.parametrize(
    "attribute", ["Everything", "TNDS+Colour", "TNDS+ACL-Value", "struct", "TNDS+"]
)
def test_t17_an_unknown_list_is_not_supported(filled: Device, attribute: str) -> None:
    heard = filled.does(on(Get, f"{X}?list={attribute}"))
    assert heard.codes() in ([406], [400])
    if attribute in ("Everything", "TNDS+Colour"):
        assert heard.codes() == [406]
    assert not heard.results()


@pytest.mark.spec("T-40")
def test_t40_add_of_a_tnds_makes_all_of_it_with_one_status(device: Device) -> None:
    heard = device.does(tnds(Add, X, node("", node("Text", value="t", acl="Get=*"), node("Deep"))))
    assert heard.codes() == [200]
    assert device.value(f"{X}/Text") == "t"
    assert device.acl(f"{X}/Text") == "Get=*"


@pytest.mark.spec("T-40")
@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (node("Nowhere", value="v"), 405),
        (node("Number", value="no number"), 415),
        (node("Text", node("Leaf", value="v")), 415),
    ],
)
def test_t40_add_of_a_tnds_with_one_bad_node_makes_nothing(
    device: Device, bad: str, code: int
) -> None:
    heard = device.does(tnds(Add, X, node("", node("Deep", node("Deeper")), bad)))
    assert heard.codes() == [code]
    assert not device.exists(X)


@pytest.mark.spec("T-40")
def test_t40_replace_with_a_tnds_makes_the_sub_tree_what_the_document_says(
    device: Device,
) -> None:
    device.put(f"{X}/Text", value="hello")
    device.put(f"{X}/Deep/Deeper/Leaf", value="deep")
    new = node("", node("Text", value="new"), node("Few", node("1", value="one")))
    assert device.does(tnds(Replace, X, new)).codes() == [200]
    assert device.value(f"{X}/Text") == "new"
    assert device.value(f"{X}/Few/1") == "one"
    assert not device.exists(f"{X}/Deep"), "what the document does not name is gone"


@pytest.mark.spec("T-40")
def test_t40_replace_with_a_bad_tnds_changes_nothing(device: Device) -> None:
    device.put(f"{X}/Text", value="hello")
    device.put(f"{X}/Deep/Deeper/Leaf", value="deep")
    bad = node("", node("Text", value="new"), node("Number", value="no number"))
    assert device.does(tnds(Replace, X, bad)).codes() == [415]
    assert device.value(f"{X}/Text") == "hello"
    assert device.value(f"{X}/Deep/Deeper/Leaf") == "deep"


# -- requirements -----------------------------------------------------------------------------


@pytest.mark.spec("R-20")
def test_r20_the_inbox_places_an_account_and_shows_nothing(device: Device) -> None:
    account = node(
        "Other",
        node("AppID", value="w7"),
        node("ServerID", value="other.example"),
        node("AppAddr", node("1", node("Addr", value="https://other.example/dm"))),
        kind="urn:oma:mo:oma-dm-dmacc:1.0",
    )
    assert device.does(tnds(Add, "./Inbox", account)).codes() == [200]
    accounts = device.records.tree.children("./DMAcc")
    assert len(accounts) == 2
    assert not device.records.tree.children("./Inbox")
    assert device.code_of(on(Get, "./Inbox")) == 405


@pytest.mark.spec("R-25")
def test_r25_a_list_never_shows_what_a_get_would_not(filled: Device) -> None:
    for attribute in ("Struct", "StructData", "TNDS"):
        heard = filled.does(on(Get, f"{X}?list={attribute}"))
        assert heard.codes() == [200]
        assert b"s3cret" not in heard.body
    assert filled.code_of(on(Get, "./Toy/none?list=Struct")) == 404
    filled.put(X, acl="Get=other")
    assert filled.code_of(on(Get, f"{X}?list=Struct")) == 425


@pytest.mark.spec("R-26")
@pytest.mark.parametrize("encoding", Encoding)
def test_r26_a_tnds_may_come_as_markup_in_the_message(tmp_path: Path, encoding: Encoding) -> None:
    text = document(node("", node("Text", value="inline")))
    root = xmltext.decode(text.encode(), READING)
    with Device(tmp_path, speaking(encoding)) as device:
        command = Add(items=(Item(target=X, meta=TNDS, tree=root),))
        assert device.does(command).codes() == [200]
        assert device.value(f"{X}/Text") == "inline"


@pytest.mark.spec("R-26")
def test_r26_a_tnds_may_come_as_a_nested_wbxml_document(device: Device) -> None:
    text = document(node("", node("Text", value="nested")))
    root = xmltext.decode(text.encode(), READING)
    nested = wbxml.encode(root)
    command = Add(items=(item(X, nested, meta=Meta(format="bin", type=WBXML_TYPE)),))
    assert device.does(command).codes() == [200]
    assert device.value(f"{X}/Text") == "nested"
