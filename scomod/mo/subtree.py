# SPDX-License-Identifier: Apache-2.0
"""Whole sub-trees that a server adds or replaces at once (omadm §7.6, TNDS).

Nothing is allowed here that would not be allowed node by node: each node is judged as
the Add, Replace or Delete that would do the same, and the first that fails is the
error of all.  The caller has a savepoint: half a sub-tree is never kept (adr/0013).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scomod.errors import BadFormat
from scomod.mo import tnds
from scomod.mo import uri as uris
from scomod.mo.acl import Acl, Right
from scomod.mo.ddf import AccessType
from scomod.mo.node import Format, Property, decode_base64
from scomod.mo.registry import INBOX_ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scomod.mo.handler import Handlers
    from scomod.mo.judge import Judge
    from scomod.mo.node import Node
    from scomod.mo.nodes import Nodes
    from scomod.mo.properties import Properties
    from scomod.mo.store import NodeStore
    from scomod.mo.tnds import TndsNode
    from scomod.mo.tree import Tree

    Placed = list[tuple[str, TndsNode]]


class Subtrees:
    """Carries out TNDS commands by the commands of the tree for single nodes."""

    def __init__(
        self,
        tree: Tree,
        *,
        store: NodeStore,
        judge: Judge,
        nodes: Nodes,
        properties: Properties,
        handlers: Handlers,
    ) -> None:
        self._tree = tree
        self._store = store
        self._judge = judge
        self._nodes = nodes
        self._properties = properties
        self._handlers = handlers

    def add(self, path: str, server_id: str, document: Sequence[TndsNode]) -> None:
        """Make the nodes of a document, at or below a path; to ./Inbox: where they belong."""
        if uris.is_below(path, INBOX_ROOT) or any(map(tnds.is_unnamed, document)):
            self._judge.existing(INBOX_ROOT)
            self._judge.require(Right.ADD, INBOX_ROOT, server_id)
            self._handlers.handler_for(INBOX_ROOT).deposit(document)
            return
        is_new = self._store.get(path) is None
        places = tnds.placed(document, path, is_target_meant=is_new)
        there = self._there(places)
        for at, node in places:
            self._add(at, node, server_id, is_made_on_the_way=at not in there)
        self._set_properties(places, server_id, there)

    def replace(self, path: str, server_id: str, document: Sequence[TndsNode]) -> None:
        """Make a sub-tree say what the document says; permanent nodes stay.

        A leaf that says it already, and that the server may read, is left alone; so is
        what the document does not mention of a node that stays: its value, ACL, title.
        """
        self._judge.existing(path)
        self._judge.require(Right.REPLACE, path, server_id)
        self._judge.require_access(AccessType.REPLACE, path)
        places = tnds.placed(document, path, is_target_meant=True)
        there = self._there(places)
        self._delete_absent(path, places, server_id)
        for at, node in places:
            if at in there:
                self._renew(self._judge.existing(at), node, server_id)
            else:
                self._add(at, node, server_id, is_made_on_the_way=True)
        self._set_properties(places, server_id, there)

    def _add(self, at: str, node: TndsNode, server_id: str, *, is_made_on_the_way: bool) -> None:
        """Make one node; one that a handler made with its parent only gets its value."""
        made = self._store.get(at) if is_made_on_the_way else None
        if made is not None:
            self._renew(made, node, server_id)
            return
        form, value = self._carried(at, node)
        self._tree.add(at, server_id, format=form, type=node.type or None, value=value)

    def _renew(self, old: Node, node: TndsNode, server_id: str) -> None:
        """Give a node that is there the value of the document."""
        form, value = self._carried(old.path, node)
        if old.is_interior != (form is Format.NODE or (form is None and old.is_interior)):
            raise BadFormat(f"{old.path} has format {old.format}")
        if old.is_interior or value is None:
            return
        new = self._judge.described(old.path, form, node.type or None, value)
        if self._is_readable(old.path, server_id) and self._octets(old) == new.value:
            return
        self._tree.replace(old.path, server_id, format=form, type=node.type or None, value=value)

    def _carried(self, at: str, node: TndsNode) -> tuple[Format | None, bytes | None]:
        """Return format and value as a command for the one node would carry them."""
        form = Format.NODE if node.is_interior else node.format
        is_bin = self._judge.rule(at).format is Format.BIN
        if form is None and node.value is not None and is_bin:
            return Format.BIN, _octets_of_text(node.value)
        return form, node.value

    def _is_readable(self, path: str, server_id: str) -> bool:
        """Tell whether the server may know that a value is the one it sends."""
        access = self._judge.rule(path).access
        return AccessType.GET in access and self._judge.allows(Right.GET, path, server_id)

    def _octets(self, node: Node) -> bytes | None:
        """Return a value to compare; a long one counts as another, whatever it says."""
        return self._nodes.computed(node).value

    def _delete_absent(self, path: str, places: Placed, server_id: str) -> None:
        """Delete what the document does not have, from the top down."""
        kept = {above for at, _ in places for above in _way(path, at)}
        gone: set[str] = set()
        for each in self._store.descendants(path):
            if uris.parent(each) in gone:
                # not simply what follows: "x-y" stands between "x" and "x/z"
                gone.add(each)
            elif each not in kept and not self._judge.rule(each).is_permanent:
                self._tree.delete(each, server_id)
                gone.add(each)

    def _there(self, places: Placed) -> set[str]:
        """Return which of the nodes there are before anything is done."""
        return {at for at, _ in places if self._store.get(at) is not None}

    def _set_properties(self, places: Placed, server_id: str, there: set[str]) -> None:
        """Set titles and ACLs, the deepest first: a new ACL may take the right to the next.

        The title of a new node is part of adding it; its ACL is not (omadm §7.4).
        """
        for at, node in reversed(places):
            title, acl = node.property(Property.TITLE), node.property(Property.ACL)
            now = self._judge.existing(at)
            if title is not None and title != now.title:
                if at in there:
                    self._properties.replace(now, Property.TITLE, server_id, title.encode())
                else:
                    self._properties.set_title(now, title)
                now = self._judge.existing(at)
            if acl is not None and str(Acl.parse(acl)) != now.acl:
                self._properties.replace(now, Property.ACL, server_id, acl.encode())


def _way(path: str, at: str) -> list[str]:
    """Return the node and its ancestors down from a path."""
    way = []
    while at != path:
        way.append(at)
        at = uris.parent(at)
    return way


def _octets_of_text(value: bytes) -> bytes:
    """Return the octets of a binary value whose Format was left out: base64, or as they are."""
    try:
        return decode_base64(value)
    except BadFormat:
        return value
