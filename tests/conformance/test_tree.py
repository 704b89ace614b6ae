# SPDX-License-Identifier: Apache-2.0
"""Conformance of the tree: nodes, properties, rights, commands on one node (omadm §7)."""

import pytest

from scomod.dmclient.model import Add, Command, Copy, Delete, Get, Item, Meta, Replace
from tests.support.scripted import SERVER_ID, Device, item, on

X = "./Toy/x"
ACCOUNT = f"./DMAcc/{SERVER_ID}"
INT = Meta(format="int", type="text/plain")
NODE = Meta(format="node")


def read(device: Device, uri: str) -> Item:
    """The only result of a Get that succeeds."""
    heard = device.does(on(Get, uri))
    assert heard.codes() == [200]
    (found,) = heard.results()
    assert found.source == uri
    return found


def replace_property(uri: str, name: str, value: str) -> Command:
    return on(Replace, f"{uri}?prop={name}", value)


def copy(target: str, source: str) -> Command:
    return Copy(items=(Item(target=target, source=source),))


@pytest.fixture
def filled(device: Device) -> Device:
    device.put(f"{X}/Text", value="hello")
    device.put(f"{X}/Number", value="7")
    device.put(f"{X}/Secret", value="s3cret")
    device.put("./Toy/Fixed", value="f")
    return device


@pytest.mark.spec("T-14")
def test_t14_get_gives_values_and_the_names_of_children(filled: Device) -> None:
    leaf = read(filled, f"{X}/Text")
    assert (leaf.data, leaf.meta) == (b"hello", Meta(format="chr", type="text/plain"))
    interior = read(filled, X)
    assert interior.meta is not None
    assert interior.meta.format == "node"
    assert sorted((interior.data or b"").split(b"/")) == [b"Number", b"Secret", b"Text"]
    filled.put("./Toy/empty")
    assert read(filled, "./Toy/empty").data == b""
    root = set((read(filled, ".").data or b"").split(b"/"))
    assert root >= {b"DevInfo", b"DevDetail", b"DMAcc", b"Inbox", b"Toy"}


@pytest.mark.spec("T-14")
@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("./Toy/none", 404),
        ("./Toy/locked", 425),
        (f"{ACCOUNT}/AppAuth/1/AAuthSecret", 405),
        (f"{ACCOUNT}/AppAuth/1/AAuthData", 405),
        ("./Inbox", 405),
    ],
)
def test_t14_get_is_refused_for_the_right_reason(device: Device, uri: str, code: int) -> None:
    device.put("./Toy/locked", acl="Get=somebody.else")
    heard = device.does(on(Get, uri))
    assert heard.codes() == [code]
    assert not heard.results()


@pytest.mark.spec("T-15")
def test_t15_every_property_can_be_read(filled: Device) -> None:
    filled.put(f"{X}/Text", acl="Get=*")
    found = {
        name: read(filled, f"{X}/Text?prop={name}")
        for name in ("ACL", "Format", "Name", "Size", "Title", "TStamp", "Type", "VerNo")
    }
    texts = {name: (result.data or b"").decode() for name, result in found.items()}
    stamp = texts.pop("TStamp")
    assert (len(stamp), stamp[8], stamp[-1]) == (len("YYYYMMDDThhmmssZ"), "T", "Z")
    assert texts.pop("VerNo").isdigit()
    assert texts == {
        "ACL": "Get=*", "Format": "chr", "Name": "Text", "Size": "5", "Title": "",
        "Type": "text/plain",
    }  # fmt: skip
    assert {result.meta for result in found.values()} == {None}, "no Meta with a property"


@pytest.mark.spec("T-15")
def test_t15_an_unknown_property_is_not_supported(filled: Device) -> None:
    assert filled.code_of(on(Get, f"{X}/Text?prop=Colour")) == 406


@pytest.mark.spec("T-16")
def test_t16_an_acl_that_is_inherited_reads_as_empty_data(filled: Device) -> None:
    assert read(filled, f"{X}?prop=ACL").data == b""


