"""Inventory/Deployed, kept equal to what the backends report (scomo §1.2, T12).

`reconcile` takes its own `InventoryItem`s, so that `mo` never looks up at the
installers; it writes only what differs, so that a check costs no flash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scomod.codes import ComponentState, DeployedStatus
from scomod.mo.uri import safe_name
from scomod.operation import Branch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scomod.mo.scomo import Scomo
    from scomod.mo.tree import Tree


STATE_OF: Final = {True: ComponentState.ACTIVE, False: ComponentState.INACTIVE}


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryItem:
    """One deployment component; `pkg_id_ref` is "" for software nobody delivered."""

    id: str
    version: str
    environment: str
    is_active: bool
    name: str = ""
    description: str = ""
    pkg_id_ref: str = ""


class Inventory:
    """The Deployed branch of the SCOMO object."""

    def __init__(self, tree: Tree, scomo: Scomo) -> None:
        self._tree = tree
        self._scomo = scomo
        self._base = f"{scomo.root}/{Branch.DEPLOYED}"

    def reconcile(self, items: Iterable[InventoryItem], acls: Mapping[str, str]) -> None:
        """Make the branch say what the items say.

        `acls` gives components without an ACL of their own one: whoever delivered them
        operates them, also when a look at the device was quicker than the operation's
        end.  Part of the caller's transaction.
        """
        nodes = self.nodes_by_id()
        wanted = {item.id: item for item in items}
        for component_id in nodes.keys() - wanted.keys():
            self._tree.drop(f"{self._base}/{nodes[component_id]}")
        taken = {name for known, name in nodes.items() if known in wanted}
        for item in wanted.values():
            name = nodes.get(item.id)
            if name is None:
                name = self._create(item, taken)
                taken.add(name)
            self._own(f"{self._base}/{name}", acls.get(item.id))
            self._update(f"{self._base}/{name}", item)

    def nodes_by_id(self) -> dict[str, str]:
        """Return component id -> node name of what the branch shows now."""
        names = self._tree.children(self._base)
        return {self._tree.value(f"{self._base}/{n}/ID") or n: n for n in names}

    def uri_of(self, component_id: str) -> str | None:
        """Return the URI of a component's node, or None."""
        name = self.nodes_by_id().get(component_id)
        return None if name is None else f"{self._base}/{name}"

    def _own(self, uri: str, acl: str | None) -> None:
        node = self._tree.node(uri)
        if acl and node is not None and not node.acl:
            self._tree.put(uri, acl=acl)

    def _create(self, item: InventoryItem, taken: set[str]) -> str:
        """Make the node of a new component under a name nobody has."""
        stem = name = safe_name(item.id)
        count = 1
        while name in taken:
            count += 1
            name = f"{stem}-{count}"
        uri = f"{self._base}/{name}"
        self._tree.put(uri, format="node", type="")
        self._tree.put(f"{uri}/Status", format="int", value=str(int(DeployedStatus.IDLE)))
        self._scomo.add_operations(uri, Branch.DEPLOYED)
        return name

    def _update(self, uri: str, item: InventoryItem) -> None:
        """Write the leaves that differ."""
        leaves = {
            "ID": item.id,
            "PkgIDRef": item.pkg_id_ref,
            "Name": item.name or item.id,
            "Description": item.description,
            "Version": item.version,
            "EnvType": item.environment,
        }
        for leaf, value in leaves.items():
            if self._tree.value(f"{uri}/{leaf}") != value:
                self._tree.put(f"{uri}/{leaf}", value=value)
        state = str(int(STATE_OF[item.is_active]))
        if self._tree.value(f"{uri}/State") != state:
            self._tree.put(f"{uri}/State", format="int", value=state)
