# SPDX-License-Identifier: Apache-2.0
"""Commands of a server on whole sub-trees: "?list=" and TNDS (omadm §7.3, §7.6).

Between the tree, which judges and knows no syntax, and `tnds`, which has no tree.
Single nodes are `treecommands`; savepoints are its business too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from scomod.dmclient import tnds, tndswriter
from scomod.dmclient.codec import Encoding
from scomod.dmclient.model import Add, Item, Meta, Replace
from scomod.dmclient.upload import Octets
from scomod.errors import IncompleteCommand, TooLarge
from scomod.mo import uri as uris
from scomod.mo.tnds import described, selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scomod.dmclient.model import ItemCommand
    from scomod.mo.blob import Incoming
    from scomod.mo.node import Blob, Node
    from scomod.mo.tree import Tree
    from scomod.settings import Subtree

STRUCTURE: Final = "Struct"
STRUCTURE_AND_DATA: Final = "StructData"
ITEM_BYTES: Final = 192  # what stands around URI and value of one node in a message, at most
SYNTAX: Final = {Encoding.XML: tnds.Syntax.XML, Encoding.WBXML: tnds.Syntax.WBXML}


class SubtreeCommands:
    """Executes for one server; `encoding` is that of the session."""

    def __init__(self, tree: Tree, *, server_id: str, encoding: Encoding, limits: Subtree) -> None:
        self._tree = tree
        self._server_id = server_id
        self._syntax = SYNTAX[encoding]
        self._limits = limits

    def get(self, uri: str, room_bytes: int) -> list[tuple[Item, ...]] | None:
        """Return the items of the Results that answer a Get with "?list=", else None.

        Struct and StructData: no Results is larger than `room_bytes`, as far as its nodes
        can be parted.  TNDS: one item.  Raises `CommandError`s.
        """
        address = uris.parse(uri, self._tree.limits)
        if address.list is None:
            return None
        if address.list in (STRUCTURE, STRUCTURE_AND_DATA):
            nodes = self._tree.listing(address.path, self._server_id)
            items = self._items(nodes, has_data=address.list == STRUCTURE_AND_DATA)
            return list(_parted(self._limited(items), room_bytes))
        wanted = selection(address.list)
        return [(self._document(address.path, wanted, room_bytes),)]

    @staticmethod
    def are_in(command: ItemCommand, item: Item, meta: Meta) -> bool:
        """Tell whether an item brings a sub-tree, by its type or by the element in it."""
        is_tree = item.tree is not None and tnds.is_document(item.tree)
        return isinstance(command, Add | Replace) and (is_tree or tnds.is_media_type(meta.type))

    def receive(self, size_bytes: int) -> Incoming:
        """Return the place for a document that comes in chunks; raises `TooLarge`."""
        if size_bytes > self._limits.max_document_bytes:
            raise TooLarge(f"a TNDS of {size_bytes} octets")
        return self._tree.receive_document(size_bytes)

    def change(self, command: ItemCommand, uri: str, item: Item, blob: Blob | None) -> None:
        """Add or replace what an item brings, `blob` if it came in chunks and is long.

        Raises the `CommandError` of the first node that fails.
        """
        source = self._tree.octets(blob) if blob else item.tree or item.data
        if source is None:
            raise IncompleteCommand("the item has no Data")
        document = tnds.decode(
            source,
            max_bytes=self._limits.max_document_bytes,
            max_nodes_count=self._limits.max_nodes_count,
            max_depth_count=self._limits.max_depth_count,
        )
        if isinstance(command, Add):
            self._tree.add_tnds(uri, self._server_id, document)
        else:
            self._tree.replace_tnds(uri, self._server_id, document)

    # -- TNDS -----------------------------------------------------------------

    def _document(self, path: str, wanted: frozenset[str], room_bytes: int) -> Item:
        nodes = self._tree.listing(path, self._server_id)
        octets = tndswriter.encode(
            (described(self._short(node), path, wanted) for node in nodes),
            self._syntax,
            max_bytes=self._limits.max_listed_bytes,
        )
        return Item(
            source=path,
            meta=Meta(format=self._syntax.carried_as, type=self._syntax),
            # What is no message is not even tried as one: that would be three copies of it.
            data=octets if len(octets) <= room_bytes else None,
            body=Octets(octets) if len(octets) > room_bytes else None,
        )

    def _short(self, node: Node) -> Node:
        """Return a node with its value in memory: a document is one piece."""
        body = self._tree.body(node)
        if body is None:
            return node
        if body.size_bytes > self._limits.max_listed_bytes:
            raise TooLarge(f"{node.path} has {body.size_bytes} octets")
        return replace(node, value=body.read(0, body.size_bytes), blob=None)

    # -- Struct, StructData -----------------------------------------------------

    def _items(self, nodes: Iterable[Node], *, has_data: bool) -> Iterator[Item]:
        metas: dict[tuple[str, str], Meta] = {}  # few kinds, many nodes
        for node in nodes:
            body = self._tree.body(node) if has_data else None
            meta = Meta(format=node.format, type=node.type or None)
            yield Item(
                source=node.path,
                meta=metas.setdefault((node.format, node.type), meta),
                data=node.value if has_data and body is None else None,
                body=body,
            )

    def _limited(self, items: Iterable[Item]) -> Iterator[Item]:
        left = self._limits.max_listed_bytes
        for item in items:
            left -= _size_bytes(item)
            if left < 0:
                raise TooLarge(f"a list of more than {self._limits.max_listed_bytes} octets")
            yield item


def _parted(items: Iterable[Item], room_bytes: int) -> Iterator[tuple[Item, ...]]:
    """Part items so that each part fits; one that is too large alone goes as a large object."""
    part: list[Item] = []
    size_bytes = 0
    for item in items:
        more_bytes = _size_bytes(item)
        if part and (size_bytes + more_bytes > room_bytes or item.body is not None):
            yield tuple(part)
            part, size_bytes = [], 0
        part.append(item)
        size_bytes += more_bytes
        if item.body is not None:
            yield tuple(part)
            part, size_bytes = [], 0
    if part:
        yield tuple(part)


def _size_bytes(item: Item) -> int:
    """Return about how long an item is in a message; base64 adds a third."""
    carried = len(item.source or "") + len(item.data or b"") * 4 // 3
    return carried + len(item.meta.type or "" if item.meta else "") + ITEM_BYTES
