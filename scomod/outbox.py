"""Generic Alerts that wait for a Status of the server (table `alert`).

A row is written in the transaction that ends an operation and leaves when the
server has taken it (I18): an alert may be sent twice, never lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scomod.db import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxAlert:
    """One OperationComplete alert (scomo §4.1); `data` is the text of Item/Data."""

    id: int = 0
    operation_id: int
    server_id: str
    correlator: str | None
    source: str
    target: str
    type: str
    mark: str
    data: str
    created_s: float
    sent_count: int = 0


_FIELDS = "operation_id, server_id, correlator, source, target, type, mark, data, created_s"


class Outbox:
    """Alerts on flash."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def insert(self, alert: OutboxAlert) -> None:
        """Queue an alert; part of the transaction that ends the operation."""
        self._db.execute(
            f"INSERT INTO alert ({_FIELDS}) VALUES (?,?,?,?,?,?,?,?,?)",  # noqa: S608 - fixed names
            (
                alert.operation_id,
                alert.server_id,
                alert.correlator,
                alert.source,
                alert.target,
                alert.type,
                alert.mark,
                alert.data,
                alert.created_s,
            ),
        )

    def waiting(self, server_id: str | None = None) -> list[OutboxAlert]:
        """Return the alerts that wait (for one server), oldest first."""
        where, parameters = ("", ()) if server_id is None else (" WHERE server_id=?", (server_id,))
        query = f"SELECT id, {_FIELDS}, sent_count FROM alert{where} ORDER BY id"  # noqa: S608 - fixed names
        names = ("id", *_FIELDS.split(", "), "sent_count")
        return [
            OutboxAlert(**dict(zip(names, row, strict=True)))
            for row in self._db.execute(query, parameters)
        ]

    def delivered(self, alert_id: int) -> None:
        """Drop an alert that the server has taken, or refused for good."""
        self._db.execute("DELETE FROM alert WHERE id=?", (alert_id,))

    def count_sent(self, server_id: str) -> None:
        """Remember that the waiting alerts of a server went out once more."""
        self._db.execute("UPDATE alert SET sent_count=sent_count+1 WHERE server_id=?", (server_id,))
