# SPDX-License-Identifier: Apache-2.0
"""The management tree: what servers and the device itself may do with nodes (omadm §7).

The one door to the nodes.  A server's command is judged in a fixed order: does the
node exist (`NodeNotFound`), may this server do that (`PermissionDenied`), can anybody
do that here (`NotAllowed`), are the parameters good.  Handlers never judge rights
(I11).  The local side is exempt from the ACL, not from the DDF, and a local mistake
is a `LocalProtocolError`.

Nothing here opens a transaction: the caller has one, and a caller that goes on after
an error wraps the command in a savepoint, for a handler may raise half way.
Reading and sub-trees have rooms of their own: `reading`, `listing`, `subtree`.
"""

from __future__ import annotations

import contextlib
import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING

from scomod.errors import (
    CommandError,
    LocalProtocolError,
    NodeExists,
    NotAllowed,
    NotSupported,
    TooLarge,
)
from scomod.mo import acl as acls
from scomod.mo import uri as uris
from scomod.mo.acl import Acl, Right
from scomod.mo.ddf import AccessType, Ddf
from scomod.mo.judge import Judge
from scomod.mo.node import Blob, Node, check_value, decoded_bytes, is_long
from scomod.mo.nodes import Nodes
from scomod.mo.properties import Properties
from scomod.mo.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scomod.clock import Clock
    from scomod.mo.blob import FileBody, Incoming
    from scomod.mo.handler import ExecRequest, Handlers
    from scomod.mo.reading import Reading
    from scomod.mo.store import NodeStore
    from scomod.mo.subtree import Subtrees
    from scomod.mo.tnds import TndsNode
    from scomod.mo.uri import Uri, UriLimits


