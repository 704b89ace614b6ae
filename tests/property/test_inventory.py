# SPDX-License-Identifier: Apache-2.0
"""Reconciling from any state to any state gives exactly the items and writes only differences."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scomod.mo.inventory import InventoryItem
from scomod.paths import Paths
from scomod.records import Records
from scomod.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = "./SCOMO/Inventory/Deployed"

# Few of each, so that states share components and differ in single leaves; ids that
# make the same plain name, look like a made name, or are no names at all.
IDS = st.sampled_from(["a", "a b", "a_b", "a/b", "a_b-2", "A", ".", "ü", "z" * 100, "lib:x"])
ITEM = st.builds(
    InventoryItem,
    id=IDS,
    version=st.sampled_from(["1", "2"]),
    environment=st.just("deb"),
    is_active=st.booleans(),
    name=st.sampled_from(["", "Name"]),
    description=st.sampled_from(["", "text & more"]),
    pkg_id_ref=st.sampled_from(["", "p"]),
    owner=st.sampled_from(["", "srv", "other"]),
)
STATE = st.lists(ITEM, max_size=8, unique_by=lambda item: item.id)


@pytest.fixture(scope="module")
def records() -> Iterator[Records]:
    directory = Path(tempfile.mkdtemp())
    found = Records(Settings(), Paths(directory))
    yield found
    found.db.close()
    shutil.rmtree(directory)


def picture(records: Records) -> dict[str, dict[str, str]]:
    """What the branch shows, by component id: the node's name and the leaves."""
    shown = {}
    for name in records.tree.children(BASE):
        leaves = records.tree.children(f"{BASE}/{name}")
        values = {leaf: records.tree.value(f"{BASE}/{name}/{leaf}") or "" for leaf in leaves}
        shown[values["ID"]] = {**values, "": name}
    return shown


def written_nodes(records: Records, before: dict[str, tuple[int, int]]) -> set[str]:
    """Return the components of which a node came, went or changed."""
    now = stamps(records)
    changed = {path for path in before.keys() | now.keys() if before.get(path) != now.get(path)}
    return {path.removeprefix(f"{BASE}/").partition("/")[0] for path in changed}


def stamps(records: Records) -> dict[str, tuple[int, int]]:
    rows = records.db.execute("SELECT path, verno, acl FROM node WHERE path > ? AND path < ?",
                              (f"{BASE}/", f"{BASE}0"))  # fmt: skip
    return {path: (verno, acl) for path, verno, acl in rows}


@settings(max_examples=60, deadline=None)
@given(earlier=STATE, later=STATE)
def test_any_state_follows_any_other(
    records: Records, earlier: list[InventoryItem], later: list[InventoryItem]
) -> None:
    with records.db.transaction():
        records.inventory.reconcile(earlier, {})
    names, before = picture(records), stamps(records)
    with records.db.transaction():
        records.inventory.reconcile(later, {})
    shown = picture(records)
    assert set(shown) == {item.id for item in later}
    for item in later:
        assert shown[item.id].items() >= item.leaves().items()
        assert shown[item.id]["Status"] == "10"
        if item.id in names:
            assert shown[item.id][""] == names[item.id][""]
    was, now = {each.id: each for each in earlier}, {each.id: each for each in later}
    different = {key for key in was.keys() | now.keys() if was.get(key) != now.get(key)}
    allowed = {(shown if key in shown else names)[key][""] for key in different}
    assert written_nodes(records, before) <= allowed | {
        names[k][""] for k in different & set(names)
    }
