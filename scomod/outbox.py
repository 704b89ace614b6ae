# SPDX-License-Identifier: Apache-2.0
"""Generic Alerts that wait for a Status of the server (table `alert`).

A row is written in the transaction that ends an operation and leaves when the server
has taken it (I18): an alert may be sent twice, never lost, and is the same each time.
Requests of the device (scomo §4.6) wait here too; no operation is behind them.

Not who builds them (`report`, `updaterequest`), nor how they travel (`dmclient`).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from scomod.codes import DmStatus, is_success
from scomod.value import frozen

if TYPE_CHECKING:
    from scomod.db import Database

# Answers to a report that no repetition will better (scomo §4.4).
FINAL_REFUSALS: Final = (DmStatus.NOT_FOUND, DmStatus.OPTIONAL_FEATURE_NOT_SUPPORTED)


@frozen
class AlertItem:
    """One item: the URI it is about ("" for none) and the text of its Data."""

    target: str = ""
    data: str = ""


@frozen
class OutboxAlert:
    """One generic alert (scomo §4.1): all its items have the source, type and mark.

    `operation_id` is None for what the device asks of a server by itself.
    """

    id: int = 0
    operation_id: int | None
    server_id: str
    correlator: str | None
    source: str
    type: str
    mark: str
    items: tuple[AlertItem, ...]
    created_s: float
    sent_count: int = 0

    @property
    def is_request(self) -> bool:
        """Tell whether the device asks something, instead of reporting."""
        return self.operation_id is None

    def is_settled_by(self, status: int) -> bool:
        """Tell whether this answer of the server is the last word (scomo §4.4).

        A request is settled as soon as the server has judged it: only one that failed
        at the server, or is asked to come back, is made again.
        """
        if self.is_request:
            return status < DmStatus.COMMAND_FAILED and status != DmStatus.RETRY_LATER
        return is_success(status) or status in FINAL_REFUSALS


_FIELDS: Final = "operation_id, server_id, correlator, source, type, mark, items, created_s"
_SELECT: Final = f"SELECT id, {_FIELDS}, sent_count FROM alert"  # noqa: S608 - fixed names


class Outbox:
    """Alerts on flash."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def insert(self, alert: OutboxAlert) -> int:
        """Queue an alert, return its id; part of the transaction that ends the operation."""
        cursor = self._db.execute(
            f"INSERT INTO alert ({_FIELDS}) VALUES (?,?,?,?,?,?,?,?)",  # noqa: S608 - fixed names
            (
                alert.operation_id,
                alert.server_id,
                alert.correlator,
                alert.source,
                alert.type,
                alert.mark,
                json.dumps([[item.target, item.data] for item in alert.items]),
                alert.created_s,
            ),
        )
        return int(cursor.lastrowid or 0)

    def waiting(self, server_id: str | None = None) -> list[OutboxAlert]:
        """Return the alerts that wait (for one server), oldest first."""
        where, parameters = ("", ()) if server_id is None else (" WHERE server_id=?", (server_id,))
        return [
            _alert(row) for row in self._db.execute(f"{_SELECT}{where} ORDER BY id", parameters)
        ]

    def answered(self, alert_id: int, status: int, at_s: float) -> OutboxAlert | None:
        """Take the server's answer; returns the alert, None if it was gone already.

        A settled alert leaves, and its operation keeps when and how it was taken.
        Part of the caller's transaction.
        """
        rows = self._db.execute(f"{_SELECT} WHERE id=?", (alert_id,)).fetchall()
        if not rows:
            return None
        alert = _alert(rows[0])
        if alert.is_settled_by(status):
            self._db.execute("DELETE FROM alert WHERE id=?", (alert_id,))
            self._db.execute(
                "UPDATE operation SET reported_s=?, report_status=? WHERE id=?",
                (at_s, status, alert.operation_id),
            )
        return alert

    def count_sent(self, server_id: str) -> None:
        """Remember that the waiting alerts of a server went out once more."""
        self._db.execute("UPDATE alert SET sent_count=sent_count+1 WHERE server_id=?", (server_id,))


def _alert(row: tuple[Any, ...]) -> OutboxAlert:
    """Rebuild an alert from a row of `_SELECT`."""
    names = ("id", *_FIELDS.split(", "), "sent_count")
    value = dict(zip(names, row, strict=True))
    pairs = json.loads(value.pop("items"))
    return OutboxAlert(
        **value, items=tuple(AlertItem(target=target, data=data) for target, data in pairs)
    )
