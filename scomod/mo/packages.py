# SPDX-License-Identifier: Apache-2.0
"""The nodes of packages and components, as far as the device makes them (scomo §1.2).

Servers add what describes a package; the device adds what is in its own hands: Status,
State, the leaves of the primitives, and a package node of its own where a download ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.codes import MO_SCOMO_1_0, MO_SCOMO_1_1, DownloadStatus, PackageState
from scomod.mo import ownership, subjects
from scomod.mo.layout import PRIMITIVES
from scomod.mo.node import Blob
from scomod.operation import OWN_PRIMITIVES, Branch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.mo.layout import Layout
    from scomod.mo.tree import Tree
    from scomod.operation import Operation
    from scomod.settings import Settings

MO_TYPES: Final[Mapping[str, str]] = {"1.0": MO_SCOMO_1_0, "1.1": MO_SCOMO_1_1}

# ACLs of the fixed nodes: any server may announce packages and ask what there is; what it
# announces or brings is its own (`ownership`).
FIXED: Final[tuple[tuple[str, str], ...]] = (
    ("", "Get=*"),
    ("/Download", "Add=*&Get=*"),
    ("/Inventory", "Get=*"),
    ("/Inventory/Delivered", "Add=*&Get=*"),
    ("/Inventory/Deployed", "Get=*"),
)
BINARY: Final = "application/octet-stream"


def operation_leaves(branch: Branch, *, is_startable: bool) -> list[str]:
    """Return the leaves of the primitives below an item; see `Packages.add_operations`."""
    own = () if is_startable else OWN_PRIMITIVES
    return [leaf for leaf, primitive in PRIMITIVES[branch].items() if primitive not in own]


class Packages:
    """Makes nodes below the SCOMO root; part of the caller's transaction."""

    def __init__(self, tree: Tree, layout: Layout) -> None:
        self._tree = tree
        self._layout = layout

    def install(self, settings: Settings) -> None:
        """Make the fixed nodes and the predefined ones; drop what another version had."""
        for suffix, acl in FIXED:
            path = self._layout.root + suffix
            if self._tree.node(path) is None:
                self._tree.put(path, format="node", acl=acl)
            self._tree.put(path, type="" if suffix else MO_TYPES[settings.scomo.version])
        for name in settings.scomo.download_nodes:
            self._predefine(name, *ownership.shared_acls(settings))
        self._drop_undescribed()

    def complete(self, item: str, branch: Branch, acl: str) -> None:
        """Give a package its ACL, Status and operation leaves (scomo §3.5 a)."""
        self._tree.put(item, format="node", type="", acl=acl)
        self._tree.put(f"{item}/Status", format="int", value=str(int(DownloadStatus.IDLE)))
        self.add_operations(item, branch)

    def delivered(self, item: str) -> None:
        """Say that a package is there, whole (scomo §2.1)."""
        self._tree.put(f"{item}/State", format="int", value=str(int(PackageState.DELIVERED)))
        self._tree.put(f"{item}/Status", format="int", value=str(int(DownloadStatus.IDLE)))

    def deliver(self, operation: Operation) -> None:
        """Turn Download/<x> into Delivered/<x> (scomo T1); its payload lies in the spool."""
        item = self._layout.item(Branch.DELIVERED, operation.node)
        subject = operation.subject
        if self._tree.node(item) is not None:
            self._tree.drop(item)
        self.complete(item, Branch.DELIVERED, subject.acl)
        for leaf, name in subjects.DESCRIPTIVE.items():
            if value := getattr(subject, name):
                self._tree.put(f"{item}/{leaf}", value=value)
        sha256, size_bytes = str(operation.data["sha256"]), operation.data.get("size")
        payload = Blob(sha256=sha256, size_bytes=size_bytes if isinstance(size_bytes, int) else 0)
        kind = subject.pkg_type or BINARY
        self._tree.put(f"{item}/Data", format="bin", type=kind, value=payload)
        self.delivered(item)

    def add_operations(self, item: str, branch: Branch, *, is_startable: bool = False) -> None:
        """Make the leaves of the primitives; Start and Stop only where something runs."""
        self._tree.put(f"{item}/Operations", format="node", type="")
        for leaf in operation_leaves(branch, is_startable=is_startable):
            self._tree.put(f"{item}/{leaf}", format="null", type="text/plain")
        if branch is Branch.DEPLOYED and not is_startable:
            self._tree.drop(f"{item}/Operations/Ext")

    def _predefine(self, name: str, item_acl: str, leaf_acl: str) -> None:
        """Make a download node that is always there (scomo §9); what it holds already stays.

        All its leaves are made, as not everybody who may fill them may add them.
        """
        item = self._layout.item(Branch.DOWNLOAD, name)
        if self._tree.node(item) is None:
            self.complete(item, Branch.DOWNLOAD, item_acl)
            self._tree.put(f"{item}/PkgID", value=name)
        self._tree.put(item, acl=item_acl)
        for leaf in subjects.LEAVES[Branch.DOWNLOAD]:
            if self._tree.is_described(f"{item}/{leaf}"):
                self._tree.put(f"{item}/{leaf}", acl=leaf_acl)

    def _drop_undescribed(self) -> None:
        """Drop the leaves that another version of the object had (scomo §1.3)."""
        downloads = self._layout.branch(Branch.DOWNLOAD)
        for name in self._tree.children(downloads):
            for leaf in self._tree.children(f"{downloads}/{name}"):
                if not self._tree.is_described(f"{downloads}/{name}/{leaf}"):
                    self._tree.drop(f"{downloads}/{name}/{leaf}")
