# SPDX-License-Identifier: Apache-2.0
"""SQL over the table of nodes, and nothing else: no rights, no rules, no transactions.

Paths are canonical (`uri.py`).  A subtree is a range of the primary key: what lies
below "./A" sorts between "./A/" and "./A0", as "0" follows "/".  Long values are files
beside the database (`blob.py`); after each transaction those that no row names go.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from scomod.errors import StoreError
from scomod.mo import uri
from scomod.mo.node import Blob, Format, Node, is_long

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scomod.db import Database, SqlValue
    from scomod.mo.blob import BlobStore, FileBody, Incoming

COLUMNS: Final = "path, format, type, acl, title, value, tstamp_s, verno, owner, blob, blob_bytes"
BELOW: Final = "path > :path || '/' AND path < :path || '0'"

GET: Final = f"SELECT {COLUMNS} FROM node WHERE path = ?"  # noqa: S608 - constants only
INSERT: Final = (
    f"INSERT INTO node ({COLUMNS}, parent)"  # noqa: S608 - constants only
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
UPDATE: Final = (
    "UPDATE node SET format = ?, type = ?, acl = ?, title = ?, value = ?, tstamp_s = ?,"
    " verno = ?, owner = ?, blob = ?, blob_bytes = ? WHERE path = ?"
)
CHILDREN: Final = "SELECT path FROM node WHERE parent = ? ORDER BY path"
NODES_BELOW: Final = f"SELECT {COLUMNS} FROM node WHERE parent = ? ORDER BY path"  # noqa: S608 - constants only
CHILDREN_ACLS: Final = "SELECT path, acl FROM node WHERE parent = ? ORDER BY path"
COUNT_CHILDREN: Final = "SELECT COUNT(*) FROM node WHERE parent = ?"
DESCENDANTS: Final = f"SELECT path FROM node WHERE {BELOW} ORDER BY path"  # noqa: S608 - constants only
VALUES_BELOW: Final = (
    f"SELECT path, CAST(value AS TEXT) FROM node WHERE {BELOW}"  # noqa: S608 - constants only
    " AND substr(path, -length(:end)) = :end"
    " AND CAST(value AS TEXT) IN (SELECT value FROM json_each(:any))"
)
DELETE: Final = f"DELETE FROM node WHERE path = :path OR ({BELOW})"  # noqa: S608 - constants only
RENAME: Final = f"""
    UPDATE node SET
        path = :new || substr(path, :rest),
        parent = CASE WHEN path = :path THEN parent ELSE :new || substr(parent, :rest) END
    WHERE path = :path OR ({BELOW})"""  # noqa: S608 - constants only
ACLS: Final = "SELECT path, acl FROM node WHERE acl <> '' ORDER BY path"
SET_ACL: Final = "UPDATE node SET acl = ? WHERE path = ?"
BLOBS: Final = "SELECT DISTINCT blob FROM node WHERE blob IS NOT NULL"


class NodeStore:
    """The nodes of one database; making it removes the files that a crash left behind."""

    def __init__(self, db: Database, blobs: BlobStore) -> None:
        self._db = db
        self._blobs = blobs
        blobs.sweep(self._named())
        db.on_transaction_end(self._forget_files)

    def get(self, path: str) -> Node | None:
        """Return the node at a path."""
        row = self._db.execute(GET, (path,)).fetchone()
        if row is None:
            return None
        return _node(row)

    def insert(self, node: Node) -> None:
        """Make a node; its parent must be there."""
        self._db.execute(INSERT, (node.path, *_facts(node), uri.parent(node.path)))

    def update(self, node: Node) -> None:
        """Write all facts of a node that exists."""
        self._db.execute(UPDATE, (*_facts(node), node.path))

    def delete(self, path: str) -> None:
        """Delete a node and all below it."""
        self._db.execute(DELETE, {"path": path})

    def rename(self, path: str, new_path: str) -> None:
        """Move a node and all below it to a new name below the same parent."""
        values: dict[str, SqlValue] = {"path": path, "new": new_path, "rest": len(path) + 1}
        self._db.execute(RENAME, values)

    def below(self, path: str) -> Iterator[Node]:
        """Yield the nodes directly below one, by path, read as they are asked for."""
        for row in self._db.execute(NODES_BELOW, (path,)):
            yield _node(row)

    def children(self, path: str) -> list[str]:
        """Return the names below a node, sorted."""
        return [uri.name(row[0]) for row in self._db.execute(CHILDREN, (path,))]

    def children_acls(self, path: str) -> Iterator[tuple[str, str]]:
        """Yield the names below a node with their own ACLs, sorted."""
        for row in self._db.execute(CHILDREN_ACLS, (path,)):
            yield uri.name(row[0]), row[1]

    def count_children(self, path: str) -> int:
        """Return how many nodes are directly below."""
        return int(self._db.execute(COUNT_CHILDREN, (path,)).fetchone()[0])

    def descendants(self, path: str) -> list[str]:
        """Return the paths of all nodes below, parents first."""
        return [row[0] for row in self._db.execute(DESCENDANTS, {"path": path})]

    def values_below(self, path: str, name: str, values: Iterable[str]) -> list[tuple[str, str]]:
        """Return (path, value) of the nodes of a name below one that have one of the values."""
        wanted = json.dumps([str(value) for value in values])
        found = self._db.execute(VALUES_BELOW, {"path": path, "end": f"/{name}", "any": wanted})
        return [(str(row[0]), str(row[1])) for row in found]

    def acl_chain(self, path: str) -> list[str]:
        """Return the own ACLs of a node and its ancestors, the root last."""
        chain = []
        while path:
            row = self._db.execute("SELECT acl FROM node WHERE path = ?", (path,)).fetchone()
            chain.append("" if row is None else str(row[0]))
            path = uri.parent(path)
        return chain

    def acls(self) -> list[tuple[str, str]]:
        """Return all (path, ACL) of nodes that have one of their own."""
        return list(self._db.execute(ACLS))

    def set_acl(self, path: str, acl: str) -> None:
        """Write the own ACL of a node."""
        self._db.execute(SET_ACL, (acl, path))

    # -- long values ----------------------------------------------------------

    def receive(self, size_bytes: int) -> Incoming:
        """Return the place for a value to come; raises `DeviceFull` if it cannot fit."""
        self._blobs.require_room(size_bytes)
        return self._blobs.receive()

    def body(self, blob: Blob) -> FileBody:
        """Open a long value; raises `StorageFailed`."""
        return self._blobs.body(blob)

    def settled(self, node: Node, *, wants_file: bool) -> Node:
        """Return the node with its value in a file if that is long or wanted there.

        Only binary values move, and none that is empty; raises `DeviceFull`.
        """
        if node.format is not Format.BIN or not node.value:
            return node
        if not wants_file and not is_long(len(node.value)):
            return node
        return dataclasses.replace(node, value=None, blob=self._blobs.keep(node.value))

    def _named(self) -> set[str]:
        return {row[0] for row in self._db.execute(BLOBS)}

    def _forget_files(self) -> None:
        # Without the rows nothing is known to be unwanted; the next start looks again.
        if not self._blobs.is_empty:
            with contextlib.suppress(StoreError):
                self._blobs.keep_only(self._named())


def _node(row: Any) -> Node:
    """Return a row, in the order of `COLUMNS`, as a node."""
    return Node(
        path=row[0],
        format=Format(row[1]),
        type=row[2],
        acl=row[3],
        title=row[4],
        value=row[5],
        tstamp_s=row[6],
        verno=row[7],
        owner=row[8],
        blob=Blob(sha256=row[9], size_bytes=row[10]) if row[9] else None,
    )


def _facts(
    node: Node,
) -> tuple[str, str, str, str, bytes | None, int, int, str, str | None, int]:
    """Return what a row holds beside the path, in the order of `COLUMNS`."""
    return (
        node.format,
        node.type,
        node.acl,
        node.title,
        node.value,
        node.tstamp_s,
        node.verno,
        node.owner,
        node.blob.sha256 if node.blob else None,
        node.blob.size_bytes if node.blob else 0,
    )
