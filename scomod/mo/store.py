"""SQL over the table of nodes, and nothing else: no rights, no rules, no transactions.

Paths are canonical (`uri.py`).  A subtree is a range of the primary key: what lies
below "./A" sorts between "./A/" and "./A0", as "0" follows "/".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod.mo import uri
from scomod.mo.node import Format, Node

if TYPE_CHECKING:
    from scomod.db import Database, SqlValue

COLUMNS: Final = "path, format, type, acl, title, value, tstamp_s, verno, owner"
BELOW: Final = "path > :path || '/' AND path < :path || '0'"

GET: Final = f"SELECT {COLUMNS} FROM node WHERE path = ?"  # noqa: S608 - constants only
INSERT: Final = f"INSERT INTO node ({COLUMNS}, parent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - constants only
UPDATE: Final = (
    "UPDATE node SET format = ?, type = ?, acl = ?, title = ?, value = ?, tstamp_s = ?,"
    " verno = ?, owner = ? WHERE path = ?"
)
CHILDREN: Final = "SELECT path FROM node WHERE parent = ? ORDER BY path"
COUNT_CHILDREN: Final = "SELECT COUNT(*) FROM node WHERE parent = ?"
DESCENDANTS: Final = f"SELECT path FROM node WHERE {BELOW} ORDER BY path"  # noqa: S608 - constants only
DELETE: Final = f"DELETE FROM node WHERE path = :path OR ({BELOW})"  # noqa: S608 - constants only
RENAME: Final = f"""
    UPDATE node SET
        path = :new || substr(path, :rest),
        parent = CASE WHEN path = :path THEN parent ELSE :new || substr(parent, :rest) END
    WHERE path = :path OR ({BELOW})"""  # noqa: S608 - constants only
ACLS: Final = "SELECT path, acl FROM node WHERE acl <> '' ORDER BY path"
SET_ACL: Final = "UPDATE node SET acl = ? WHERE path = ?"


class NodeStore:
    """The nodes of one database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, path: str) -> Node | None:
        """Return the node at a path."""
        row = self._db.execute(GET, (path,)).fetchone()
        if row is None:
            return None
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
        )

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

    def children(self, path: str) -> list[str]:
        """Return the names below a node, sorted."""
        return [uri.name(row[0]) for row in self._db.execute(CHILDREN, (path,))]

    def count_children(self, path: str) -> int:
        """Return how many nodes are directly below."""
        return int(self._db.execute(COUNT_CHILDREN, (path,)).fetchone()[0])

    def descendants(self, path: str) -> list[str]:
        """Return the paths of all nodes below, parents first."""
        return [row[0] for row in self._db.execute(DESCENDANTS, {"path": path})]

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


def _facts(node: Node) -> tuple[str, str, str, str, bytes | None, int, int, str]:
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
    )
