# SPDX-License-Identifier: Apache-2.0
"""SQL over what Inventory/Deployed shows of each component: node, digest, ACL; nothing else.

One query tells what 10,000 components looked like when they were written, so that a
look at the device need not read their 100,000 nodes.  Rows change in the transaction
that changes the nodes (I5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scomod.db import Database

BELOW: Final = "path > :base || '/' AND path < :base || '0'"
ALL: Final = f"SELECT id, path, digest, acl, rule FROM component WHERE {BELOW}"  # noqa: S608 - constants only
FIND: Final = f"SELECT path FROM component WHERE id = :id AND {BELOW}"  # noqa: S608 - constants only
PUT: Final = "INSERT OR REPLACE INTO component (id, path, digest, acl, rule) VALUES (?, ?, ?, ?, ?)"
DROP: Final = "DELETE FROM component WHERE id = ? AND path = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What was written last: the node, the digest of its leaves, the ACL it was given.

    `rule` is the ACL that its owner alone would have given it then, "" if nobody knows.
    """

    path: str
    digest: bytes
    acl: str
    rule: str


class Components:
    """The rows below one node, `base`; part of the caller's transaction."""

    def __init__(self, db: Database, base: str) -> None:
        self._db = db
        self._base = base

    def all(self) -> dict[str, Shown]:
        """Return what is shown, by component id."""
        rows = self._db.execute(ALL, {"base": self._base})
        return {
            id_: Shown(path=path, digest=digest, acl=acl, rule=rule)
            for id_, path, digest, acl, rule in rows
        }

    def find(self, component_id: str) -> str | None:
        """Return the path of a component's node, or None."""
        row = self._db.execute(FIND, {"base": self._base, "id": component_id}).fetchone()
        return None if row is None else str(row[0])

    def put(self, component_id: str, shown: Shown) -> None:
        """Note what was written of a component."""
        self._db.execute(PUT, (component_id, shown.path, shown.digest, shown.acl, shown.rule))

    def drop(self, component_id: str, path: str) -> None:
        """Forget a component whose node is gone."""
        self._db.execute(DROP, (component_id, path))
