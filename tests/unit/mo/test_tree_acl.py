# SPDX-License-Identifier: Apache-2.0
"""Rights in the tree (omadm §7.4): who may change an ACL, who owns what it added."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.errors import BadRequest, NotAllowed, PermissionDenied
from scomod.mo.tree import Tree
from tests.support.trees import Bench, tree_bench

X = "./Toy/x"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as made:
        yield made


def set_acl(tree: Tree, path: str, acl: str, server: str) -> None:
    tree.replace(f"{path}?prop=ACL", server, format=None, type=None, value=acl.encode())


def own_acl(tree: Tree, path: str) -> str:
    node = tree.node(path)
    assert node is not None
    return node.acl


@pytest.fixture
def sample(bench: Bench) -> Tree:
    """The self-check tree of the standard, in the shape that the toy object allows.

    NodeA is Toy/a with its leaf Text, NodeB is Toy/b, Node3 its Few with leaves 4 and 5.
    """
    tree = bench.tree
    tree.put("./Toy", acl="Add=*&Get=*")
    tree.put("./Toy/a", acl="Get=C&Replace=C")
    tree.put("./Toy/a/Text", value="1", acl="Get=*")
    tree.put("./Toy/b", acl="Get=A&Replace=A")
    tree.put("./Toy/b/Few", acl="Get=B&Replace=B&Delete=B")
    tree.put("./Toy/b/Few/4", value="4")
    tree.put("./Toy/b/Few/5", value="5", acl="Get=A&Replace=A&Get=B")
    return tree


@pytest.mark.spec("DM-TND 8.3.7.1.6")
def test_everyone_may_get_node1(sample: Tree) -> None:
    for server in "ABCX":
        assert sample.get("./Toy/a/Text", server).value == b"1"


@pytest.mark.spec("DM-TND 8.3.7.1.6")
def test_only_c_may_change_the_acl_of_node1(sample: Tree) -> None:
    for server in "ABX":
        with pytest.raises(PermissionDenied):
            set_acl(sample, "./Toy/a/Text", "Get=*", server)
    set_acl(sample, "./Toy/a/Text", "Get=X", "C")
    assert own_acl(sample, "./Toy/a/Text") == "Get=X"


@pytest.mark.spec("DM-TND 8.3.7.1.6")
def test_nobody_may_delete_node1_or_replace_its_value(sample: Tree) -> None:
    for server in "ABCX":
        with pytest.raises(PermissionDenied):
            sample.delete("./Toy/a/Text", server)
        with pytest.raises(PermissionDenied):
            sample.replace("./Toy/a/Text", server, format=None, type=None, value=b"2")


@pytest.mark.spec("DM-TND 8.3.7.1.6")
def test_acl_of_node4_is_empty_though_it_inherits(sample: Tree) -> None:
    assert sample.get("./Toy/b/Few/4?prop=ACL", "B").value == b""
    with pytest.raises(PermissionDenied):
        sample.get("./Toy/b/Few/4?prop=ACL", "A")


@pytest.mark.spec("DM-TND 8.3.7.1.6")
def test_a_may_replace_node5(sample: Tree) -> None:
    sample.replace("./Toy/b/Few/5", "A", format=None, type=None, value=b"new")
    assert sample.value("./Toy/b/Few/5") == "new"


@pytest.mark.spec("DM-TND 8.3.7.1.3")
def test_right_on_the_parent_gives_no_access_to_the_value_of_the_child(sample: Tree) -> None:
    with pytest.raises(PermissionDenied):
        sample.replace("./Toy/a/Text", "C", format=None, type=None, value=b"2")
    set_acl(sample, "./Toy/a/Text", "Replace=C", "C")
    sample.replace("./Toy/a/Text", "C", format=None, type=None, value=b"2")


@pytest.mark.spec("DM-TND 8.3.7.1.3")
def test_acl_of_an_interior_node_is_changed_by_a_right_on_it_or_on_its_parent(
    bench: Bench,
) -> None:
    bench.tree.put("./Toy", acl="Replace=P")
    bench.tree.put(X, acl="Replace=N")
    with pytest.raises(PermissionDenied):
        set_acl(bench.tree, X, "Get=*", "other")
    set_acl(bench.tree, X, "Replace=N&Get=*", "N")
    set_acl(bench.tree, X, "Get=*", "P")
    assert own_acl(bench.tree, X) == "Get=*"


@pytest.mark.spec("DM-TND 8.3.7.1.3")
def test_right_on_a_leaf_does_not_change_its_acl(bench: Bench) -> None:
    bench.tree.put("./Toy", acl="Replace=P")
    bench.tree.put(f"{X}/Text", value="", acl="Replace=N")
    with pytest.raises(PermissionDenied):
        set_acl(bench.tree, f"{X}/Text", "Replace=N&Get=*", "N")
    set_acl(bench.tree, f"{X}/Text", "Get=P", "P")
    assert own_acl(bench.tree, f"{X}/Text") == "Get=P"


def test_acl_is_replaced_completely_and_empty_inherits_again(bench: Bench) -> None:
    bench.tree.put(X, acl="Get=B")
    set_acl(bench.tree, X, "Replace=B&Exec=A", "A")
    assert own_acl(bench.tree, X) == "Replace=B&Exec=A"
    set_acl(bench.tree, X, "", "A")
    assert bench.tree.get(X, "A").value == b""


def test_acl_with_a_syntax_error_changes_nothing(bench: Bench) -> None:
    bench.tree.put(X, acl="Get=B")
    with pytest.raises(BadRequest):
        set_acl(bench.tree, X, "Get=A&Copy=B", "A")
    assert own_acl(bench.tree, X) == "Get=B"


def test_acl_of_a_permanent_node_can_be_replaced(bench: Bench) -> None:
    bench.tree.put("./DMAcc", acl="Replace=A&Get=*")
    set_acl(bench.tree, "./DMAcc", "Get=A", "A")
    assert own_acl(bench.tree, "./DMAcc") == "Get=A"


@pytest.mark.spec("DM-TND 8.3.7.1.2")
def test_root_has_the_default_acl_and_keeps_its_add_entry(bench: Bench) -> None:
    assert own_acl(bench.tree, ".") == "Add=*&Get=*"
    with pytest.raises(PermissionDenied):
        set_acl(bench.tree, ".", "Add=*&Get=*", "A")
    bench.tree.put(".", acl="Add=*&Get=*&Replace=A")
    for refused in ("", "Get=*", "Add=A&Get=*"):
        with pytest.raises(NotAllowed):
            set_acl(bench.tree, ".", refused, "A")
    set_acl(bench.tree, ".", "Add=*&Get=A", "A")
    assert own_acl(bench.tree, ".") == "Add=*&Get=A"


@pytest.mark.spec("DM-REP 4.1.6.1")
def test_creator_without_replace_on_the_parent_owns_the_new_interior_node(bench: Bench) -> None:
    bench.tree.put("./Toy", acl="Add=*&Get=*")
    bench.tree.add("./Toy/n/Deep/Deeper/Leaf", "S", format=None, type=None, value=b"v")
    assert own_acl(bench.tree, "./Toy/n") == "Add=S&Delete=S&Replace=S"
    # The next one inherits a Replace right from the first.
    assert own_acl(bench.tree, "./Toy/n/Deep") == ""
    assert own_acl(bench.tree, "./Toy/n/Deep/Deeper/Leaf") == ""
    bench.tree.delete("./Toy/n", "S")


@pytest.mark.spec("DM-REP 4.1.6.1")
def test_creator_with_replace_on_the_parent_inherits(bench: Bench) -> None:
    bench.tree.add("./Toy/n", "A", format="node", type=None, value=None)
    assert own_acl(bench.tree, "./Toy/n") == ""


@pytest.mark.spec("DM-REP 4.1.6.1")
def test_new_leaf_never_gets_an_acl(bench: Bench) -> None:
    bench.tree.put(X, acl="Add=S")
    bench.tree.add(f"{X}/Text", "S", format=None, type=None, value=b"v")
    assert own_acl(bench.tree, f"{X}/Text") == ""


def test_acl_stays_when_the_value_is_replaced(bench: Bench) -> None:
    bench.tree.put(f"{X}/Text", value="1", acl="Replace=S")
    bench.tree.replace(f"{X}/Text", "S", format=None, type=None, value=b"2")
    assert own_acl(bench.tree, f"{X}/Text") == "Replace=S"


@pytest.mark.spec("DM-TND 8.3.7.1.4")
def test_forgotten_server_leaves_all_acls(bench: Bench) -> None:
    bench.tree.put(".", acl="Add=*&Get=*&Replace=gone+A")
    bench.tree.put(X, acl="Get=gone+B&Exec=gone")
    bench.tree.put("./Toy/y", acl="Get=gone")
    bench.tree.put("./Toy/z", acl="Get=B")
    bench.tree.forget_servers(lambda server_id: server_id == "gone")
    assert own_acl(bench.tree, ".") == "Add=*&Get=*&Replace=A"
    assert own_acl(bench.tree, X) == "Get=B"
    assert own_acl(bench.tree, "./Toy/y") == ""
    assert own_acl(bench.tree, "./Toy/z") == "Get=B"
