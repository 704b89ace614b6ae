# SPDX-License-Identifier: Apache-2.0
"""./Inbox: objects go where they belong, by their identifier (omadm §8.4)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.codes import MO_DMACC, MO_W7
from scomod.errors import (
    BadRequest,
    CommandError,
    NodeExists,
    NotAllowed,
    PermissionDenied,
)
from scomod.mo import dmacc, inbox, placing
from scomod.mo.node import Format, Property
from scomod.mo.registry import DMACC_ROOT, INBOX_ROOT
from scomod.mo.tnds import TndsNode
from tests.support.trees import Bench, tree_bench

LEAVES = {
    "AppID": b"w7",
    "ServerID": b"com.example.dm",
    "Name": b"Example",
    "PrefConRef": b"./Inbox/NAP/X",
    "AppAddr/1/Addr": b"https://dm.example/dm",
    "AppAddr/1/AddrType": b"URI",
    "AppAuth/1/AAuthLevel": b"CLCRED",
    "AppAuth/1/AAuthType": b"DIGEST",
    "AppAuth/1/AAuthName": b"device",
    "AppAuth/1/AAuthSecret": b"secret",
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as made:
        made.registry.register(INBOX_ROOT, inbox.Inbox(made.tree))
        made.registry.register(DMACC_ROOT, dmacc.DmAcc(made.tree))
        dmacc.install(made.tree)
        inbox.install(made.tree, ["*"])
        yield made


def account(
    name: str = "OperatorX", kind: str = MO_DMACC, acl: str = "", **changes: bytes | None
) -> list[TndsNode]:
    values = {path: changes.get(path.rpartition("/")[2], value) for path, value in LEAVES.items()}
    properties = ((Property.ACL, acl),) if acl else ()
    top = TndsNode(
        path=name, is_interior=True, format=Format.NODE, type=kind, properties=properties
    )
    return [top] + [
        TndsNode(path=f"{name}/{path}" if name else path, format=Format.CHR, value=value)
        for path, value in values.items()
        if value is not None
    ]


def send(bench: Bench, document: list[TndsNode], uri: str = INBOX_ROOT) -> None:
    with bench.db.savepoint():
        bench.tree.add_tnds(uri, "A", document)


@pytest.mark.parametrize("kind", [MO_DMACC, MO_W7])
def test_an_account_becomes_one_of_ours(bench: Bench, kind: str) -> None:
    send(bench, account(kind=kind))
    made = dmacc.by_server(bench.tree, "com.example.dm")
    assert made is not None
    assert (made.name, made.address) == ("Example", "https://dm.example/dm")
    assert made.client is not None
    assert made.client.secret.reveal() == "secret"
    assert bench.tree.children(INBOX_ROOT) == []


@pytest.mark.parametrize("name", ["?0", ""])
def test_an_account_without_a_name_is_named_by_its_server(bench: Bench, name: str) -> None:
    document = account(name)
    if not name:
        document = [TndsNode(path=node.path.lstrip("/"), type=node.type, value=node.value,
                             is_interior=node.is_interior) for node in document]  # fmt: skip
    send(bench, document)
    assert bench.tree.children(DMACC_ROOT) == ["com.example.dm"]


def test_a_name_that_is_given_is_kept(bench: Bench) -> None:
    send(bench, account("OperatorX"))
    assert bench.tree.children(DMACC_ROOT) == ["OperatorX"]


def test_paths_from_the_root_on_are_understood(bench: Bench) -> None:
    send(bench, account("Inbox/OperatorX"))
    assert bench.tree.children(DMACC_ROOT) == ["OperatorX"]


def test_an_object_without_a_name_may_be_sent_to_any_address(bench: Bench) -> None:
    send(bench, account("?0"), "./Toy")
    assert bench.tree.children(DMACC_ROOT) == ["com.example.dm"]


def test_the_account_belongs_to_its_server(bench: Bench) -> None:
    send(bench, account())
    assert bench.tree.get(f"{DMACC_ROOT}/OperatorX/Name", "com.example.dm").value == b"Example"


def test_an_acl_of_the_document_counts(bench: Bench) -> None:
    send(bench, account(acl="Get=A"))
    node = bench.tree.node(f"{DMACC_ROOT}/OperatorX")
    assert node is not None
    assert node.acl == "Get=A"


def test_references_to_an_object_of_the_document_follow_it(bench: Bench) -> None:
    document = [*account("One", PrefConRef=b"./Inbox/Two/AppAddr"),
                *account("Two", ServerID=b"other", PrefConRef=None)]  # fmt: skip
    send(bench, document)
    assert bench.tree.value(f"{DMACC_ROOT}/One/PrefConRef") == f"{DMACC_ROOT}/Two/AppAddr"


REFUSED: dict[str, tuple[list[TndsNode], type[CommandError]]] = {
    "unknown object": (account(kind="com.example/1.0/Thing"), NotAllowed),
    "no identifier": (account(kind=""), NotAllowed),
    "no server": (account(ServerID=None), BadRequest),
    "no address": (account(Addr=None), BadRequest),
    "one of two": ([*account("a"), *account("b", kind="x")], NotAllowed),
    "same server twice": ([*account("a"), *account("b")], NodeExists),
}


@pytest.mark.parametrize(("document", "error"), REFUSED.values(), ids=REFUSED)
def test_what_has_no_place_leaves_nothing_behind(
    bench: Bench, document: list[TndsNode], error: type[CommandError]
) -> None:
    with pytest.raises(error):
        send(bench, document)
    assert dmacc.accounts(bench.tree) == []
    assert bench.tree.children(DMACC_ROOT) == []


def test_a_server_cannot_take_the_place_of_another_account(bench: Bench) -> None:
    send(bench, account())
    with pytest.raises(NodeExists):
        send(bench, account("Other", AAuthSecret=b"mine"))
    made = dmacc.by_server(bench.tree, "com.example.dm")
    assert made is not None
    assert made.client is not None
    assert made.client.secret.reveal() == "secret"


@pytest.mark.parametrize(
    "uri", [INBOX_ROOT, f"{INBOX_ROOT}/x", f"{INBOX_ROOT}?prop=ACL", f"{INBOX_ROOT}/x/y?prop=Name"]
)
def test_nothing_can_be_read_there(bench: Bench, uri: str) -> None:
    with pytest.raises(NotAllowed):
        bench.tree.get(uri, "A")


@pytest.mark.parametrize("uri", [INBOX_ROOT, f"{INBOX_ROOT}/x"])
def test_nothing_can_be_listed_there(bench: Bench, uri: str) -> None:
    with pytest.raises(NotAllowed):
        bench.tree.listing(uri, "A")
    assert INBOX_ROOT not in [node.path for node in bench.tree.listing(".", "A")]


def test_a_plain_node_has_no_place_there(bench: Bench) -> None:
    with pytest.raises(NotAllowed):
        bench.tree.add(f"{INBOX_ROOT}/x", "A", format=None, type=None, value=b"")


@pytest.mark.parametrize("servers", [[], ["B"], ["B", "C"]])
def test_only_the_servers_of_its_acl_may_use_it(bench: Bench, servers: list[str]) -> None:
    inbox.install(bench.tree, servers)
    with pytest.raises(PermissionDenied):
        send(bench, account())


# Bootstrap


def test_bootstrap_passes_over_objects_that_have_no_place(bench: Bench) -> None:
    inbox.install(bench.tree, [])
    document = [*account("NAP", kind="com.example/1.0/NAP"), *account()]
    assert placing.place(bench.tree, document) == [f"{DMACC_ROOT}/OperatorX"]
    assert bench.tree.value(f"{DMACC_ROOT}/OperatorX/PrefConRef") == "./Inbox/NAP/X"


def test_bootstrap_replaces_the_account_of_the_same_server(bench: Bench) -> None:
    placing.place(bench.tree, account())
    placing.place(bench.tree, account("New", AAuthSecret=b"new"))
    [made] = dmacc.accounts(bench.tree)
    assert made.client is not None
    assert (made.key, made.client.secret.reveal()) == ("New", "new")
