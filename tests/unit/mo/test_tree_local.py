# SPDX-License-Identifier: Apache-2.0
"""The device's own side of the tree: exempt from ACLs, bound by the DDF, sparing with writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.errors import BadFormat, BadRequest, LocalProtocolError
from tests.support.trees import MONDAY_S, Bench, tree_bench

X = "./Toy/x"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as made:
        yield made


def changes(bench: Bench) -> int:
    return int(bench.db.execute("SELECT total_changes()").fetchone()[0])


def test_put_makes_node_and_parents_from_the_rules(bench: Bench) -> None:
    bench.tree.put("./SCOMO/Inventory/Deployed/p/Status", value="10")
    node = bench.tree.node("./SCOMO/Inventory/Deployed/p/Status")
    assert node is not None
    assert (node.format, node.type, node.value) == ("int", "text/plain", b"10")
    root = bench.tree.node("./SCOMO")
    assert root is not None
    assert (root.format, root.type) == ("node", "urn:oma:mo:oma-scomo:1.1")
    assert root.value is None


def test_put_changes_only_what_it_says(bench: Bench) -> None:
    bench.tree.put(f"{X}/Text", value="1", acl="Get=B")
    bench.tree.put(f"{X}/Text", value="2")
    bench.tree.put(f"{X}/Text", type="text/special")
    node = bench.tree.node(f"{X}/Text")
    assert node is not None
    assert (node.value, node.acl, node.type, node.verno) == (b"2", "Get=B", "text/special", 1)


def test_put_of_what_is_there_writes_nothing(bench: Bench) -> None:
    bench.tree.put(f"{X}/Text", value="1", acl="Get=B")
    bench.clock.now_s += 100
    before = changes(bench)
    bench.tree.put(f"{X}/Text", format="chr", type="text/plain", value=b"1", acl="Get=B")
    bench.tree.put(X, format="node", type="")
    assert changes(bench) == before
    node = bench.tree.node(f"{X}/Text")
    assert node is not None
    assert node.tstamp_s == MONDAY_S


def test_put_does_not_ask_handlers(bench: Bench) -> None:
    bench.tree.put("./Toy/new/Text", value="evil")
    assert bench.tree.value("./Toy/new/Text") == "evil"
    assert bench.toy.seen == []


def test_local_mistakes_against_the_rules_are_bugs(bench: Bench) -> None:
    with pytest.raises(LocalProtocolError):
        bench.tree.put("./Nowhere", value="")
    with pytest.raises(LocalProtocolError):
        bench.tree.put(f"{X}/Number", format="chr", value="1")


def test_local_value_must_have_the_format_of_its_node(bench: Bench) -> None:
    with pytest.raises(BadFormat):
        bench.tree.put(f"{X}/Number", value="many")
    with pytest.raises(BadFormat):
        bench.tree.put(X, value="an interior node")
    with pytest.raises(BadRequest):
        bench.tree.put(X, acl="Get")


def test_value_is_text_of_leaves_only(bench: Bench) -> None:
    bench.tree.put(f"{X}/Text", value="ä")
    bench.tree.put(f"{X}/Now")
    assert bench.tree.value(f"{X}/Text") == "ä"
    assert bench.tree.value(f"{X}/Now") == ""
    assert bench.tree.value(X) is None
    assert bench.tree.value("./Toy/none") is None


def test_children_are_sorted_names(bench: Bench) -> None:
    for name in "bca":
        bench.tree.put(f"./Toy/{name}")
    assert bench.tree.children("./Toy") == ["a", "b", "c"]
    assert bench.tree.children("./Toy/none") == []


def test_drop_takes_the_subtree_permanent_or_not_and_may_be_repeated(bench: Bench) -> None:
    bench.tree.put("./Toy/Holder/Fixed", value="")
    bench.tree.put("./Toy/Holder/Leaf", value="")
    bench.tree.drop("./Toy/Holder")
    bench.tree.drop("./Toy/Holder")
    assert bench.tree.children("./Toy") == []
    assert bench.tree.node("./Toy/Holder/Fixed") is None
    assert bench.toy.seen == []
