# SPDX-License-Identifier: Apache-2.0
"""What a server sees of a sub-tree: rights, access types, order (omadm §7.3)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scomod.errors import NodeNotFound, NotAllowed, PermissionDenied
from tests.support.trees import Bench, tree_bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with tree_bench(tmp_path) as made:
        made.tree.put("./Toy/x/Text", value="hello")
        made.tree.put("./Toy/x/Secret", value="s3cret")
        made.tree.put("./Toy/x/Deep/Deeper/Leaf", value="deep")
        made.tree.put("./Toy/x-y/Text", value="other")
        yield made


def seen(bench: Bench, uri: str, server: str = "A") -> list[str]:
    return [node.path for node in bench.tree.listing(uri, server)]


def test_a_list_holds_the_node_itself_and_all_below_parents_first(bench: Bench) -> None:
    assert seen(bench, "./Toy/x") == [
        "./Toy/x", "./Toy/x/Deep", "./Toy/x/Deep/Deeper", "./Toy/x/Deep/Deeper/Leaf",
        "./Toy/x/Text",
    ]  # fmt: skip


def test_a_child_follows_its_parent_though_other_names_sort_between(bench: Bench) -> None:
    """As text, "./Toy/x-y" stands between "./Toy/x" and "./Toy/x/Text"."""
    assert [path for path in seen(bench, "./Toy") if "Deep" not in path] == [
        "./Toy", "./Toy/x", "./Toy/x/Text", "./Toy/x-y", "./Toy/x-y/Text",
    ]  # fmt: skip


def test_what_nobody_may_read_is_left_out(bench: Bench) -> None:
    assert "./Toy/x/Secret" not in seen(bench, "./Toy/x")


def test_secrets_of_accounts_are_in_no_list(bench: Bench) -> None:
    for leaf in ("AAuthName", "AAuthSecret", "AAuthData"):
        bench.tree.put(f"./DMAcc/srv/AppAuth/1/{leaf}", value="x")
    names = {path.rpartition("/")[2] for path in seen(bench, "./DMAcc")}
    assert "AAuthName" in names
    assert not names & {"AAuthSecret", "AAuthData"}


def test_the_acl_of_each_node_counts(bench: Bench) -> None:
    bench.tree.put("./Toy/x/Deep", acl="Get=B")
    bench.tree.put("./Toy/x/Deep/Deeper/Leaf", acl="Get=A")
    assert seen(bench, "./Toy/x") == ["./Toy/x", "./Toy/x/Deep/Deeper/Leaf", "./Toy/x/Text"]
    assert seen(bench, "./Toy/x/Deep", "B") == ["./Toy/x/Deep", "./Toy/x/Deep/Deeper"]


def test_values_are_those_of_the_moment(bench: Bench) -> None:
    bench.toy.computed["./Toy/x/Text"] = b"now"
    values = {node.path: node.value for node in bench.tree.listing("./Toy/x", "A")}
    assert values["./Toy/x/Text"] == b"now"
    assert values["./Toy/x"] is None


def test_a_leaf_lists_itself(bench: Bench) -> None:
    assert seen(bench, "./Toy/x/Text") == ["./Toy/x/Text"]


def test_everything_can_be_listed_from_the_root(bench: Bench) -> None:
    bench.tree.put("./DevInfo/DevId", value="1")
    assert {".", "./DevInfo", "./DevInfo/DevId", "./Toy/x/Text"} <= set(seen(bench, "."))
    assert "./Toy/x" not in seen(bench, ".", "B")


@pytest.mark.parametrize(
    ("uri", "server", "error"),
    [
        ("./Toy/none", "A", NodeNotFound),
        ("./Toy/x", "B", PermissionDenied),
        ("./Toy/x/Secret", "A", NotAllowed),
    ],
)
def test_the_first_node_is_judged_at_once(
    bench: Bench, uri: str, server: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        bench.tree.listing(uri, server)


def test_what_no_definition_describes_any_more_is_left_out(bench: Bench) -> None:
    bench.db.execute("UPDATE node SET path = './Toy/x/Gone' WHERE path = './Toy/x/Text'")
    assert "./Toy/x/Gone" not in seen(bench, "./Toy/x")
