# SPDX-License-Identifier: Apache-2.0
"""What a server reads: a value, the names of children, a property (omadm §7.3).

One node at a time; sub-trees are `listing`'s.  The order of the questions is the
tree's: may anybody read here, is there a node, may this server, can it be read at all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from scomod.mo.acl import Right
from scomod.mo.ddf import AccessType
from scomod.mo.node import Format

if TYPE_CHECKING:
    from scomod.mo.blob import FileBody
    from scomod.mo.handler import Handlers
    from scomod.mo.judge import Judge
    from scomod.mo.node import Node
    from scomod.mo.nodes import Nodes
    from scomod.mo.properties import Properties
    from scomod.mo.store import NodeStore

CHILD_LIST_TYPE: Final = "text/plain"  # omadm §7.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Answer to a Get; `uri` as asked, `format` and `type` are "" for a property.

    A long value is not in `value` but in `body`, to be read piece by piece.
    """

    uri: str
    format: str
    type: str
    value: bytes = field(repr=False)  # it may be a secret (I19)
    body: FileBody | None = None


class Reader:
    """Reads for servers; raises `CommandError`s."""

    def __init__(
        self,
        store: NodeStore,
        judge: Judge,
        nodes: Nodes,
        properties: Properties,
        handlers: Handlers,
    ) -> None:
        self._store = store
        self._judge = judge
        self._nodes = nodes
        self._properties = properties
        self._handlers = handlers

    def readable(self, path: str, server_id: str) -> Node:
        """Return a node that the ACL lets a server Get."""
        self._handlers.handler_for(path).guard_get(path)
        node = self._judge.existing(path)
        self._judge.require(Right.GET, path, server_id)
        return node

    def property(self, uri: str, path: str, name: str, server_id: str) -> Reading:
        """Read a property; `uri` is how the server asked."""
        text = self._properties.read(self.readable(path, server_id), name)
        return Reading(uri=uri, format="", type="", value=text.encode())

    def value(self, uri: str, path: str, server_id: str) -> Reading:
        """Read a value, of an interior node the names below it."""
        node = self.readable(path, server_id)
        self._judge.require_access(AccessType.GET, path)
        if node.is_interior:
            names = "/".join(self._children(path, server_id)).encode()
            return Reading(uri=uri, format=Format.NODE, type=CHILD_LIST_TYPE, value=names)
        now = self._handlers.handler_for(path).shown(self._nodes.computed(node), server_id)
        body = self._store.body(now.blob) if now.blob else None
        return Reading(uri=uri, format=now.format, type=now.type, value=now.value or b"", body=body)

    def _children(self, path: str, server_id: str) -> list[str]:
        if self._handlers.handler_for(path).hides_children(path):
            return self._judge.readable_children(path, server_id)
        return self._store.children(path)
