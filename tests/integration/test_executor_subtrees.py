# SPDX-License-Identifier: Apache-2.0
"""Sub-trees over the whole way: command, tree and database, answers (omadm §7.3, §7.6, §8.4)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.codes import MO_DMACC, DmStatus
from scomod.dmclient import codec, tnds, tndswriter
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Add, Get, Item, Message, Meta, Replace, Results, Status, SyncHdr
from scomod.dmclient.subtreecommands import SubtreeCommands
from scomod.dmclient.tnds import Syntax
from scomod.mo import dmacc
from scomod.mo.node import Format, Property
from scomod.mo.tnds import TndsNode
from scomod.settings import Subtree
from tests.support.executing import MAX_OBJECT_BYTES, Device, X, get, open_device

LIMITS = {"max_bytes": 1 << 16, "max_nodes_count": 100, "max_depth_count": 9}
NEW = "./SCOMO/Download/new"
PACKAGE = [
    TndsNode(path="new", is_interior=True, format=Format.NODE, type=""),
    TndsNode(path="new/PkgID", format=Format.CHR, type="text/plain", value=b"new-1"),
    TndsNode(path="new/PkgURL", format=Format.CHR, type="text/plain", value=b"https://h/new"),
]


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Device]:
    with open_device(tmp_path) as made:
        yield made


def results(device: Device, uri: str, server: str = "srv") -> list[Results]:
    status, *found = device.answers(get(uri), server=server)
    assert isinstance(status, Status)
    assert status.code == DmStatus.OK
    assert all(isinstance(each, Results) for each in found)
    return [each for each in found if isinstance(each, Results)]


def listed(device: Device, uri: str, server: str = "srv") -> dict[str | None, Item]:
    items = [item for each in results(device, uri, server) for item in each.items]
    return {item.source: item for item in items}


def document(
    nodes: list[TndsNode], syntax: Syntax = Syntax.WBXML, target: str = "./SCOMO/Download"
) -> Item:
    written = tndswriter.encode(nodes, syntax, max_bytes=1 << 20)
    meta = Meta(format=syntax.carried_as, type=syntax)
    return Item(target=target, meta=meta, data=written)


def code(device: Device, kind: type[Add | Replace], item: Item) -> int:
    [status] = device.answers(kind(cmd_id="1", items=(item,)))
    assert isinstance(status, Status)
    return status.code


def octets(item: Item) -> bytes:
    return item.body.read(0, item.body.size_bytes) if item.body else item.data or b""


# Struct, StructData


def test_struct_names_every_node_and_no_value(device: Device) -> None:
    found = listed(device, f"{X}?list=Struct")
    assert next(iter(found)) == X
    assert {f"{X}/PkgID", f"{X}/Operations", f"{X}/Status"} <= found.keys()
    assert found[X].meta == Meta(format="node")
    assert found[f"{X}/PkgID"].meta == Meta(format="chr", type="text/plain")
    assert all(item.data is None and item.body is None for item in found.values())


def test_structdata_brings_the_values_of_leaves(device: Device) -> None:
    found = listed(device, f"{X}?list=StructData")
    assert found[f"{X}/PkgID"].data == b"x-1"
    assert found[f"{X}/Status"].data == b"10"
    assert found[X].data is None


def test_a_list_that_is_too_long_for_a_message_comes_in_several_results(device: Device) -> None:
    parts = results(device, "./SCOMO?list=Struct")
    assert len(parts) > 1
    sources = [item.source for part in parts for item in part.items]
    assert len(sources) == len(set(sources))
    header = SyncHdr(session_id="1", msg_id="1", target="t", source="s")
    for encoding in Encoding:
        sizes = [codec.encoded_size(Message(header=header, commands=(p,)), encoding) for p in parts]
        assert max(sizes) <= MAX_OBJECT_BYTES // 2 + 1024


def test_secrets_are_in_no_list_and_in_no_tnds(device: Device) -> None:
    account = [
        TndsNode(path="a", is_interior=True, format=Format.NODE, type=MO_DMACC),
        TndsNode(path="a/ServerID", value=b"srv"),
        TndsNode(path="a/AppAddr/1/Addr", value=b"https://dm.example"),
        TndsNode(path="a/AppAuth/1/AAuthSecret", value=b"s3cret-word"),
    ]
    sent = document(account, target="./Inbox")
    assert code(device, Add, sent) == DmStatus.OK
    assert len(dmacc.accounts(device.records.tree)) == 1
    for attribute in ("StructData", "TNDS", "TNDS+Value"):
        for answer in results(device, f"./DMAcc?list={attribute}"):
            assert "AAuthSecret" not in repr(answer)
            assert "s3cret-word" not in repr(answer)


# TNDS


@pytest.mark.parametrize("encoding", Encoding)
def test_tnds_comes_in_the_syntax_of_the_session(device: Device, encoding: Encoding) -> None:
    executor = device.executor()
    executor.tree_commands.takes = lambda _size, _format: True
    executor.tree_commands.subtrees = SubtreeCommands(
        device.records.tree, server_id="srv", encoding=encoding, limits=Subtree()
    )
    with device.records.db.transaction():
        _, result = executor.tree_commands.execute("1", get(f"{X}?list=TNDS"))
    assert isinstance(result, Results)
    [item] = result.items
    syntax = Syntax.XML if encoding is Encoding.XML else Syntax.WBXML
    assert item.meta == Meta(format=syntax.carried_as, type=syntax)
    assert item.source == X
    found = {node.path: node for node in tnds.decode(octets(item), **LIMITS)}
    assert found["x"].is_interior
    assert found["x/PkgID"].value == b"x-1"
    assert found["x/PkgID"].property(Property.VERNO) == "0"


def test_a_document_too_long_for_a_message_waits_to_be_cut(device: Device) -> None:
    executor = device.executor()
    executor.tree_commands.takes = lambda _size, _format: True
    executor.tree_commands.max_result_bytes = 100
    with device.records.db.transaction():
        _, result = executor.tree_commands.execute("1", get(f"{X}?list=TNDS"))
    assert isinstance(result, Results)
    [item] = result.items
    assert item.data is None
    assert {node.path for node in tnds.decode(octets(item), **LIMITS)} >= {"x", "x/PkgID"}


def test_only_what_is_asked_for_is_in_the_tnds(device: Device) -> None:
    [answer] = results(device, f"{X}/PkgID?list=TNDS+Value")
    [node] = tnds.decode(octets(answer.items[0]), **LIMITS)
    assert node == TndsNode(path="PkgID", value=b"x-1")


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("TNDS+Colour", DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED),
        ("TNDS+ACL-Value", DmStatus.BAD_REQUEST),
        ("Tree", DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED),
    ],
)
def test_a_list_that_cannot_be_is_refused(
    device: Device, attribute: str, expected: DmStatus
) -> None:
    assert device.codes(get(f"{X}?list={attribute}")) == [expected]


@pytest.mark.parametrize("attribute", ["Struct", "TNDS"])
@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("./SCOMO/Download/none", DmStatus.NOT_FOUND),
        ("./Inbox", DmStatus.COMMAND_NOT_ALLOWED),
        ("./Inbox/x/y", DmStatus.COMMAND_NOT_ALLOWED),
    ],
)
def test_a_list_is_refused_as_a_get_is(
    device: Device, uri: str, expected: DmStatus, attribute: str
) -> None:
    assert device.codes(get(f"{uri}?list={attribute}")) == [expected]


def test_a_list_that_the_server_does_not_take_is_too_large(device: Device) -> None:
    assert device.codes(get(".?list=TNDS")) == [DmStatus.ENTITY_TOO_LARGE]


@pytest.mark.parametrize("attribute", ["StructData", "TNDS"])
def test_a_list_beyond_our_limit_is_too_large(device: Device, attribute: str) -> None:
    executor = device.executor()
    executor.tree_commands.subtrees = SubtreeCommands(
        device.records.tree, server_id="srv", encoding=Encoding.XML,
        limits=Subtree(max_listed_bytes=2048),
    )  # fmt: skip
    with device.records.db.transaction():
        [status] = executor.tree_commands.execute("1", get(f"./SCOMO?list={attribute}"))
    assert isinstance(status, Status)
    assert status.code == DmStatus.ENTITY_TOO_LARGE


# Add, Replace


@pytest.mark.parametrize("syntax", Syntax)
def test_a_package_is_announced_with_one_add(device: Device, syntax: Syntax) -> None:
    assert code(device, Add, document(PACKAGE, syntax)) == DmStatus.OK
    tree = device.records.tree
    assert tree.value(f"{NEW}/PkgURL") == "https://h/new"
    assert tree.value(f"{NEW}/Status") == "10"
    assert tree.node(f"{NEW}/Operations/DownloadInstall") is not None


def test_elements_in_the_message_are_a_sub_tree_whatever_their_type(device: Device) -> None:
    written = tndswriter.encode(PACKAGE, Syntax.XML, max_bytes=9999)
    text = (
        '<SyncML xmlns="SYNCML:SYNCML1.2"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto>'
        "<SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>t</LocURI></Target>"
        "<Source><LocURI>s</LocURI></Source></SyncHdr><SyncBody><Add><CmdID>1</CmdID><Item>"
        "<Target><LocURI>./SCOMO/Download</LocURI></Target>"
        f"<Data>{written.decode()}</Data></Item></Add></SyncBody></SyncML>"
    )
    limits = codec.Limits(max_bytes=1 << 16, max_depth=32, max_elements=1000)
    message = codec.decode(text.encode(), Encoding.XML, limits)
    assert device.codes(*message.commands) == [DmStatus.OK]
    assert device.records.tree.value(f"{NEW}/PkgID") == "new-1"


def test_a_sub_tree_may_come_in_chunks(device: Device) -> None:
    long = TndsNode(path="new/InstallParams", format=Format.CHR, value=b"d" * 3000)
    whole = document([*PACKAGE, long])
    assert whole.data is not None
    assert whole.meta is not None
    executor = device.executor()
    pieces = [whole.data[:1500], whole.data[1500:]]
    found = []
    for number, piece in enumerate(pieces):
        meta = Meta(
            format=whole.meta.format,
            type=whole.meta.type,
            size=None if number else len(whole.data),
        )
        item = Item(target=whole.target, meta=meta, data=piece, more_data=not number)
        with device.records.db.transaction():
            answers = executor.tree_commands.execute("1", Add(cmd_id="1", items=(item,)))
        found += [each.code for each in answers if isinstance(each, Status)]
    assert found == [DmStatus.CHUNKED_ITEM_ACCEPTED, DmStatus.OK]
    assert device.records.tree.value(f"{NEW}/InstallParams") == "d" * 3000


def test_replace_makes_a_package_what_the_document_says(device: Device) -> None:
    url = TndsNode(path="PkgURL", format=Format.CHR, value=b"https://h/other")
    assert code(device, Replace, document([url], target=f"{X}/PkgURL")) == DmStatus.OK
    assert device.records.tree.value(f"{X}/PkgURL") == "https://h/other"


WRONG = TndsNode(path="new/Colour", format=Format.CHR, value=b"red")
BAD: dict[str, tuple[type[Add | Replace], Item, DmStatus]] = {
    "one node has no place": (Add, document([*PACKAGE, WRONG]), DmStatus.COMMAND_NOT_ALLOWED),
    "it exists": (
        Add, document([TndsNode(path="x", is_interior=True)]), DmStatus.ALREADY_EXISTS,
    ),
    "no such syntax": (
        Add, Item(target="./SCOMO/Download", meta=Meta(type=Syntax.XML), data=b"hello"),
        DmStatus.UNSUPPORTED_TYPE_OR_FORMAT,
    ),
    "cut off": (
        Add, Item(target="./SCOMO/Download", meta=Meta(type=Syntax.XML), data=b"<MgmtTree>"),
        DmStatus.BAD_REQUEST,
    ),
    "no data": (
        Add, Item(target="./SCOMO/Download", meta=Meta(type=Syntax.XML)),
        DmStatus.INCOMPLETE_COMMAND,
    ),
    "too deep": (
        Add, document([TndsNode(path="/".join("n" * 17))]), DmStatus.ENTITY_TOO_LARGE,
    ),
    "nothing to replace": (
        Replace,
        Item(target=NEW, meta=Meta(type=Syntax.XML),
             data=tndswriter.encode(PACKAGE, Syntax.XML, max_bytes=9999)),
        DmStatus.NOT_FOUND,
    ),
    "an object that has no place": (
        Add,
        Item(target="./Inbox", meta=Meta(type=Syntax.XML),
             data=tndswriter.encode(PACKAGE, Syntax.XML, max_bytes=9999)),
        DmStatus.COMMAND_NOT_ALLOWED,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "item", "expected"), BAD.values(), ids=BAD)
def test_a_sub_tree_that_fails_changes_nothing(
    device: Device, kind: type[Add | Replace], item: Item, expected: DmStatus
) -> None:
    before = device.picture()
    assert code(device, kind, item) == expected
    assert device.picture() == before


def test_the_type_of_the_command_counts_for_its_items(device: Device) -> None:
    item = document(PACKAGE)
    command = Add(cmd_id="1", meta=item.meta, items=(Item(target=item.target, data=item.data),))
    assert device.codes(command) == [DmStatus.OK]


def test_one_get_may_ask_for_a_value_and_a_list(device: Device) -> None:
    command = Get(cmd_id="1", items=(Item(target=f"{X}/PkgID"), Item(target=f"{X}?list=Struct")))
    status, value, *lists = device.answers(command)
    assert isinstance(status, Status)
    assert status.code == DmStatus.OK
    assert isinstance(value, Results)
    assert value.items[0].data == b"x-1"
    assert lists
