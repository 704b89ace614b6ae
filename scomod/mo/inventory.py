# SPDX-License-Identifier: Apache-2.0
"""Inventory/Deployed, kept equal to what the backends report (scomo §1.2, T12).

Here stands what differs and how it is written; who looks at the device, and when, is
`mirror`.  Nothing is read or written of a component that is as it was: its digest says
so.  A mark of the device, kept with the nodes, says that nothing at all changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from scomod import __version__
from scomod.codes import ComponentState, DeployedStatus
from scomod.mo.components import Shown
from scomod.mo.packages import operation_leaves
from scomod.mo.uri import safe_name
from scomod.operation import Branch

try:
    from _blake2 import blake2b  # hashlib would bring OpenSSL, the waiting daemon needs none
except ImportError:  # an interpreter may do without it
    from hashlib import blake2b

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scomod.db import Database
    from scomod.mo.components import Components
    from scomod.mo.scomo import Scomo
    from scomod.mo.tree import Tree
    from scomod.settings import Settings


STATE_OF: Final = {True: ComponentState.ACTIVE, False: ComponentState.INACTIVE}
MARK_KEY: Final = "inventory-device-mark"  # of the device when the branch showed all of it
SHAPE: Final = "1"  # of a component's nodes; a new one has all of them written again
DIGEST_BYTES: Final = 8
NOTHING: Final = Shown(path="", digest=b"", acl="", rule="")


def policy_of(settings: Settings) -> str:
    """Return what stands for all settings that decide what is shown, to whom, and where."""
    decisive = (settings.inventory, settings.install.dpkg, settings.scomo, settings.servers)
    text = repr((__version__, *decisive))
    return blake2b(text.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryItem:
    """One deployment component; `pkg_id_ref` is "" for software nobody delivered.

    `owner` is the server that it belongs to, "" for the factory's and the person's;
    `is_startable` tells that it has services to start and stop.
    `digest` is of all that its nodes show; it is made with the item, in whatever thread.
    """

    id: str
    version: str
    environment: str
    is_active: bool
    name: str = ""
    description: str = ""
    pkg_id_ref: str = ""
    owner: str = ""
    is_startable: bool = False
    digest: bytes = field(init=False, repr=False, compare=False, default=b"")

    def __post_init__(self) -> None:
        """Make the digest, of the leaves in their order."""
        text = "\0".join((SHAPE, *self.leaves().values(), str(self.is_startable)))
        made = blake2b(text.encode("utf-8", "replace"), digest_size=DIGEST_BYTES).digest()
        object.__setattr__(self, "digest", made)

    def leaves(self) -> dict[str, str]:
        """Return the leaves that only the device writes, by name."""
        return {
            "ID": self.id,
            "PkgIDRef": self.pkg_id_ref,
            "Name": self.name or self.id,
            "Description": self.description,
            "Version": self.version,
            "EnvType": self.environment,
            "State": str(int(STATE_OF[self.is_active])),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference: `item` is None for what is gone, `shown` for what is new."""

    id: str
    item: InventoryItem | None
    shown: Shown | None
    new: Shown = NOTHING