@pytest.mark.spec("T-18")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (on(Add, f"{X}/Deep/Deeper/Leaf", "v"), 200),
        (on(Add, "./Toy/new", meta=NODE), 200),
        (on(Add, f"{X}/Text", "v"), 418),
        (on(Add, X, meta=NODE), 418),
        (on(Add, f"{X}/Text/more", "v"), 405),
        (on(Add, "./Toy/new/Deep/Deeper/Leaf", "v"), 200),
        (on(Add, "./Wonderland/Alice", "v"), 405),
    ],
)
def test_t18_add(filled: Device, command: Command, code: int) -> None:
    assert filled.code_of(command) == code


@pytest.mark.spec("T-19")
@pytest.mark.parametrize("uri", ["./Toy/new", "./Toy/new/Deep/Deeper/Leaf"])
def test_t19_who_may_not_replace_the_parent_owns_the_interior_node_it_adds(
    device: Device, uri: str
) -> None:
    device.put("./Toy", acl=f"Add={SERVER_ID}&Get=*")
    assert device.code_of(on(Add, uri, None if uri == "./Toy/new" else "v")) == 200
    rights = {f"{right}={SERVER_ID}" for right in ("Add", "Delete", "Replace")}
    assert set(device.acl("./Toy/new").split("&")) == rights
    if uri != "./Toy/new":
        assert {device.acl(f"./Toy/new/{below}") for below in ("Deep", "Deep/Deeper/Leaf")} == {""}


@pytest.mark.spec("T-20")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (on(Replace, f"{X}/Text", "new"), 200),
        (on(Replace, f"{X}/Shown", "new"), 404),
        (on(Replace, X, "new"), 405),
        (on(Replace, f"{X}/Text", "7", meta=INT), 415),
        (on(Replace, f"{X}/Number", "seven"), 415),
        (on(Replace, f"{X}/Text", "7", meta=Meta(type="image/png")), 415),
    ],
)
def test_t20_replace(filled: Device, command: Command, code: int) -> None:
    assert filled.code_of(command) == code
    assert filled.value(f"{X}/Text") == ("new" if code == 200 else "hello")
    assert not filled.exists(f"{X}/Shown"), "Replace never makes a node"


@pytest.mark.spec("T-21")
def test_t21_rename(filled: Device) -> None:
    filled.put("./Toy/y/Text", value="other")
    filled.put("./Toy/x", acl=f"Get=*&Replace={SERVER_ID}")
    assert filled.code_of(replace_property(X, "Name", "y")) == 418
    assert filled.code_of(replace_property("./Toy/Fixed", "Name", "z")) == 405
    assert filled.code_of(replace_property(f"{X}/Text", "Name", "z")) == 405
    assert filled.code_of(replace_property(X, "Name", "z")) == 200
    assert filled.value("./Toy/z/Text") == "hello"
    assert "Replace" in filled.acl("./Toy/z"), "the ACL goes with the node"
    assert not filled.exists(X)


@pytest.mark.spec("T-22")
def test_t22_who_may_change_an_acl(filled: Device) -> None:
    mine = f"Replace={SERVER_ID}&Get=*"
    filled.put("./Toy", acl="Get=*")
    filled.put(X, acl=mine)
    assert filled.code_of(replace_property(X, "ACL", f"{mine}&Exec=*")) == 200, "by its own"
    assert filled.code_of(replace_property(f"{X}/Text", "ACL", "Get=*")) == 200, "by its parent's"
    filled.put(X, acl="Get=*")
    filled.put(f"{X}/Text", acl=mine)
    assert filled.code_of(replace_property(f"{X}/Text", "ACL", "Get=*")) == 425, "by its own only"
    assert filled.acl(f"{X}/Text") == f"Replace={SERVER_ID}&Get=*"
    filled.put(".", acl=f"Add=*&Get=*&Replace={SERVER_ID}")
    assert filled.code_of(replace_property(".", "ACL", f"Add={SERVER_ID}")) == 405


