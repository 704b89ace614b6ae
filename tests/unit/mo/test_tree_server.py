# SPDX-License-Identifier: Apache-2.0
"""What a server gets for its commands: rows of omadm §7.3, §7.5 and §7.6."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.errors import (
    BadFormat,
    BadRequest,
    CommandError,
    DeviceFull,
    Forbidden,
    NodeExists,
    NodeNotFound,
    NotAllowed,
    NotSupported,
    PermissionDenied,
    TooLarge,
    UriTooLong,
)
from scomod.mo.handler import ExecRequest
from scomod.mo.reading import Reading
from scomod.mo.uri import UriLimits
from tests.support.trees import MONDAY_S, Bench, tree_bench

X = "./Toy/x"
OWNER_ONLY = "Add=A&Delete=A&Exec=A&Get=A&Replace=A"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as made:
        made.tree.put(f"{X}/Text", value="hello")
        yield made


def add(
    bench: Bench,
    uri: str,
    value: bytes | None = None,
    *,
    server: str = "A",
    form: str | None = None,
    kind: str | None = None,
) -> None:
    bench.tree.add(uri, server, format=form, type=kind, value=value)


def change(
    bench: Bench,
    uri: str,
    value: bytes | None,
    *,
    server: str = "A",
    form: str | None = None,
    kind: str | None = None,
) -> None:
    bench.tree.replace(uri, server, format=form, type=kind, value=value)


def paths(bench: Bench) -> list[str]:
    return bench.store.descendants(".")


# Get


@pytest.mark.spec("DM-TND 8.2.2")
def test_get_of_a_leaf_is_its_value_with_format_and_type(bench: Bench) -> None:
    reading = bench.tree.get("Toy/x/Text", "A")
    assert reading == Reading(uri="Toy/x/Text", format="chr", type="text/plain", value=b"hello")


@pytest.mark.spec("DM-TND 8.2.2.2")
def test_get_of_an_interior_node_lists_its_children(bench: Bench) -> None:
    add(bench, f"{X}/Number", b"1")
    reading = bench.tree.get(X, "A")
    assert (reading.format, reading.type) == ("node", "text/plain")
    assert reading.value == b"Number/Text"


@pytest.mark.spec("DM-TND 8.2.2.2")
def test_get_of_an_interior_node_without_children_is_empty(bench: Bench) -> None:
    add(bench, f"{X}/Few")
    assert bench.tree.get(f"{X}/Few", "A").value == b""


def test_get_of_a_computed_leaf_is_the_value_of_this_moment(bench: Bench) -> None:
    bench.toy.computed[f"{X}/Text"] = b"now it is this"
    assert bench.tree.get(f"{X}/Text", "A").value == b"now it is this"
    assert bench.tree.get(f"{X}/Text?prop=Size", "A").value == b"14"
    assert bench.tree.value(f"{X}/Text") == "now it is this"


@pytest.mark.spec("DM-TND 8.3.4")
def test_get_of_a_property_has_no_format_and_no_type(bench: Bench) -> None:
    expected = {
        "ACL": b"",
        "Format": b"chr",
        "Name": b"Text",
        "Size": b"5",
        "Title": b"",
        "TStamp": b"20231114T221320Z",
        "Type": b"text/plain",
        "VerNo": b"0",
    }
    for name, value in expected.items():
        reading = bench.tree.get(f"{X}/Text?prop={name}", "A")
        assert reading == Reading(uri=f"{X}/Text?prop={name}", format="", type="", value=value), (
            name
        )


@pytest.mark.spec("DM-TND 8.3.7.1.1")
def test_get_of_an_empty_acl_is_never_the_inherited_one(bench: Bench) -> None:
    assert bench.tree.get(f"{X}?prop=ACL", "A").value == b""
    assert bench.tree.get("./Toy?prop=ACL", "A").value == OWNER_ONLY.encode()


GET_ERRORS: list[tuple[str, str, type[CommandError]]] = [
    ("./Toy/none", "A", NodeNotFound),
    ("./Toy/none", "B", NodeNotFound),
    ("./Toy/x/Text", "B", PermissionDenied),
    ("./Toy/x/Text?prop=ACL", "B", PermissionDenied),
    ("./Toy/x/Text?prop=What", "A", NotSupported),
    ("./Toy/x?prop=Size", "A", NotSupported),
    ("./Toy/x?list=Struct", "A", NotSupported),
    ("./Toy/x?list=TNDS", "A", NotSupported),
    ("./Toy/x/Secret", "A", NotAllowed),
    ("./Toy/x/Secret?prop=Size", "A", NotAllowed),
    ("./Toy/x/", "A", BadRequest),
    ("./Toy/" + "x" * 200, "A", UriTooLong),
]


@pytest.mark.parametrize(("uri", "server", "error"), GET_ERRORS)
@pytest.mark.spec("DM-REP, omadm 7.3")
def test_get_that_fails(bench: Bench, uri: str, server: str, error: type[CommandError]) -> None:
    add(bench, f"{X}/Secret", b"hush")
    with pytest.raises(error):
        bench.tree.get(uri, server)


def test_acl_of_a_secret_can_be_read(bench: Bench) -> None:
    add(bench, f"{X}/Secret", b"hush")
    assert bench.tree.get(f"{X}/Secret?prop=ACL", "A").value == b""


# Add


def test_added_leaf_has_value_format_type_and_owner(bench: Bench) -> None:
    add(bench, f"{X}/Number", b"42", form="int", kind="text/plain")
    node = bench.tree.node(f"{X}/Number")
    assert node is not None
    assert (node.value, node.format, node.type) == (b"42", "int", "text/plain")
    assert (node.owner, node.acl, node.tstamp_s, node.verno) == ("A", "", MONDAY_S, 0)


def test_add_without_data_makes_an_empty_leaf(bench: Bench) -> None:
    add(bench, f"{X}/Now", form="null")
    assert bench.tree.get(f"{X}/Now", "A").value == b""


@pytest.mark.spec("DM-REP 4.1.6.1")
def test_add_makes_the_interior_nodes_on_the_way(bench: Bench) -> None:
    add(bench, "./Toy/new/Deep/Deeper/Leaf", b"v")
    assert bench.tree.value("./Toy/new/Deep/Deeper/Leaf") == "v"
    assert bench.toy.seen == [
        ("added", "./Toy/new", "A"),
        ("added", "./Toy/new/Deep", "A"),
        ("added", "./Toy/new/Deep/Deeper", "A"),
    ]


def test_explicit_interior_node_is_told_to_the_handler_too(bench: Bench) -> None:
    add(bench, "./Toy/new", form="node")
    assert bench.toy.seen == [("added", "./Toy/new", "A")]
    assert bench.tree.get("./Toy/new?prop=Format", "A").value == b"node"


@pytest.mark.spec("scomo 3.5 a")
def test_leaf_that_the_handler_made_with_its_parent_takes_the_value(bench: Bench) -> None:
    bench.toy.children_of_new["./Toy/new"] = "./Toy/new/Deep/Deeper/Leaf"
    add(bench, "./Toy/new/Deep/Deeper/Leaf", b"given")
    assert bench.tree.value("./Toy/new/Deep/Deeper/Leaf") == "given"


def test_base64_for_a_binary_leaf_is_decoded(bench: Bench) -> None:
    add(bench, f"{X}/Blob", b"AP8=", form="b64", kind="image/png")
    assert bench.tree.get(f"{X}/Blob", "A") == Reading(
        uri=f"{X}/Blob", format="bin", type="image/png", value=b"\x00\xff"
    )
    change(bench, f"{X}/Blob", b"\xff\xff", form="bin")
    assert bench.tree.get(f"{X}/Blob", "A").value == b"\xff\xff"
    assert bench.tree.get(f"{X}/Blob?prop=Type", "A").value == b"image/png"


def test_binary_leaf_without_a_type_has_the_general_one(bench: Bench) -> None:
    add(bench, f"{X}/Blob", b"\x00", form="bin")
    assert bench.tree.get(f"{X}/Blob", "A").type == "application/octet-stream"


def test_charset_in_the_type_is_no_difference(bench: Bench) -> None:
    add(bench, f"{X}/Few/1", b"v", kind="text/plain; charset=UTF-8")
    assert bench.tree.get(f"{X}/Few/1?prop=Type", "A").value == b"text/plain"


ADD_ERRORS: list[tuple[str, dict[str, str], bytes | None, type[CommandError]]] = [
    ("./Toy/x/Text", {}, b"", NodeExists),
    ("./Toy/x/Number", {"server": "B"}, b"1", PermissionDenied),
    ("./Toy/x/Text/Below", {}, b"", NotAllowed),
    ("./Toy/x/Unknown", {}, b"", NotAllowed),
    ("./Toy/x/Shown", {}, b"", NotAllowed),
    ("./Toy/Fixed", {}, b"", NotAllowed),
    ("./Elsewhere", {}, b"", NotAllowed),
    ("./DMAcc/new/ServerID", {}, b"me", NotAllowed),
    ("./Toy/x/Number?prop=ACL", {}, b"", NotAllowed),
    ("./Toy/x/Number", {}, b"one", BadFormat),
    ("./Toy/x/Number", {"form": "chr"}, b"1", BadFormat),
    ("./Toy/x/Number", {"form": "what"}, b"1", BadFormat),
    ("./Toy/x/Number", {"form": "node"}, None, BadFormat),
    ("./Toy/x/Number", {"kind": "image/png"}, b"1", BadFormat),
    ("./Toy/x/Blob", {"form": "b64"}, b"!", BadFormat),
    ("./Toy/new", {"form": "chr"}, None, BadFormat),
    ("./Toy/new", {}, b"value", BadFormat),
    ("./Toy/new/Few/1", {}, b"evil", Forbidden),
    ("./Toy/" + "/".join("x" * 17), {}, b"", UriTooLong),
]


@pytest.mark.parametrize(("uri", "extra", "value", "error"), ADD_ERRORS)
@pytest.mark.spec("DM-REP 4.1.6.1")
def test_add_that_fails_changes_nothing(
    bench: Bench, uri: str, extra: dict[str, str], value: bytes | None, error: type[CommandError]
) -> None:
    before = paths(bench)
    with pytest.raises(error):
        add(bench, uri, value, **extra)
    assert paths(bench) == before


def test_add_beyond_the_count_of_the_ddf_finds_the_device_full(bench: Bench) -> None:
    add(bench, f"{X}/Few/1", b"")
    add(bench, f"{X}/Few/2", b"")
    with pytest.raises(DeviceFull):
        add(bench, f"{X}/Few/3", b"")
    bench.tree.delete(f"{X}/Few/1", "A")
    add(bench, f"{X}/Few/3", b"")


# Replace


def test_replaced_leaf_counts_its_version_and_keeps_the_rest(bench: Bench) -> None:
    bench.tree.put(f"{X}/Text", acl="Get=*&Replace=A")
    bench.clock.now_s += 10
    change(bench, f"{X}/Text", b"new")
    node = bench.tree.node(f"{X}/Text")
    assert node is not None
    assert (node.value, node.verno, node.tstamp_s) == (b"new", 1, MONDAY_S + 10)
    assert node.acl == "Get=*&Replace=A"


def test_version_number_of_a_node_wraps_after_65536_changes(bench: Bench) -> None:
    bench.db.execute("UPDATE node SET verno = 65535 WHERE path = ?", (f"{X}/Text",))
    change(bench, f"{X}/Text", b"new")
    assert bench.tree.get(f"{X}/Text?prop=VerNo", "A").value == b"0"


REPLACE_ERRORS: list[tuple[str, dict[str, str], bytes, type[CommandError]]] = [
    ("./Toy/x/Number", {}, b"1", NodeNotFound),
    ("./Toy/x/Text", {"server": "B"}, b"", PermissionDenied),
    ("./Toy/x", {}, b"", NotAllowed),
    ("./Toy/x/Shown", {}, b"", NotAllowed),
    ("./Toy/x/Text?list=Struct", {}, b"", NotAllowed),
    ("./Toy/x/Text", {"form": "int"}, b"1", BadFormat),
    ("./Toy/x/Text", {"kind": "text/html"}, b"1", BadFormat),
    ("./Toy/x/Text", {}, b"\xff", BadFormat),
    ("./Toy/x/Text", {}, b"evil", Forbidden),
    ("./Toy/x/Text?prop=Format", {}, b"int", NotAllowed),
    ("./Toy/x/Text?prop=Type", {}, b"a/b", NotAllowed),
    ("./Toy/x/Text?prop=Size", {}, b"1", NotAllowed),
    ("./Toy/x/Text?prop=TStamp", {}, b"1", NotAllowed),
    ("./Toy/x/Text?prop=VerNo", {}, b"1", NotAllowed),
    ("./Toy/x/Text?prop=What", {}, b"1", NotSupported),
    ("./Toy/none?prop=Title", {}, b"1", NodeNotFound),
    ("./Toy/x/Text?prop=Title", {"server": "B"}, b"1", PermissionDenied),
    ("./Toy/x/Text?prop=Title", {}, b"\xff", BadFormat),
    ("./Toy/x/Text?prop=Title", {}, b"x" * 256, TooLarge),
]


@pytest.mark.parametrize(("uri", "extra", "value", "error"), REPLACE_ERRORS)
@pytest.mark.spec("DM-REP 4.1.6.11")
def test_replace_that_fails_changes_nothing(
    bench: Bench, uri: str, extra: dict[str, str], value: bytes, error: type[CommandError]
) -> None:
    bench.tree.put(f"{X}/Shown", value="fixed")
    before = [bench.tree.node(path) for path in paths(bench)]
    with pytest.raises(error):
        change(bench, uri, value, **extra)
    assert [bench.tree.node(path) for path in paths(bench)] == before


def test_title_is_replaced_without_a_new_version(bench: Bench) -> None:
    change(bench, f"{X}?prop=Title", "Gerät".encode())
    assert bench.tree.get(f"{X}?prop=Title", "A").value == "Gerät".encode()
    assert bench.tree.get(f"{X}?prop=VerNo", "A").value == b"0"


# Rename


def test_renamed_node_takes_its_children_and_acls_along(bench: Bench) -> None:
    bench.tree.put(X, acl=OWNER_ONLY)
    bench.tree.put("./Toy/xx/Text", value="a neighbour whose name begins alike")
    add(bench, f"{X}/Deep/Deeper/Leaf", b"v")
    change(bench, f"{X}?prop=Name", b"y-longer")
    assert bench.tree.children("./Toy") == ["xx", "y-longer"]
    assert bench.tree.value("./Toy/y-longer/Deep/Deeper/Leaf") == "v"
    assert bench.tree.children("./Toy/y-longer/Deep") == ["Deeper"]
    assert bench.tree.get("./Toy/y-longer?prop=ACL", "A").value == OWNER_ONLY.encode()
    assert bench.tree.get("./Toy/y-longer?prop=Name", "A").value == b"y-longer"
    assert bench.tree.node(X) is None


RENAME_ERRORS: list[tuple[str, bytes, str, type[CommandError]]] = [
    (X, b"taken", "A", NodeExists),
    (X, b"new", "B", PermissionDenied),
    (X, b"", "A", BadRequest),
    (X, b"a/b", "A", BadRequest),
    (X, b"..", "A", BadRequest),
    (X, b"Fixed", "A", NotAllowed),
    (X, b"n" * 129, "A", UriTooLong),
    (f"{X}/Text", b"Number", "A", NotAllowed),
    (f"{X}/Text", b"Else", "A", NotAllowed),
    ("./Toy/Holder", b"Other", "A", NotAllowed),
    ("./Toy", b"Other", "A", NotAllowed),
    (".", b"Other", "A", PermissionDenied),
    ("./Toy/busy", b"Other", "A", Forbidden),
]


@pytest.mark.parametrize(("path", "name", "server", "error"), RENAME_ERRORS)
@pytest.mark.spec("DM-TND 8.3.5.1")
def test_rename_that_fails_changes_nothing(
    bench: Bench, path: str, name: bytes, server: str, error: type[CommandError]
) -> None:
    for other in ("./Toy/taken", "./Toy/busy", "./Toy/Holder"):
        bench.tree.put(other)
    bench.toy.busy.add("./Toy/busy")
    before = paths(bench)
    with pytest.raises(error):
        change(bench, f"{path}?prop=Name", name, server=server)
    assert paths(bench) == before


def test_rename_to_the_same_name_is_no_conflict(bench: Bench) -> None:
    change(bench, f"{X}?prop=Name", b"x")
    assert bench.tree.value(f"{X}/Text") == "hello"


def test_rename_that_makes_a_descendant_too_long_is_refused(tmp_path: Path) -> None:
    with tree_bench(tmp_path, UriLimits(max_total_chars=140)) as bench:
        bench.tree.put("./Toy/z/Few/" + "s" * 120, value="")
        change(bench, "./Toy/z?prop=Name", b"zz")
        with pytest.raises(UriTooLong):
            change(bench, "./Toy/zz?prop=Name", b"n" * 20)


# Delete


def test_delete_takes_the_whole_subtree_and_nothing_else(bench: Bench) -> None:
    for name in ("x/Deep/Deeper/Leaf", "x.y/Text", "x-y/Text", "x0/Text", "xx/Text"):
        bench.tree.put(f"./Toy/{name}", value="")
    bench.tree.delete(X, "A")
    assert bench.tree.children("./Toy") == ["x-y", "x.y", "x0", "xx"]
    assert not [path for path in paths(bench) if path.startswith(f"{X}/")]
    assert bench.toy.seen == [("deleted", X)]


DELETE_ERRORS: list[tuple[str, str, type[CommandError]]] = [
    ("./Toy/none", "A", NodeNotFound),
    (X, "B", PermissionDenied),
    (f"{X}/Secret", "A", NotAllowed),
    ("./Toy", "A", NotAllowed),
    (".", "A", PermissionDenied),
    ("./Toy/Holder", "A", NotAllowed),
    ("./Toy/Fixed", "A", NotAllowed),
    ("./Toy/busy", "A", Forbidden),
    (f"{X}?prop=ACL", "A", NotAllowed),
]


@pytest.mark.parametrize(("uri", "server", "error"), DELETE_ERRORS)
@pytest.mark.spec("DM-REP 4.1.6.5")
def test_delete_that_fails_deletes_nothing(
    bench: Bench, uri: str, server: str, error: type[CommandError]
) -> None:
    for path in (f"{X}/Secret", "./Toy/Holder/Fixed", "./Toy/Holder/Leaf", "./Toy/Fixed"):
        bench.tree.put(path, value="")
    bench.tree.put("./Toy/busy")
    bench.toy.busy.add("./Toy/busy")
    before = paths(bench)
    with pytest.raises(error):
        bench.tree.delete(uri, server)
    assert paths(bench) == before


def test_root_is_not_deleted_even_by_who_has_the_right(bench: Bench) -> None:
    bench.tree.put(".", acl="Add=*&Delete=A&Get=*")
    with pytest.raises(NotAllowed):
        bench.tree.delete(".", "A")


@pytest.mark.spec("DM-TND 8.2.2.5")
def test_missing_delete_access_does_not_protect_from_the_delete_of_an_ancestor(
    bench: Bench,
) -> None:
    bench.tree.put(f"{X}/Secret", value="hush")
    bench.tree.delete(X, "A")
    assert bench.tree.node(f"{X}/Secret") is None


# Copy


def test_copied_leaf_lives_on_its_own(bench: Bench) -> None:
    bench.tree.copy(f"{X}/Few/1", f"{X}/Text", "A")
    change(bench, f"{X}/Text", b"later")
    assert bench.tree.value(f"{X}/Few/1") == "hello"


def test_copy_onto_an_existing_leaf_replaces_it(bench: Bench) -> None:
    add(bench, f"{X}/Few/1", b"old")
    bench.tree.copy(f"{X}/Few/1", f"{X}/Text", "A")
    assert bench.tree.value(f"{X}/Few/1") == "hello"


COPY_ERRORS: list[tuple[str, str, str, type[CommandError]]] = [
    ("./Toy/x/Few/1", "./Toy/none", "A", NodeNotFound),
    ("./Toy/x/Few/1", "./Toy/x/Text", "B", PermissionDenied),
    ("./Toy/x/Few/1", "./Toy/x/Shared", "A", NodeNotFound),
    ("./Toy/y", "./Toy/x", "A", NotAllowed),
    ("./Toy/x/Few/1", "./Toy/x/Shown", "A", NotAllowed),
    ("./Toy/x/Few/1", "./Toy/x/Secret", "A", NotAllowed),
    ("./Toy/x/Shown", "./Toy/x/Text", "A", NotAllowed),
    ("./Toy/x/Number", "./Toy/x/Text", "A", BadFormat),
    ("./Toy/x/Few/1?prop=ACL", "./Toy/x/Text", "A", NotAllowed),
]


@pytest.mark.parametrize(("target", "source", "server", "error"), COPY_ERRORS)
def test_copy_that_fails_changes_nothing(
    bench: Bench, target: str, source: str, server: str, error: type[CommandError]
) -> None:
    bench.tree.put(f"{X}/Secret", value="hush")
    bench.tree.put(f"{X}/Shown", value="fixed")
    before = paths(bench)
    with pytest.raises(error):
        bench.tree.copy(target, source, server)
    assert paths(bench) == before


def test_copy_needs_a_right_on_both_sides(bench: Bench) -> None:
    bench.tree.put(f"{X}/Text", acl="Get=B")
    with pytest.raises(PermissionDenied):
        bench.tree.copy(f"{X}/Few/1", f"{X}/Text", "B")
    bench.tree.put(f"{X}/Few", acl="Add=B")
    bench.tree.copy(f"{X}/Few/1", f"{X}/Text", "B")
    with pytest.raises(PermissionDenied):
        bench.tree.copy(f"{X}/Few/1", f"{X}/Text", "B")


# Exec


def test_exec_reaches_the_handler_with_its_correlator(bench: Bench) -> None:
    request = ExecRequest(server_id="A", correlator="c-1", data=b"d")
    bench.tree.put(f"{X}/Now")
    bench.tree.put(f"{X}/Later")
    assert bench.tree.execute(f"{X}/Now", request) is True
    assert bench.tree.execute(f"{X}/Later", request) is False
    assert bench.toy.requests == [request, request]


EXEC_ERRORS: list[tuple[str, str, type[CommandError]]] = [
    (f"{X}/Later", "A", NodeNotFound),
    (f"{X}/Text", "B", PermissionDenied),
    (f"{X}/Shown", "A", NotAllowed),
    (f"{X}/Text?prop=ACL", "A", NotAllowed),
    ("./DevInfo/Man", "A", NotAllowed),
]


@pytest.mark.parametrize(("uri", "server", "error"), EXEC_ERRORS)
def test_exec_that_fails_reaches_no_handler(
    bench: Bench, uri: str, server: str, error: type[CommandError]
) -> None:
    bench.tree.put(f"{X}/Shown", value="")
    bench.tree.put("./DevInfo/Man", value="", acl="Exec=A")
    with pytest.raises(error):
        bench.tree.execute(uri, ExecRequest(server_id=server))
    assert bench.toy.requests == []


def test_object_that_executes_nothing_answers_not_allowed(bench: Bench) -> None:
    path = "./SCOMO/Download/x/Operations/Download"
    bench.tree.put(path, acl="Exec=A")
    with pytest.raises(NotAllowed):
        bench.tree.execute(path, ExecRequest(server_id="A"))
