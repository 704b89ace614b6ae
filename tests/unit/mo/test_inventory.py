# SPDX-License-Identifier: Apache-2.0
"""Inventory/Deployed: names, owners, what is written when, and pieces of a transaction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scomod import db
from scomod.ledger import PIECE_COUNT, Ledger
from scomod.mo.inventory import InventoryItem, policy_of
from scomod.mo.ownership import component_acl
from scomod.records import Records
from scomod.settings import Inventory, Paths, Server, Settings
from tests.support.clocks import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "./SCOMO/Inventory/Deployed"


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    found = Records(Settings(), Paths(tmp_path))
    yield found
    found.db.close()


def item(id_: str, version: str = "1", **more: object) -> InventoryItem:
    return InventoryItem(**{  # type: ignore[arg-type]
        "id": id_, "version": version, "environment": "deb", "is_active": True, **more
    })  # fmt: skip


def show(records: Records, *items: InventoryItem, mark: str = "") -> int:
    """Reconcile; returns how many rows were written."""
    before = written(records)
    with records.db.transaction():
        records.inventory.reconcile(items, {}, mark)
    return written(records) - before


def written(records: Records) -> int:
    return int(records.db.execute("SELECT total_changes()").fetchone()[0])


def ledger(records: Records) -> Ledger:
    return records.ledger(FakeClock())


def test_one_change_among_many_writes_one_component(records: Records) -> None:
    items = [item(f"c{number}") for number in range(100)]
    show(records, *items)
    items[50] = item("c50", "2")
    assert show(records, *items) == 2  # the Version leaf and the component's row
    assert records.tree.value(f"{BASE}/c50/Version") == "2"
    assert show(records, *items) == 0


def test_a_change_of_anything_that_is_shown_is_a_change(records: Records) -> None:
    first = item("c", name="n", description="d", pkg_id_ref="p")
    show(records, first)
    for changed in (
        item("c", name="n2", description="d", pkg_id_ref="p"),
        item("c", name="n2", description="d2", pkg_id_ref="p"),
        item("c", name="n2", description="d2", pkg_id_ref="p2"),
        item("c", name="n2", description="d2", pkg_id_ref="p2", is_active=False),
        item("c", name="n2", description="d2", pkg_id_ref="p2", is_active=False, environment="x"),
    ):
        assert show(records, changed) == 2
        leaves = {leaf: records.tree.value(f"{BASE}/c/{leaf}") for leaf in changed.leaves()}
        assert leaves == changed.leaves()


def test_a_node_keeps_its_name_over_updates_and_restarts(tmp_path: Path) -> None:
    ids = ["a b", "a_b", "a/b", "x" * 90, "..", "ü"]
    names: list[dict[str, str | None]] = []
    for version in "123":
        records = Records(Settings(), Paths(tmp_path))
        show(records, *(item(name, version) for name in reversed(ids)))
        names.append({name: records.inventory.uri_of(name) for name in ids})
        records.db.close()
        ids.insert(0, f"new{version}")  # others that come do not move it
    assert names[0].items() <= names[1].items() <= names[2].items()
    assert len(set(names[2].values())) == len(names[2])
    assert None not in names[2].values()


def test_the_owner_of_an_item_decides_its_acl(records: Records) -> None:
    show(records, item("c", owner="a"), item("f"))
    acl = f"{BASE}/c?prop=ACL"
    rules = {owner: component_acl(Settings(), owner) for owner in ("a", "b", "")}
    assert records.tree.get(acl, "a").value.decode() == rules["a"]
    assert records.tree.get(f"{BASE}/f?prop=ACL", "a").value.decode() == rules[""]
    show(records, item("c", owner="b"), item("f"))
    assert records.tree.get(acl, "b").value.decode() == rules["b"]
    assert len(set(rules.values())) == 3


def test_what_a_server_made_of_an_acl_stays_while_the_owner_is_the_same(records: Records) -> None:
    show(records, item("c", owner="a"))
    with records.db.transaction():
        records.tree.put(f"{BASE}/c", acl="Get=z")
    show(records, item("c", "2", owner="a"))
    assert getattr(records.tree.node(f"{BASE}/c"), "acl", "") == "Get=z"
    show(records, item("c", "2", owner="b"))
    assert getattr(records.tree.node(f"{BASE}/c"), "acl", "") == component_acl(Settings(), "b")


def test_a_package_s_own_acl_stays_over_later_looks_and_updates(records: Records) -> None:
    given = {"c": "Exec=a+b&Get=a+b"}
    for version, acls in (("1", given), ("1", {}), ("2", given), ("2", {})):
        with records.db.transaction():
            records.inventory.reconcile([item("c", version, owner="a")], acls)
        assert getattr(records.tree.node(f"{BASE}/c"), "acl", "") == given["c"]


def test_components_of_an_earlier_schema_keep_name_and_acl(records: Records) -> None:
    show(records, item("c", owner="a"), item("f"))
    with records.db.transaction():
        records.tree.put(f"{BASE}/c", acl="Exec=old")
        records.tree.put(f"{BASE}/f", acl="")
        records.db.execute("DROP TABLE component")
        migration = Path(db.__file__).with_name("migrations") / "0005.sql"
        for statement in migration.read_text().split(";")[:2]:
            records.db.execute(statement)
    before = records.tree.children(BASE)
    show(records, item("c", "2"), item("f"))
    assert records.tree.children(BASE) == before
    acls = [getattr(records.tree.node(f"{BASE}/{name}"), "acl", "") for name in "cf"]
    assert acls == ["Exec=old", component_acl(Settings(), "")]


def test_a_lost_database_comes_back_with_names_and_owners(tmp_path: Path) -> None:
    items = [item("c", owner="a"), item("a b"), item("f")]
    seen = []
    for life in ("first", "second"):
        records = Records(Settings(), Paths(tmp_path / life))
        show(records, *items)
        paths = [records.inventory.uri_of(each.id) or "" for each in items]
        seen.append([(path, getattr(records.tree.node(path), "acl", "?")) for path in paths])
        records.db.close()
    assert seen[0] == seen[1]


def test_the_mark_survives_a_restart_and_nothing_is_written_for_it(tmp_path: Path) -> None:
    records = Records(Settings(), Paths(tmp_path))
    assert not records.inventory.is_current("m")
    show(records, item("c"), mark="m")
    records.db.close()
    records = Records(Settings(), Paths(tmp_path))
    assert records.inventory.is_current("m")
    assert not records.inventory.is_current("m2")
    assert not records.inventory.is_current("")
    assert show(records, item("c"), mark="m") == 0
    records.db.close()


def test_another_policy_is_another_mark(tmp_path: Path) -> None:
    records = Records(Settings(), Paths(tmp_path))
    show(records, item("c"), mark="m")
    records.db.close()
    hiding = Settings(inventory=Inventory(hide=("c",)))
    records = Records(hiding, Paths(tmp_path))
    assert not records.inventory.is_current("m")
    records.db.close()
    other = Settings(servers={"s": Server(encoding="xml")})
    assert len({policy_of(each) for each in (Settings(), hiding, other)}) == 3


def test_many_differences_are_written_in_pieces(records: Records) -> None:
    items = [item(f"c{number}") for number in range(2 * PIECE_COUNT + 1)]
    counts = []
    for _ in ledger(records).mirror(items, "m"):
        assert not records.db.in_transaction
        counts.append(len(records.tree.children(BASE)))
        assert not records.inventory.is_current("m")
    assert counts == [PIECE_COUNT, 2 * PIECE_COUNT]
    assert len(records.tree.children(BASE)) == len(items)
    assert records.inventory.is_current("m")


def test_what_is_written_between_two_pieces_ends_the_older_look(records: Records) -> None:
    items = [item(f"c{number}") for number in range(2 * PIECE_COUNT)]
    older = ledger(records).mirror(items, "old")
    next(older)
    newer = [item("c0", "9"), *items[1:], item("d")]
    show(records, *newer, mark="new")
    assert list(older) == []
    assert records.inventory.is_current("new")
    assert records.tree.value(f"{BASE}/c0/Version") == "9"
    assert show(records, *newer, mark="new") == 0


def test_a_look_that_finds_no_difference_keeps_the_mark_only(records: Records) -> None:
    show(records, item("c"))
    before = written(records)
    assert list(ledger(records).mirror([item("c")], "m")) == []
    assert written(records) == before + 1
    assert records.inventory.is_current("m")