@pytest.mark.spec("T-23")
def test_t23_the_nearest_acl_counts_as_a_whole(filled: Device) -> None:
    filled.put(X, acl="Get=*")
    assert filled.code_of(on(Replace, f"{X}/Text", "v")) == 425, "nothing is merged from ./Toy"
    assert filled.code_of(on(Get, f"{X}/Text")) == 200, "inherited from the parent"
    filled.put(f"{X}/Text", acl=f"Replace={SERVER_ID}")
    assert filled.code_of(on(Replace, f"{X}/Text", "v")) == 200
    assert filled.code_of(on(Get, f"{X}/Text")) == 425, "a right not mentioned is nobody's"
    filled.put(X, acl="")
    assert filled.code_of(on(Replace, f"{X}/Number", "1")) == 200, "an empty one inherits"


@pytest.mark.spec("T-24")
def test_t24_delete(filled: Device) -> None:
    filled.put("./Toy/Holder/Fixed", value="p")
    filled.put(".", acl=f"Add=*&Get=*&Delete={SERVER_ID}")
    for uri, code in (
        (f"{X}/Text", 200),
        (f"{X}/Text", 404),
        ("./Toy/Fixed", 405),
        ("./Toy/Holder", 405),
        (f"{X}/Secret", 405),
        (".", 405),
        ("./DevInfo/DevId", 405),
        (X, 200),
    ):
        assert filled.code_of(on(Delete, uri)) == code, uri
    assert not filled.exists(f"{X}/Secret"), "protected, but gone with its ancestor"
    assert filled.exists("./Toy/Holder/Fixed")


@pytest.mark.spec("T-25")
def test_t25_copy_takes_leaves_only(filled: Device) -> None:
    assert filled.code_of(copy("./Toy/y/Text", f"{X}/Text")) == 200
    assert filled.value("./Toy/y/Text") == "hello"
    assert filled.code_of(on(Replace, f"{X}/Text", "changed")) == 200
    assert filled.value("./Toy/y/Text") == "hello", "the copy is independent"
    assert filled.code_of(copy("./Toy/z", X)) in (403, 405)
    assert filled.code_of(copy(f"{X}/Text", "./Toy/none/Text")) == 404
    assert filled.code_of(copy("./Toy/y/Text", f"{X}/Secret")) == 405


@pytest.mark.spec("T-41")
@pytest.mark.parametrize(
    "uri",
    ["./" + "/".join("a" * 40), "./" + "n" * 300, "./" + "/".join(["n" * 30] * 40)],
    ids=["depth", "segment", "length"],
)
@pytest.mark.parametrize("kind", [Get, Add])
def test_t41_a_uri_beyond_the_limits_is_too_long(
    device: Device, uri: str, kind: type[Command]
) -> None:
    assert device.code_of(on(kind, uri, None if kind is Get else "v")) == 414


# -- requirements ---------------------------------------------------------------------------


@pytest.mark.spec("R-19")
def test_r19_the_mandatory_objects_are_there_and_found_by_type(device: Device) -> None:
    for uri, kind in (
        ("./DevInfo", "urn:oma:mo:oma-dm-devinfo:1.0"),
        ("./DevDetail", "urn:oma:mo:oma-dm-devdetail:1.0"),
        (ACCOUNT, "urn:oma:mo:oma-dm-dmacc:1.0"),
    ):
        assert read(device, f"{uri}?prop=Type").data == kind.encode()
    for leaf in ("DevTyp", "OEM", "FwV", "SwV", "HwV", "LrgObj", "URI/MaxDepth"):
        assert read(device, f"./DevDetail/{leaf}").data
    for leaf, value in (("AppID", b"w7"), ("ServerID", SERVER_ID.encode())):
        assert read(device, f"{ACCOUNT}/{leaf}").data == value


