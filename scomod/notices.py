# SPDX-License-Identifier: Apache-2.0
"""Notices for the servers of download descriptors, on flash (table `notice`).

A row is written in the transaction that ends the operation it is about; it is sent until it
is settled, and stays, as what was told to whom, as long as its operation does.

Not which status an end has (`notice`), nor how it is sent (`telling`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from scomod.value import frozen

if TYPE_CHECKING:
    from scomod.db import Database

_NAMES: Final = ("operation_id", "url", "status", "created_s", "tries", "settled_s", "outcome")
_SELECT: Final = f"SELECT {', '.join(_NAMES)} FROM notice"  # noqa: S608 - fixed names


@frozen
class Notice:
    """What is told of one operation: a status of DLOTA, to an address.

    `tries` were begun so far; `settled_s` (wall time) and `outcome` tell how it ended, None
    and "" while it waits.
    """

    operation_id: int
    url: str
    status: int
    created_s: float
    tries: int = 0
    settled_s: float | None = None
    outcome: str = ""


class Notices:
    """The table; every call that writes is part of the caller's transaction."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def insert(self, notice: Notice) -> None:
        """Have something told; the first word about an operation is the last."""
        self._db.execute(
            "INSERT OR IGNORE INTO notice (operation_id, url, status, created_s) VALUES (?,?,?,?)",
            (notice.operation_id, notice.url, notice.status, notice.created_s),
        )

    def waiting(self) -> list[Notice]:
        """Return what is still to be told, oldest first."""
        query = f"{_SELECT} WHERE settled_s IS NULL ORDER BY operation_id"
        return [_notice(row) for row in self._db.execute(query)]

    def all(self) -> dict[int, Notice]:
        """Return every notice that is kept, by operation."""
        return {row[0]: _notice(row) for row in self._db.execute(_SELECT)}

    def count_try(self, notice: Notice) -> Notice:
        """Remember that a notice is about to go out once more; returns it so."""
        counted = replace(notice, tries=notice.tries + 1)
        self._db.execute(
            "UPDATE notice SET tries=? WHERE operation_id=?", (counted.tries, notice.operation_id)
        )
        return counted

    def settle(self, operation_id: int, at_s: float, outcome: str) -> None:
        """Remember that there is nothing more to tell, and why."""
        self._db.execute(
            "UPDATE notice SET settled_s=?, outcome=? WHERE operation_id=?",
            (at_s, outcome, operation_id),
        )


def _notice(row: tuple[Any, ...]) -> Notice:
    return Notice(**dict(zip(_NAMES, row, strict=True)))
