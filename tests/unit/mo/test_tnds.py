# SPDX-License-Identifier: Apache-2.0
"""What a document asks for and where its nodes go (omadm §7.3, §7.8): pure rules."""

import pytest

from scomod.errors import BadRequest, NotSupported
from scomod.mo.node import Format, Node, Property
from scomod.mo.tnds import SELECTABLE, TndsNode, described, moved, placed, selection


def nodes(*paths: str) -> list[TndsNode]:
    return [TndsNode(path=path) for path in paths]


def where(target: str, *paths: str, is_target_meant: bool = True) -> list[str]:
    return [at for at, _ in placed(nodes(*paths), target, is_target_meant=is_target_meant)]


def test_without_a_list_everything_comes_but_what_the_receiver_sees_itself() -> None:
    assert selection("TNDS") == SELECTABLE - {"Name", "Size"}


def test_plus_names_all_that_comes() -> None:
    assert selection("TNDS+Value+ACL") == {"Value", "ACL"}
    assert selection("TNDS+Size") == {"Size"}


def test_minus_names_what_does_not_come() -> None:
    assert selection("TNDS-Format-ACL") == selection("TNDS") - {"Format", "ACL"}
    assert selection("TNDS-Name") == selection("TNDS")


@pytest.mark.parametrize("text", ["TNDS+ACL-Value", "TNDS-ACL+Value"])
def test_plus_and_minus_are_not_mixed(text: str) -> None:
    with pytest.raises(BadRequest):
        selection(text)


@pytest.mark.parametrize(
    "text", ["TNDS+Colour", "TNDS-Colour", "TNDS+", "TNDS-", "TNDS+acl", "tnds", "Tree", "+", "-"]
)
def test_what_is_not_known_is_not_supported(text: str) -> None:
    with pytest.raises(NotSupported):
        selection(text)


def test_paths_are_relative_to_the_target() -> None:
    assert where("./A", "E-Mail", "E-Mail/POP3") == ["./A/E-Mail", "./A/E-Mail/POP3"]
    assert where(".", "A", "A/B") == ["./A", "./A/B"]


def test_an_empty_name_is_the_last_segment_of_the_target() -> None:
    assert where("./A/B", "", "C") == ["./A/B", "./A/B/C"]


def test_a_document_about_a_node_of_the_targets_name_is_about_the_target() -> None:
    assert where("./A/B", "B", "B/C") == ["./A/B", "./A/B/C"]
    assert where(".", ".", "./A") == [".", "./A"]


def test_below_a_target_that_is_there_the_same_name_is_another_node() -> None:
    assert where("./A/B", "B", "B/C", is_target_meant=False) == ["./A/B/B", "./A/B/B/C"]


def test_a_document_of_several_nodes_lies_below_the_target() -> None:
    assert where("./A/B", "B", "C") == ["./A/B/B", "./A/B/C"]


def test_parents_come_first_whatever_the_order_of_the_document() -> None:
    assert where("./T", "A/B", "C", "A") == ["./T/C", "./T/A", "./T/A/B"]


def test_an_order_that_is_good_stays() -> None:
    assert where("./T", "A", "A/B", "C") == ["./T/A", "./T/A/B", "./T/C"]


@pytest.mark.parametrize("paths", [(), ("A", "A"), ("A", "A/B", "A/B")])
def test_a_document_without_nodes_or_with_one_twice_is_malformed(paths: tuple[str, ...]) -> None:
    with pytest.raises(BadRequest):
        where("./T", *paths)


def test_references_follow_the_objects_they_name() -> None:
    values = (b"./Inbox/NAP1", b"./Inbox/NAP1/Addr", b"./Inbox/NAP10", b"x ./Inbox/NAP1", None)
    document = [TndsNode(path="X", value=value) for value in values]
    changed = moved(document, [("./Inbox/NAP1", "./NAP/7")])
    assert [node.value for node in changed] == [
        b"./NAP/7", b"./NAP/7/Addr", b"./Inbox/NAP10", b"x ./Inbox/NAP1", None,
    ]  # fmt: skip


LEAF = Node(
    path="./A/B/C", format=Format.BIN, type="image/png", acl="Get=*", title="T",
    value=b"\0\1", tstamp_s=0, verno=3,
)  # fmt: skip


def test_a_node_is_described_with_what_is_wanted() -> None:
    assert described(LEAF, "./A/B", selection("TNDS")) == TndsNode(
        path="B/C",
        is_binary=True,
        format=Format.BIN,
        type="image/png",
        value=b"\0\1",
        properties=(
            (Property.ACL, "Get=*"),
            (Property.TITLE, "T"),
            (Property.TSTAMP, "19700101T000000Z"),
            (Property.VERNO, "3"),
        ),
    )


def test_nothing_but_the_value_when_only_that_is_wanted() -> None:
    only = described(LEAF, "./A/B/C", frozenset({"Value"}))
    assert (only.path, only.format, only.type, only.properties) == ("C", None, None, ())
    assert only.value == b"\0\1"


def test_size_and_name_come_when_asked_for_and_interior_nodes_have_no_size() -> None:
    wanted = selection("TNDS+Size+Name")
    inner = Node(path="./A", format=Format.NODE)
    assert described(LEAF, ".", wanted).properties == ((Property.NAME, "C"), (Property.SIZE, "2"))
    assert described(inner, ".", wanted).properties == ((Property.NAME, "A"),)


def test_empty_properties_are_left_out_but_not_the_type() -> None:
    inner = described(Node(path="./A", format=Format.NODE), ".", selection("TNDS+ACL+Title+Type"))
    assert (inner.type, inner.properties, inner.is_interior) == ("", (), True)
