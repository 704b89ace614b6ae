# SPDX-License-Identifier: Apache-2.0
"""The properties of nodes: what a server may read of them and change (omadm §7.2, §7.4).

Not the node's value.  No property can be made or deleted, and three can be changed:
the ACL, the title, and the name, which is a rename.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from scomod.errors import (
    BadFormat,
    NodeExists,
    NotAllowed,
    NotSupported,
    PermissionDenied,
    TooLarge,
)
from scomod.mo import acl as acls
from scomod.mo import uri as uris
from scomod.mo.acl import Acl, Right
from scomod.mo.ddf import AccessType
from scomod.mo.node import TITLE_OCTETS, Node, Property, property_value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scomod.mo.handler import Handlers
    from scomod.mo.judge import Judge
    from scomod.mo.nodes import Nodes
    from scomod.mo.store import NodeStore
    from scomod.mo.uri import UriLimits

PROPERTY_NAMES: Final = frozenset(prop.value for prop in Property)


class Properties:
    """Reads and changes properties for a server; raises `CommandError`s."""

    def __init__(
        self,
        store: NodeStore,
        judge: Judge,
        nodes: Nodes,
        handlers: Handlers,
        limits: UriLimits,
    ) -> None:
        self._store = store
        self._judge = judge
        self._nodes = nodes
        self._handlers = handlers
        self._limits = limits

    def read(self, node: Node, name: str) -> str:
        """Return a property as text; who may read it has been judged."""
        prop = _known(name)
        if prop is Property.SIZE:  # it would tell the length of a secret
            self._judge.require_access(AccessType.GET, node.path)
        return property_value(self._nodes.computed(node), prop)

    def replace(self, node: Node, name: str, server_id: str, value: bytes) -> None:
        """Change a property, with the right that this property needs."""
        prop = _known(name)
        change = CHANGES.get(prop)
        if change is None:
            raise NotAllowed(f"the property {prop} cannot be replaced")
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadFormat(f"the property {prop} is not UTF-8") from error
        change(self, node, server_id, text)

    def _replace_acl(self, node: Node, server_id: str, text: str) -> None:
        """Change an ACL; a Replace right on the leaf itself does not count (omadm §7.4)."""
        above = uris.parent(node.path)
        if not (above and self._judge.allows(Right.REPLACE, above, server_id)):
            if not node.is_interior:
                raise PermissionDenied(f"{server_id} has no Replace right on {above}")
            self._judge.require(Right.REPLACE, node.path, server_id)
        acl = Acl.parse(text)
        if node.path == uris.ROOT and acls.EVERYONE not in acl.entries.get(Right.ADD, ()):
            raise NotAllowed("the root keeps Add=*")
        self._nodes.write(dataclasses.replace(node, acl=str(acl)))

    def _replace_title(self, node: Node, server_id: str, text: str) -> None:
        self._judge.require(Right.REPLACE, node.path, server_id)
        self.set_title(node, text)

    def set_title(self, node: Node, text: str) -> None:
        """Give a node its title, which nobody else judges; raises `TooLarge`."""
        if len(text.encode()) > TITLE_OCTETS:
            raise TooLarge(f"a title has at most {TITLE_OCTETS} octets")
        self._nodes.write(dataclasses.replace(node, title=text))

    def _replace_name(self, node: Node, server_id: str, text: str) -> None:
        """Rename; only nodes whose name the DDF leaves open, and not while they are in use."""
        self._judge.require(Right.REPLACE, node.path, server_id)
        self._judge.require_access(AccessType.REPLACE, node.path)
        self._judge.require_dynamic(node.path)
        new_path = uris.join(uris.parent(node.path), uris.segment(text))
        if not self._judge.is_same_place(new_path, node.path):
            raise NotAllowed(f"{node.path} has a fixed name")
        for each in (node.path, *self._store.descendants(node.path)):
            uris.check(new_path + each.removeprefix(node.path), self._limits)
        if new_path == node.path:
            return
        if self._store.get(new_path) is not None:
            raise NodeExists(f"{new_path} exists")
        self._handlers.handler_for(node.path).guard_rename(node.path)
        self._store.rename(node.path, new_path)


def _known(name: str) -> Property:
    if name not in PROPERTY_NAMES:
        raise NotSupported(f"no property {name}")
    return Property(name)


CHANGES: Final[Mapping[Property, Callable[[Properties, Node, str, str], None]]] = {
    Property.ACL: Properties._replace_acl,  # noqa: SLF001 - the table belongs to the class
    Property.NAME: Properties._replace_name,  # noqa: SLF001 - the table belongs to the class
    Property.TITLE: Properties._replace_title,  # noqa: SLF001 - the table belongs to the class
}