class Inventory:
    """The Deployed branch of the SCOMO object.

    `acl_of` says who may do what with a component ("" as its parent says); `policy`
    stands for the settings that decide what is shown: another one is another mark.
    """

    def __init__(
        self,
        tree: Tree,
        scomo: Scomo,
        db: Database,
        components: Components,
        *,
        acl_of: Callable[[InventoryItem], str],
        policy: str,
    ) -> None:
        self._tree = tree
        self._scomo = scomo
        self._db = db
        self._components = components
        self._acl_of = acl_of
        self._policy = policy
        self._base = scomo.layout.branch(Branch.DEPLOYED)
        self.writes_count = 0  # of `write`: who wrote in pieces sees that another came between

    def is_current(self, mark: str) -> bool:
        """Tell whether the branch shows the device as it is at this mark; "" is none."""
        return bool(mark) and self._db.meta(MARK_KEY) == self._salted(mark)

    def reconcile(
        self, items: Iterable[InventoryItem], acls: Mapping[str, str], mark: str = ""
    ) -> None:
        """Make the branch say what the items say, at once; part of the caller's transaction."""
        self.write(self.changes(items, acls))
        self.remember(mark)

    def changes(self, items: Iterable[InventoryItem], acls: Mapping[str, str]) -> list[Change]:
        """Return what differs from the items, what is gone first.

        `acls` gives components theirs where more is known than the owner, from the package
        that brought them.  An ACL is written when it is another than the one given last,
        so that what a server made of it stays.
        """
        gone = self._components.all()
        found = []
        for item in items:
            shown = gone.pop(item.id, None)
            new = self._due(item, shown, acls.get(item.id, ""))
            if shown is None or shown != replace(new, path=shown.path):
                found.append(Change(id=item.id, item=item, shown=shown, new=new))
        return [Change(id=name, item=None, shown=gone[name]) for name in sorted(gone)] + found

    def write(self, changes: Sequence[Change]) -> None:
        """Carry out changes that are still true; part of the caller's transaction."""
        for change in changes:
            if change.shown is not None and change.item is None:
                self._tree.drop(change.shown.path)
                self._components.drop(change.id, change.shown.path)
            elif change.item is not None:
                self._show(change, change.item)
        self.writes_count += bool(changes)

    def remember(self, mark: str) -> None:
        """Note that the branch shows the device as it was at a mark, "" if nobody knows."""
        if self._db.meta(MARK_KEY) != self._salted(mark):
            self._db.set_meta(MARK_KEY, self._salted(mark))

    def uri_of(self, component_id: str) -> str | None:
        """Return the URI of a component's node, or None."""
        return self._components.find(component_id)

    def version_of(self, component_id: str) -> str:
        """Return the version that the branch shows of a component, "" for none."""
        uri = self.uri_of(component_id)
        return self._tree.value(f"{uri}/Version") or "" if uri else ""

    def _salted(self, mark: str) -> str:
        return f"{mark} {self._policy}" if mark else ""

    def _due(self, item: InventoryItem, shown: Shown | None, given: str) -> Shown:
        """Return what a component's row is to say; a row of an earlier schema has no rule."""
        rule = self._acl_of(item)
        if given:
            acl = given
        elif shown is None or (shown.rule != rule and (shown.rule or not shown.acl)):
            acl = rule
        else:
            acl = shown.acl
        return Shown(path="", digest=item.digest, acl=acl, rule=rule)

    def _show(self, change: Change, item: InventoryItem) -> None:
        """Write the nodes of one component, those that differ."""
        if change.shown is None:
            new = replace(change.new, path=self._free_path(item.id))
            leaves = item.leaves() | {"Status": str(int(DeployedStatus.IDLE))}
            primitives = operation_leaves(Branch.DEPLOYED, is_startable=item.is_startable)
            self._tree.plant(new.path, new.acl, leaves | dict.fromkeys(primitives, ""))
        else:
            new = replace(change.new, path=change.shown.path)
            self._update(item, change.shown, new)
        self._components.put(item.id, new)

    def _update(self, item: InventoryItem, shown: Shown, new: Shown) -> None:
        if shown.acl != new.acl:
            self._tree.put(new.path, acl=new.acl)
        for leaf, value in item.leaves().items():
            self._tree.put(f"{new.path}/{leaf}", value=value)
        self._scomo.packages.add_operations(
            new.path, Branch.DEPLOYED, is_startable=item.is_startable
        )

    def _free_path(self, component_id: str) -> str:
        """Return where a new component goes: a name that nobody has, for as long as it is there."""
        stem = path = f"{self._base}/{safe_name(component_id)}"
        count = 1
        while self._tree.node(path) is not None:
            count += 1
            path = f"{stem}-{count}"
        return path
