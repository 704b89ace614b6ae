# SPDX-License-Identifier: Apache-2.0
"""Whole sub-trees added and replaced: as node by node, or not at all (omadm §7.6)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.errors import (
    BadFormat,
    BadRequest,
    DeviceFull,
    Forbidden,
    NodeExists,
    NodeNotFound,
    NotAllowed,
    PermissionDenied,
    TooLarge,
    UriTooLong,
)
from scomod.mo.node import Format, Property
from scomod.mo.tnds import TndsNode, described, selection
from tests.support.trees import Bench, tree_bench

X = "./Toy/x"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as made:
        made.tree.put(f"{X}/Text", value="hello")
        yield made


def inner(path: str, acl: str | None = None, title: str | None = None) -> TndsNode:
    return TndsNode(
        path=path, is_interior=True, format=Format.NODE, type="", properties=extras(acl, title)
    )


def leaf(
    path: str,
    value: bytes | None,
    form: Format | None = Format.CHR,
    *,
    kind: str | None = None,
    acl: str | None = None,
    title: str | None = None,
) -> TndsNode:
    is_binary = form is Format.BIN
    return TndsNode(
        path=path, format=form, type=kind, value=value, is_binary=is_binary,
        properties=extras(acl, title),
    )  # fmt: skip


def extras(acl: str | None, title: str | None) -> tuple[tuple[Property, str], ...]:
    given = ((Property.ACL, acl), (Property.TITLE, title))
    return tuple((prop, text) for prop, text in given if text is not None)


def add(bench: Bench, uri: str, *nodes: TndsNode, server: str = "A") -> None:
    with bench.db.savepoint():
        bench.tree.add_tnds(uri, server, nodes)


def replace(bench: Bench, uri: str, *nodes: TndsNode, server: str = "A") -> None:
    with bench.db.savepoint():
        bench.tree.replace_tnds(uri, server, nodes)


def leaves(bench: Bench, path: str) -> dict[str, bytes | None]:
    found = (bench.store.get(each) for each in bench.store.descendants(path))
    return {node.path.removeprefix(path): node.value for node in found if node and node.value}


def everything(bench: Bench) -> list[object]:
    return [bench.store.get(path) for path in bench.store.descendants(".")]


NEW = (inner("n"), leaf("n/Text", b"hi"), leaf("n/Number", b"7", Format.INT), inner("n/Deep"))


# Add


def test_nodes_are_made_below_the_target(bench: Bench) -> None:
    add(bench, "./Toy", *NEW)
    assert leaves(bench, "./Toy/n") == {"/Text": b"hi", "/Number": b"7"}
    assert bench.tree.children("./Toy/n") == ["Deep", "Number", "Text"]


def test_an_empty_name_makes_the_target_itself(bench: Bench) -> None:
    add(bench, "./Toy/n", inner(""), leaf("Text", b"hi"))
    assert leaves(bench, "./Toy/n") == {"/Text": b"hi"}


def test_the_answer_to_a_get_can_be_added_where_it_came_from(bench: Bench) -> None:
    document = [described(node, X, selection("TNDS")) for node in bench.tree.listing(X, "A")]
    before = leaves(bench, X)
    bench.tree.delete(X, "A")
    add(bench, X, *document)
    assert leaves(bench, X) == before


def test_the_handler_hears_of_each_new_interior_node(bench: Bench) -> None:
    add(bench, "./Toy", *NEW)
    assert [seen[1] for seen in bench.toy.seen] == ["./Toy/n", "./Toy/n/Deep"]


def test_what_the_handler_makes_with_a_new_node_only_gets_its_value(bench: Bench) -> None:
    bench.toy.children_of_new["./Toy/n"] = "./Toy/n/Text"
    add(bench, "./Toy", *NEW)
    assert bench.tree.value("./Toy/n/Text") == "hi"


def test_parents_that_the_document_leaves_out_are_made(bench: Bench) -> None:
    add(bench, "./Toy", leaf("n/Deep/Deeper/Leaf", b"x"))
    assert bench.tree.value("./Toy/n/Deep/Deeper/Leaf") == "x"


def test_a_leaf_without_a_value_is_empty(bench: Bench) -> None:
    add(bench, "./Toy", inner("n"), leaf("n/Text", None))
    assert bench.tree.value("./Toy/n/Text") == ""


@pytest.mark.parametrize(
    ("value", "form", "stored"),
    [
        (b"\0\xff", Format.BIN, b"\0\xff"),
        (b"AP8=", Format.B64, b"\0\xff"),
        (b"AP8=", None, b"\0\xff"),
        (b"\0\xff", None, b"\0\xff"),
    ],
)
def test_binary_values_come_as_octets_or_as_base64(
    bench: Bench, value: bytes, form: Format | None, stored: bytes
) -> None:
    add(bench, "./Toy", inner("n"), leaf("n/Blob", value, form, kind="image/png"))
    node = bench.tree.node("./Toy/n/Blob")
    assert node is not None
    assert (node.value, node.type) == (stored, "image/png")


def test_without_a_format_the_definition_tells_it(bench: Bench) -> None:
    add(bench, "./Toy", TndsNode(path="n", is_interior=True), leaf("n/Number", b"7", None))
    node = bench.tree.node("./Toy/n/Number")
    assert node is not None
    assert node.format is Format.INT


def test_acls_and_titles_come_along(bench: Bench) -> None:
    add(bench, "./Toy", inner("n", acl="Get=B"), leaf("n/Text", b"hi", acl="Get=C", title="Hello"))
    node, text = bench.tree.node("./Toy/n"), bench.tree.node("./Toy/n/Text")
    assert node is not None
    assert text is not None
    assert (node.acl, text.acl, text.title) == ("Get=B", "Get=C", "Hello")


def test_an_acl_may_take_every_right_from_who_sets_it(bench: Bench) -> None:
    add(bench, "./Toy", inner("n", acl="Get=B"), inner("n/Deep", acl="Get=B"))
    with pytest.raises(PermissionDenied):
        bench.tree.get("./Toy/n", "A")


def test_an_acl_needs_the_right_that_a_replace_of_it_needs(bench: Bench) -> None:
    bench.tree.put(X, acl="Add=B&Get=B")
    with pytest.raises(PermissionDenied):
        add(bench, X, leaf("Number", b"1", Format.INT, acl="Get=*"), server="B")
    assert bench.tree.node(f"{X}/Number") is None


def test_who_adds_an_interior_node_may_say_its_acl_and_titles(bench: Bench) -> None:
    bench.tree.put("./Toy", acl="Add=B")
    add(bench, "./Toy", inner("n", acl="Get=*", title="N"), leaf("n/Text", b"1"), server="B")
    node = bench.tree.node("./Toy/n")
    assert node is not None
    assert (node.acl, node.title) == ("Get=*", "N")


def test_a_title_of_a_new_leaf_needs_no_more_than_to_add_it(bench: Bench) -> None:
    bench.tree.put(X, acl="Add=B")
    add(bench, X, leaf("Number", b"1", Format.INT, title="One"), server="B")
    node = bench.tree.node(f"{X}/Number")
    assert node is not None
    assert node.title == "One"


DEEP = "n/Deep/Deeper/Leaf"
FAILING = {
    "exists": (X, (leaf("Number", b"1", Format.INT), leaf("Text", b"new")), NodeExists),
    "the target exists": (X, (inner(""),), NodeExists),
    "no such place": ("./Toy", (*NEW, leaf("n/Wrong", b"")), NotAllowed),
    "no Add": ("./Toy", (*NEW, leaf("n/Shown", b"")), NotAllowed),
    "permanent": ("./Toy", (*NEW, leaf("Fixed", b"")), NotAllowed),
    "format": ("./Toy", (*NEW, leaf("n/Blob", b"x", Format.INT)), BadFormat),
    "an interior node as leaf": ("./Toy", (leaf("n", b"x"),), BadFormat),
    "a leaf as interior node": ("./Toy", (inner("n"), inner("n/Text")), BadFormat),
    "value": ("./Toy", (*NEW[:2], leaf("n/Number", b"seven", Format.INT)), BadFormat),
    "type": ("./Toy", (inner("n"), leaf("n/Text", b"", kind="image/png")), BadFormat),
    "handler": ("./Toy", (inner("n"), leaf("n/Text", b"evil")), Forbidden),
    "title": ("./Toy", (inner("n", title="t" * 256),), TooLarge),
    "acl": ("./Toy", (inner("n", acl="Eat=*"),), BadRequest),
    "twice": ("./Toy", (*NEW, inner("n")), BadRequest),
    "full": (X, tuple(leaf(f"Few/{n}", b"") for n in "abc"), DeviceFull),
    "long": ("./Toy", (inner("n" * 129),), UriTooLong),
    "below a leaf": (f"{X}/Text", (leaf("x", b""),), NotAllowed),
    "by the first": ("./Toy", (leaf("n/Wrong", b""), leaf("x/Text", b"")), NotAllowed),
}


@pytest.mark.parametrize(("uri", "nodes", "error"), FAILING.values(), ids=FAILING)
def test_one_node_that_fails_leaves_nothing_behind(
    bench: Bench, uri: str, nodes: tuple[TndsNode, ...], error: type[Exception]
) -> None:
    before = everything(bench)
    with pytest.raises(error):
        add(bench, uri, *nodes)
    assert everything(bench) == before


def test_the_right_to_add_is_judged_for_each_node(bench: Bench) -> None:
    bench.tree.put("./Toy", acl="Add=A+B")
    bench.tree.put(X, acl="Add=A")
    with pytest.raises(PermissionDenied):
        add(bench, "./Toy", inner("n"), leaf("x/Number", b"1", Format.INT), server="B")
    assert bench.tree.node("./Toy/n") is None


# Replace


def test_the_document_is_what_is_there_afterwards(bench: Bench) -> None:
    bench.tree.put(f"{X}/Number", value="1")
    bench.tree.put(f"{X}/Deep/Deeper/Leaf", value="old")
    bench.tree.put(f"{X}/Few/a", value="old")
    replace(bench, X, inner("x"), leaf("x/Text", b"new"), leaf("x/Few/b", b"new"))
    assert leaves(bench, X) == {"/Text": b"new", "/Few/b": b"new"}
    assert bench.tree.children(X) == ["Few", "Text"]


def test_only_what_changes_is_written(bench: Bench) -> None:
    before = bench.tree.node(f"{X}/Text")
    bench.clock.now_s += 60
    replace(bench, X, inner(""), leaf("Text", b"hello"), leaf("Number", b"1", Format.INT))
    assert bench.tree.node(f"{X}/Text") == before


def test_a_document_without_the_target_replaces_what_is_below_it(bench: Bench) -> None:
    replace(bench, X, leaf("Number", b"1", Format.INT))
    assert leaves(bench, X) == {"/Number": b"1"}


def test_a_leaf_alone_can_be_replaced(bench: Bench) -> None:
    replace(bench, f"{X}/Text", leaf("Text", b"new"))
    assert bench.tree.value(f"{X}/Text") == "new"


def test_permanent_nodes_stay(bench: Bench) -> None:
    bench.tree.put("./Toy/Fixed", value="stays")
    replace(bench, "./Toy", inner("y"))
    assert bench.tree.children("./Toy") == ["Fixed", "y"]


def test_a_node_that_holds_a_permanent_one_cannot_go(bench: Bench) -> None:
    bench.tree.put("./Toy/Holder/Fixed", value="stays")
    with pytest.raises(NotAllowed):
        replace(bench, "./Toy", inner("x"), leaf("x/Text", b"new"))
    assert bench.tree.value(f"{X}/Text") == "hello"


def test_what_the_document_does_not_say_of_a_node_stays(bench: Bench) -> None:
    bench.tree.put(f"{X}/Text", acl="Get=A&Replace=A")
    bench.tree.replace(f"{X}/Text?prop=Title", "A", format=None, type=None, value=b"T")
    replace(bench, X, leaf("Text", None))
    node = bench.tree.node(f"{X}/Text")
    assert node is not None
    assert (node.value, node.acl, node.title) == (b"hello", "Get=A&Replace=A", "T")


def test_an_empty_acl_inherits_again(bench: Bench) -> None:
    bench.tree.put(f"{X}/Text", acl="Get=A")
    replace(bench, X, leaf("Text", b"hello", acl=""))
    node = bench.tree.node(f"{X}/Text")
    assert node is not None
    assert node.acl == ""


def test_a_leaf_that_says_so_already_needs_no_right(bench: Bench) -> None:
    bench.tree.put(f"{X}/Shown", value="fixed")
    replace(bench, X, leaf("Text", b"new"), leaf("Shown", b"fixed"))
    assert bench.tree.value(f"{X}/Text") == "new"
    with pytest.raises(NotAllowed):
        replace(bench, X, leaf("Text", b"new"), leaf("Shown", b"changed"))


def test_a_secret_cannot_be_guessed_by_replacing_it(bench: Bench) -> None:
    """A guess is written or refused: it never passes because it is right."""
    bench.tree.put(f"{X}/Secret", value="s3cret", acl="Add=A&Delete=A")
    for guess in (b"s3cret", b"wrong"):
        with pytest.raises(PermissionDenied):
            replace(bench, X, leaf("Secret", guess), leaf("Text", b"hello"))


REPLACE_FAILING = {
    "missing": ("./Toy/none", (inner("none"),), "A", NodeNotFound),
    "no right": (X, (inner("x"),), "B", PermissionDenied),
    "no access": ("./Toy/z/Shown", (leaf("Shown", b"new"),), "A", NotAllowed),
    "interior as leaf": (X, (leaf("x", b"x"),), "A", BadFormat),
    "leaf as interior": (X, (inner("x"), inner("x/Text")), "A", BadFormat),
    "value": (X, (leaf("Text", b"ok"), leaf("Number", b"x", Format.INT)), "A", BadFormat),
    "handler": (X, (leaf("Number", b"1", Format.INT), leaf("Text", b"evil")), "A", Forbidden),
    "no delete": ("./Toy/z", (leaf("Text", b"new"),), "A", NotAllowed),
}


@pytest.mark.parametrize(
    ("uri", "nodes", "server", "error"), REPLACE_FAILING.values(), ids=REPLACE_FAILING
)
def test_a_replace_that_fails_changes_nothing(
    bench: Bench, uri: str, nodes: tuple[TndsNode, ...], server: str, error: type[Exception]
) -> None:
    bench.tree.put("./Toy/z/Shown", value="s")
    before = everything(bench)
    with pytest.raises(error):
        replace(bench, uri, *nodes, server=server)
    assert everything(bench) == before


def test_what_is_in_use_cannot_go(bench: Bench) -> None:
    bench.tree.put(f"{X}/Deep/Deeper/Leaf", value="x")
    bench.toy.busy.add(f"{X}/Deep")
    with pytest.raises(Forbidden):
        replace(bench, X, leaf("Text", b"new"))
    assert bench.tree.value(f"{X}/Deep/Deeper/Leaf") == "x"


def test_the_right_to_delete_is_judged_for_what_goes(bench: Bench) -> None:
    bench.tree.put(f"{X}/Number", value="1", acl="Get=A")
    with pytest.raises(PermissionDenied):
        replace(bench, X, leaf("Text", b"new"))
    assert bench.tree.value(f"{X}/Text") == "hello"