class Tree:
    """The tree of one device; `limits` are those that ./DevDetail/URI publishes."""

    def __init__(
        self, store: NodeStore, ddf: Ddf, registry: Handlers, limits: UriLimits, clock: Clock
    ) -> None:
        self._store = store
        self._ddf = ddf
        self._registry = registry
        self._judge = Judge(store, ddf, registry)
        self._nodes = Nodes(store, self._judge, registry, clock)
        self._properties = Properties(store, self._judge, self._nodes, registry, limits)
        self._reader = Reader(store, self._judge, self._nodes, self._properties, registry)
        self.limits = limits

    @cached_property
    def _subtrees(self) -> Subtrees:
        from scomod.mo.subtree import Subtrees  # noqa: PLC0415 - few servers send sub-trees

        return Subtrees(
            self,
            store=self._store,
            judge=self._judge,
            nodes=self._nodes,
            properties=self._properties,
            handlers=self._registry,
        )

    # What a server may ask.  All raise `CommandError`s.

    def get(self, uri: str, server_id: str) -> Reading:
        """Read a value, the names of the children, or a property (omadm §7.3)."""
        address = self._address(uri, server_id)
        if address.list is not None:
            raise NotSupported(f"?list={address.list} is not supported")
        if address.prop is not None:
            return self._reader.property(uri, address.path, address.prop, server_id)
        return self._reader.value(uri, address.path, server_id)

    def listing(self, uri: str, server_id: str) -> Iterator[Node]:
        """Return the nodes from one on that a server may Get, parents first (omadm §7.3).

        What may follow "?list=" is the caller's business.
        """
        from scomod.mo.listing import walk  # noqa: PLC0415 - few servers ask for sub-trees

        node = self._reader.readable(self._address(uri, server_id).path, server_id)
        self._judge.require_access(AccessType.GET, node.path)

        def may_get(acl: Acl, path: str) -> bool:
            return self._judge.grants(acl, Right.GET, path, server_id)

        found = walk(self._store, self._ddf, self._nodes, node, may_get)
        handler_for = self._registry.handler_for
        return (handler_for(each.path).shown(each, server_id) for each in found)

    def shows_below(self, uri: str, server_id: str, place: str) -> bool:
        """Tell whether a Get of a URI is about a place: at it, below it, or a list of both."""
        address = self._address(uri, server_id)
        is_list = address.list is not None and uris.is_below(place, address.path)
        return is_list or uris.is_below(address.path, place)

    def body(self, node: Node) -> FileBody | None:
        """Open the long value of a node that `listing` gave; None if its value is short."""
        return self._store.body(node.blob) if node.blob else None

    def add_tnds(self, uri: str, server_id: str, document: Sequence[TndsNode]) -> None:
        """Make all nodes of a document, at or below a node (omadm §7.6)."""
        self._subtrees.add(self._plain(uri, server_id), server_id, document)

    def replace_tnds(self, uri: str, server_id: str, document: Sequence[TndsNode]) -> None:
        """Make a sub-tree what a document says (omadm §7.6)."""
        self._subtrees.replace(self._plain(uri, server_id), server_id, document)

    def add(
        self,
        uri: str,
        server_id: str,
        *,
        format: str | None,  # noqa: A002 - the word of the standard
        type: str | None,  # noqa: A002 - the word of the standard
        value: bytes | Blob | None,
    ) -> None:
        """Make a node, and the interior nodes on the way to it (omadm §7.6).

        What is None comes from the DDF.  A value of format b64 for a `bin` node is the
        base64 text; it is decoded here, where the node's format is known.  A long value
        that came by `receive` is a `Blob`.
        """
        path = self._plain(uri, server_id)
        if self._store.get(path) is not None:
            raise NodeExists(f"{path} exists")
        ancestor = self._judge.nearest(path)
        missing = _between(ancestor.path, path)
        with _blaming(missing[0], path):
            self._judge.require(Right.ADD, ancestor.path, server_id)
            if not ancestor.is_interior:
                raise NotAllowed(f"{ancestor.path} is a leaf")
        for each in missing:
            with _blaming(each, path):
                self._judge.require_addable(each)
        node = self._judge.described(path, format, type, value)
        if not node.is_interior:
            self._registry.handler_for(path).guard_value(path, node.value or b"")
        for each in missing if node.is_interior else missing[:-1]:
            self._add_interior(each, server_id)
        if not node.is_interior:
            # A handler may have made the leaf with its parent: then it only gets its value.
            made = self._store.get(path) or dataclasses.replace(node, owner=server_id)
            self._nodes.write(
                dataclasses.replace(made, type=node.type, value=node.value, blob=node.blob)
            )
            self._registry.handler_for(path).written(path)

    def replace(
        self,
        uri: str,
        server_id: str,
        *,
        format: str | None,  # noqa: A002 - the word of the standard
        type: str | None,  # noqa: A002 - the word of the standard
        value: bytes | Blob | None,
    ) -> None:
        """Change the value of a leaf, or with ?prop= the ACL, Name or Title of any node."""
        address = self._address(uri, server_id)
        node = self._judge.existing(address.path)
        if address.prop is not None:
            if isinstance(value, Blob):
                raise TooLarge("no property is that long")
            self._properties.replace(node, address.prop, server_id, value or b"")
            return
        self._judge.require(Right.REPLACE, node.path, server_id)
        if address.list is not None or node.is_interior:
            raise NotAllowed("only a leaf or a property can be replaced")
        self._judge.require_access(AccessType.REPLACE, node.path)
        new = self._judge.described(node.path, format, type, value)
        handler = self._registry.handler_for(node.path)
        handler.guard_value(node.path, new.value or b"")
        new_type = node.type if type is None else new.type
        self._nodes.write(dataclasses.replace(node, type=new_type, value=new.value, blob=new.blob))
        handler.written(node.path)

    def delete(self, uri: str, server_id: str) -> None:
        """Delete a node with all below it, or nothing (omadm §7.5)."""
        path = self._plain(uri, server_id)
        self._judge.existing(path)
        self._judge.require(Right.DELETE, path, server_id)
        self._judge.require_access(AccessType.DELETE, path)
        self._judge.require_dynamic(path)
        handler = self._registry.handler_for(path)
        handler.guard_delete(path)
        self._store.delete(path)
        handler.deleted(path)

    def copy(self, target: str, source: str, server_id: str) -> None:
        """Copy a leaf to a new or an existing leaf, with the rights of Get and Add or Replace."""
        node = self._judge.existing(self._plain(source, server_id))
        path = self._plain(target, server_id)
        self._judge.require(Right.GET, node.path, server_id)
        self._judge.require_access(AccessType.GET, node.path)
        self._judge.require_access(AccessType.COPY, node.path)
        if node.is_interior:
            raise NotAllowed("only a leaf can be copied")
        put = self.add if self._store.get(path) is None else self.replace
        now = self._nodes.computed(node)
        put(path, server_id, format=node.format, type=node.type, value=now.blob or now.value)

    def execute(self, uri: str, request: ExecRequest) -> bool:
        """Start what a node stands for: True when done, False when a report will follow.

        The handler is told the path as the server wrote it, for the report names it so.
        """
        path = self._plain(uri, request.server_id)
        self._judge.existing(path)
        self._judge.require(Right.EXEC, path, request.server_id)
        self._judge.require_access(AccessType.EXEC, path)
        asked = uris.parse(uri, self.limits).path
        return self._registry.handler_for(path).execute(asked, request)

    def receive(
        self,
        uri: str,
        right: Right,
        server_id: str,
        *,
        format: str | None,  # noqa: A002 - the word of the standard
        size_bytes: int,
    ) -> tuple[Incoming, bool]:
        """Return the place for a value that comes in pieces, and whether they are base64.

        `right` tells for which command, `size_bytes` is the whole as carried (omadm §5).
        What is certain to fail later fails here already, before anything is stored.
        """
        path = self._plain(uri, server_id)
        node = (self._judge.nearest if right is Right.ADD else self._judge.existing)(path)
        self._judge.require(right, node.path, server_id)
        if right is Right.EXEC:
            if is_long(size_bytes):
                raise TooLarge("the argument of an Exec is not that long")
            return self._store.receive(size_bytes), False
        is_base64 = self._judge.is_base64(path, format)
        octets = decoded_bytes(size_bytes) if is_base64 else size_bytes
        self._judge.require_length(path, octets)
        return self._store.receive(octets), is_base64

    def receive_document(self, size_bytes: int) -> Incoming:
        """Return the place for a document that comes in pieces; raises `DeviceFull`."""
        return self._store.receive(size_bytes)

    def octets(self, blob: Blob) -> bytes:
        """Return all of a long value; raises `StorageFailed`."""
        body = self._store.body(blob)
        return body.read(0, body.size_bytes)

    # What the device does itself, with canonical paths.

    def node(self, path: str) -> Node | None:
        """Return the node as stored."""
        return self._store.get(path)

    def value(self, path: str) -> str | None:
        """Return the current value of a leaf as text.

        None for no node, an interior one, and a long value, which is no text for anybody.
        """
        node = self._store.get(path)
        if node is None or node.is_interior:
            return None
        now = self._nodes.computed(node)
        return None if now.blob else (now.value or b"").decode("utf-8", "replace")

    def is_described(self, path: str) -> bool:
        """Tell whether the DDF knows a node at a path, there or not."""
        return self._ddf.rule_for(path) is not None

    def children(self, path: str) -> list[str]:
        """Return the names below a node, sorted; none if there is no such node."""
        return self._store.children(path)

    def put(
        self,
        path: str,
        *,
        format: str | None = None,  # noqa: A002 - the word of the standard
        type: str | None = None,  # noqa: A002 - the word of the standard
        value: str | bytes | Blob | None = None,
        acl: str | None = None,
    ) -> None:
        """Create or change a node, making its parents; writes only what changes.

        What is None stays as it is, or comes from the DDF in a new node.  Raises
        `LocalProtocolError` where the DDF allows no such node, `BadFormat` for a value
        that is none, `BadRequest` for an ACL that is none.  A `Blob` is a value that is a
        file already, here or wherever the object keeps its own.
        """
        rule = self._ddf.rule_for(path)
        if rule is None or format not in (None, rule.format):
            raise LocalProtocolError(f"the DDF has no {format or 'node'} at {path}")
        node = self._store.get(path)
        if node is None:
            self._nodes.make_parents(path)
            node = self._nodes.fresh(path)
        if type is not None:
            node = dataclasses.replace(node, type=type)
        if isinstance(value, Blob):
            node = dataclasses.replace(node, value=None, blob=value)
        elif value is not None:
            octets = value.encode() if isinstance(value, str) else value
            check_value(rule.format, octets)
            node = dataclasses.replace(node, value=octets, blob=None)
        if acl is not None:
            node = dataclasses.replace(node, acl=str(Acl.parse(acl)))
        self._nodes.write(node)

    def plant(self, path: str, acl: str, leaves: Mapping[str, str]) -> None:
        """Make a node that is not there, with leaves by their paths below it; raises as `put`.

        For many at once: nothing is read, as nothing can be there.
        """
        self._nodes.plant(path, str(Acl.parse(acl)), leaves)

    def drop(self, path: str) -> None:
        """Delete a node with all below it, permanent or not; nothing if it is not there."""
        self._store.delete(path)

    def forget_servers(self, is_gone: Callable[[str], bool]) -> None:
        """Remove the server ids that `is_gone` picks from all ACLs (omadm §7.4)."""
        for path, text in self._store.acls():
            known = Acl.parse(text)
            for server_id in filter(is_gone, known.server_ids()):
                is_root = path == uris.ROOT
                known = acls.root_without(known, server_id) if is_root else known.without(server_id)
            if str(known) != text:
                self._store.set_acl(path, str(known))

    # Parts of the above.

    def _address(self, uri: str, server_id: str) -> Uri:
        """Return what a server means by a URI."""
        address = uris.parse(uri, self.limits)
        path = self._registry.handler_for(address.path).real_path(address.path, server_id)
        return dataclasses.replace(address, path=path)

    def _plain(self, uri: str, server_id: str) -> str:
        """Return the path of a URI that must name the node itself."""
        address = self._address(uri, server_id)
        if not address.is_plain:
            raise NotAllowed("the command takes no property and no list")
        return address.path

    def _add_interior(self, path: str, server_id: str) -> None:
        """Make one interior node for a server, unless a handler just did, and tell the handler."""
        if self._store.get(path) is not None:
            return
        may_replace = self._judge.allows(Right.REPLACE, uris.parent(path), server_id)
        acl = "" if may_replace else str(acls.for_creator(server_id))
        self._nodes.write(dataclasses.replace(self._nodes.fresh(path), acl=acl, owner=server_id))
        self._registry.handler_for(path).added(path, server_id)


@contextlib.contextmanager
def _blaming(path: str, wanted: str) -> Iterator[None]:
    """Name the node on the way to the wanted one that cannot be made (omadm §7.6)."""
    try:
        yield
    except CommandError as error:
        if path != wanted:
            error.culprit = path
        raise


def _between(ancestor: str, path: str) -> list[str]:
    """Return the paths below the ancestor down to the path itself, parents first."""
    missing = []
    while path != ancestor:
        missing.append(path)
        path = uris.parent(path)
    return missing[::-1]
