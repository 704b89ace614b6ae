# SPDX-License-Identifier: Apache-2.0
"""What the console makes of the answers of a device: its tree, its software."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from scomod.lab import webtree
from scomod.lab.webtree import Tree

if TYPE_CHECKING:
    from tests.support.lab_stand import Stand

DEPLOYED = "./SCOMO/Inventory/Deployed"


def rows(tree: Tree) -> dict[str, dict[str, Any]]:
    return {row["uri"]: row for row in webtree.as_rows(tree.root)}


def got(uri: str, value: str = "", *, code: int = 200, is_interior: bool = False) -> dict[str, Any]:
    return {
        "command": "Get",
        "uri": uri,
        "code": code,
        "values": {uri: value} if code == 200 else {},
        "interior": [uri] if is_interior else [],
    }


def tree_of(*steps: dict[str, Any]) -> Tree:
    tree = Tree()
    for number, step in enumerate(steps, start=1):
        tree.take(number, step)
    return tree


def test_the_tree_is_what_a_session_read(stand: Stand) -> None:
    stand.device.tree = {
        "./DevInfo/Man": b"we",
        "./DevInfo/Ext/a%2Fb": b"x/y",
        "./DevInfo/Empty": b"",
    }
    stand.order("read", uris="./DevInfo")
    stand.device.run()
    found = rows(webtree.tree_of(stand.account))
    assert found["./DevInfo/Man"] == {
        "uri": "./DevInfo/Man",
        "value": "we",
        "length": 2,
        "is_interior": False,
        "code": 200,
        "order": 1,
    }
    assert found["./DevInfo/Ext/a%2Fb"]["value"] == "x/y"
    assert found["./DevInfo/Ext"]["is_interior"]
    assert not found["./DevInfo/Empty"]["is_interior"]
    uris = list(found)
    assert all(uri.rpartition("/")[0] in uris[:at] for at, uri in enumerate(uris) if at)


def test_a_listing_takes_away_what_it_does_not_name() -> None:
    tree = tree_of(
        got("./A", "b/c", is_interior=True), got("./A/b", "1"), got("./A", "c/d", is_interior=True)
    )
    assert set(rows(tree)) == {".", "./A", "./A/c", "./A/d"}
    assert rows(tree)["./A/d"]["value"] is None


def test_what_was_written_is_unknown_and_what_was_deleted_is_gone() -> None:
    written = {"command": "Replace", "uri": "./A/b", "code": 200, "values": {}}
    deleted = {"command": "Delete", "uri": "./A/c", "code": 200, "values": {}}
    refused = {"command": "Delete", "uri": "./A/d", "code": 405, "values": {}}
    values = [got(f"./A/{name}", "1") for name in "bcd"]
    found = rows(tree_of(*values, written, deleted, refused))
    assert found["./A/b"]["value"] is None
    assert "./A/c" not in found
    assert found["./A/d"]["value"] == "1"


def test_a_refusal_is_shown_and_a_node_that_is_not_there_goes() -> None:
    tree = tree_of(got("./A", "b/c", is_interior=True), got("./A/b", code=405))
    assert rows(tree)["./A/b"]["code"] == 405
    tree.take(9, got("./A/b", code=404))
    assert "./A/b" not in rows(tree)


def test_names_of_a_hostile_device_are_names_and_limited() -> None:
    start = time.monotonic()
    many = "/".join(f"n{number}" for number in range(30000))
    deep = "./" + "/".join(["x"] * 500)
    tree = tree_of(
        got("./<script>alert(1)</script>", "<b>"),
        got("./long", "x" * 100_000),
        got(deep, "1"),
        got("/etc/passwd", "1"),
        got("./A?list=Struct", "1"),
        got("./many", many, is_interior=True),
        got("./after", "1"),
    )
    found = rows(tree)
    assert len(found) <= webtree.MAX_NODES_COUNT + 1
    assert found["./<script>alert(1)<"]["is_interior"]  # a slash ends a name, nothing else does
    assert found["./long"]["length"] == 100_000
    assert len(found["./long"]["value"]) == webtree.VALUE_CHARACTERS
    assert not any("etc" in uri or "?" in uri or "x/x" in uri for uri in found)
    assert time.monotonic() - start < 20


def test_software_is_found_wherever_the_object_hangs_and_numbers_have_words() -> None:
    base = "./Vendor/Software/SCOMO"
    leaves = {"ID": "hello", "State": "20", "Status": "70", "EnvType": "deb"}
    steps = [got(f"{base}/Inventory/Deployed/c1/{name}", value) for name, value in leaves.items()]
    steps += [got(f"{base}/Inventory/Deployed/c1/Operations/Ext", "Start", is_interior=True)]
    steps += [got(f"{base}/Inventory/Delivered/p/State", "10")]
    steps += [got(f"{base}/Download/d/Status", "999"), got(f"{base}/Download/e/Status", "30")]
    (found,) = webtree.inventory(tree_of(*steps))
    assert found["root"] == base
    (deployed,) = found["deployed"]
    assert deployed["leaves"] == leaves
    assert (deployed["words"]["State"], deployed["words"]["Status"]) == (
        "active",
        "deactivate progressing",
    )
    assert deployed["extensions"] == ["Start"]
    assert found["delivered"][0]["words"]["State"] == "delivered"
    assert [entry["words"]["Status"] for entry in found["download"]] == ["", "download progressing"]


def test_a_device_without_scomo_has_no_software() -> None:
    assert webtree.inventory(tree_of(got("./DevInfo/Man", "we"))) == []