@pytest.mark.spec("R-21")
def test_r21_acl_format_name_and_type_exist_on_leaf_and_interior_node(filled: Device) -> None:
    for uri, format_, kind in ((X, b"node", b""), (f"{X}/Text", b"chr", b"text/plain")):
        assert read(filled, f"{uri}?prop=Format").data == format_
        assert read(filled, f"{uri}?prop=Type").data == kind
        assert read(filled, f"{uri}?prop=Name").data == uri.rpartition("/")[2].encode()
        assert read(filled, f"{uri}?prop=ACL").data == b""


@pytest.mark.spec("R-22")
def test_r22_title_version_and_size_follow_the_value(filled: Device) -> None:
    before = int(read(filled, f"{X}/Text?prop=VerNo").data or b"")
    assert filled.code_of(on(Replace, f"{X}/Text", "longer than before")) == 200
    assert filled.code_of(replace_property(f"{X}/Text", "Title", "A title")) == 200
    assert read(filled, f"{X}/Text?prop=VerNo").data == str(before + 1).encode()
    assert read(filled, f"{X}/Text?prop=Size").data == b"18"
    assert read(filled, f"{X}/Text?prop=Title").data == b"A title"
    assert filled.code_of(on(Get, f"{X}?prop=Size")) == 406, "an interior node has none"


@pytest.mark.spec("R-23")
def test_r23_a_server_that_goes_is_in_no_acl_any_more(device: Device) -> None:
    device.put("./Toy/x", acl=f"Get={SERVER_ID}+other&Replace={SERVER_ID}")
    device.put("./Toy/y", acl=f"Get={SERVER_ID}")
    assert device.code_of(on(Delete, ACCOUNT)) == 200
    assert device.acl("./Toy/x") == "Get=other", "an emptied command disappears"
    assert device.acl("./Toy/y") == "", "an emptied ACL inherits"
    assert SERVER_ID not in device.acl("./Toy")
    assert "Add=*" in device.acl(".")


@pytest.mark.spec("R-24")
@pytest.mark.parametrize(
    ("command", "code"),
    [
        (on(Get, f"{X}?prop=Nothing"), 406),
        (on(Replace, f"{X}?prop=Nothing", "v"), 406),
        (on(Replace, f"{X}?prop=Format", "int"), 405),
        (on(Replace, f"{X}?prop=TStamp", "v"), 405),
        (on(Add, f"{X}?prop=Title", "v"), 405),
        (on(Delete, f"{X}?prop=Title"), 405),
    ],
)
def test_r24_a_property_takes_few_commands(filled: Device, command: Command, code: int) -> None:
    assert filled.code_of(command) == code


@pytest.mark.spec("R-27")
def test_r27_missing_parents_are_made_or_nothing_is(filled: Device) -> None:
    assert filled.code_of(on(Add, "./Toy/p/Deep/Deeper/Leaf", "v")) == 200
    assert [filled.exists(f"./Toy/p{below}") for below in ("", "/Deep", "/Deep/Deeper")] == [
        True
    ] * 3
    assert filled.code_of(on(Add, "./Toy/q/Nothing/Deeper/Leaf", "v")) == 405
    assert not filled.exists("./Toy/q")


@pytest.mark.spec("R-28")
def test_r28_the_limits_of_uris_are_published_and_kept(device: Device) -> None:
    depth, total, segment = (
        int(read(device, f"./DevDetail/URI/{name}").data or b"")
        for name in ("MaxDepth", "MaxTotLen", "MaxSegLen")
    )
    assert min(depth, total, segment) > 0
    at_limit = "./" + "/".join(["a"] * depth)
    assert device.code_of(on(Get, at_limit)) == 404
    assert device.code_of(on(Get, f"{at_limit}/a")) == 414
    assert device.code_of(on(Get, f"./{'n' * segment}")) == 404
    assert device.code_of(on(Get, f"./{'n' * (segment + 1)}")) == 414
    names = "/".join(["n" * 50] * 20)
    assert device.code_of(on(Get, f"./{names}"[: total + 1])) == 414


def test_item_of_a_command_without_target_is_malformed(device: Device) -> None:
    assert device.code_of(Add(items=(item(value="v"),))) == 400
