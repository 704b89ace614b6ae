# SPDX-License-Identifier: Apache-2.0
"""The operation journal: rows of the table `operation`, nothing else.

Every call stands inside the caller's transaction, together with the nodes and
the alert that the transition explains (I5).
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Final

from scomod.codes import ResultCode
from scomod.errors import Reason
from scomod.operation import Branch, Operation, Phase, Primitive, StepKind, Subject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.db import Database

COLUMNS: Final = (
    "branch",
    "primitive",
    "node",
    "exec_uri",
    "server_id",
    "correlator",
    "subject",
    "phase",
    "steps",
    "cursor",
    "attempts",
    "stores",
    "data",
    "reason",
    "failed_step",
    "detail",
    "result",
    "created_s",
    "changed_s",
    "timeline",
)
REPORTED: Final = ("reported_s", "report_status")  # written by the outbox
_INSERT: Final = (
    f"INSERT INTO operation ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - fixed names
)
_UPDATE: Final = f"UPDATE operation SET {', '.join(f'{c}=?' for c in COLUMNS)} WHERE id=?"  # noqa: S608 - fixed names
_READ: Final = ("id", *COLUMNS, *REPORTED)
_SELECT: Final = f"SELECT {', '.join(_READ)} FROM operation"  # noqa: S608 - fixed names
_UNTOLD: Final = "SELECT operation_id FROM notice WHERE settled_s IS NULL"
_LIVE: Final = "phase NOT IN ('succeeded', 'failed')"


class Journal:
    """Operations on flash; `keep_count` finished ones stay readable: the history."""

    def __init__(self, db: Database, keep_count: int) -> None:
        self._db = db
        self._keep_count = keep_count

    def insert(self, operation: Operation) -> Operation:
        """Store a new operation (its id is ignored) and return it with its id."""
        cursor = self._db.execute(_INSERT, _row(operation))
        return replace(operation, id=int(cursor.lastrowid or 0))

    def update(self, operation: Operation) -> Operation:
        """Write a transition; returns the operation with its store counted."""
        counted = replace(operation, stores=operation.stores + 1)
        self._db.execute(_UPDATE, (*_row(counted), operation.id))
        return counted

    def load(self, operation_id: int) -> Operation | None:
        """Return one operation, or None."""
        rows = self._db.execute(f"{_SELECT} WHERE id=?", (operation_id,)).fetchall()
        return _operation(rows[0]) if rows else None

    def all(self) -> list[Operation]:
        """Return every operation kept, oldest first."""
        return [_operation(row) for row in self._db.execute(f"{_SELECT} ORDER BY id")]

    def live(self) -> list[Operation]:
        """Return the operations with work left, oldest first."""
        return [_operation(r) for r in self._db.execute(f"{_SELECT} WHERE {_LIVE} ORDER BY id")]

    def finished(self) -> list[Operation]:
        """Return the operations that are over, oldest first."""
        query = f"{_SELECT} WHERE NOT ({_LIVE}) ORDER BY id"
        return [_operation(row) for row in self._db.execute(query)]

    def last(self, server_id: str) -> Operation | None:
        """Return what a server had done last, of what is over."""
        query = f"{_SELECT} WHERE server_id=? AND NOT ({_LIVE}) ORDER BY id DESC LIMIT 1"
        rows = self._db.execute(query, (server_id,)).fetchall()
        return _operation(rows[0]) if rows else None

    def has_unreported(self, exec_uri: str, server_id: str, correlator: str | None) -> bool:
        """Tell whether this very command is at work, or done but not yet reported.

        Without a correlator two commands cannot be told to be the same.
        """
        found = self._db.execute(
            "SELECT COUNT(*) FROM operation WHERE exec_uri=? AND server_id=? AND correlator=?"  # noqa: S608 - fixed text
            f" AND ({_LIVE} OR id IN (SELECT operation_id FROM alert))",
            (exec_uri, server_id, correlator),
        )
        return bool(found.fetchone()[0])

    def has_untold(self) -> bool:
        """Tell whether a server of a descriptor still waits to hear how an operation ended."""
        return bool(self._db.execute(f"SELECT EXISTS ({_UNTOLD})").fetchone()[0])

    def prune(self) -> None:
        """Forget the oldest finished operations beyond `keep_count` that nobody waits for."""
        self._db.execute(
            f"DELETE FROM operation WHERE NOT ({_LIVE})"  # noqa: S608 - fixed text
            " AND id NOT IN (SELECT operation_id FROM alert WHERE operation_id IS NOT NULL)"
            f" AND id NOT IN ({_UNTOLD})"
            " AND id <= (SELECT MAX(id) FROM operation) - ?",
            (self._keep_count,),
        )


def _row(operation: Operation) -> tuple[Any, ...]:
    """Give the columns their values, in the order of `COLUMNS`."""
    return (
        operation.branch,
        operation.primitive,
        operation.node,
        operation.exec_uri,
        operation.server_id,
        operation.correlator,
        json.dumps(asdict(operation.subject)),
        operation.phase,
        json.dumps(operation.steps),
        operation.cursor,
        operation.attempts,
        operation.stores,
        json.dumps(dict(operation.data)),
        operation.reason,
        operation.failed_step,
        operation.detail,
        None if operation.result is None else int(operation.result),
        operation.created_s,
        operation.changed_s,
        json.dumps(operation.timeline),
    )


def _operation(row: tuple[Any, ...]) -> Operation:
    """Rebuild an operation from a row of `_SELECT`."""
    value: Mapping[str, Any] = dict(zip(_READ, row, strict=True))
    return Operation(
        id=value["id"],
        branch=Branch(value["branch"]),
        primitive=Primitive(value["primitive"]),
        node=value["node"],
        exec_uri=value["exec_uri"],
        server_id=value["server_id"],
        correlator=value["correlator"],
        subject=Subject(**json.loads(value["subject"])),
        phase=Phase(value["phase"]),
        steps=tuple(StepKind(name) for name in json.loads(value["steps"])),
        cursor=value["cursor"],
        attempts=value["attempts"],
        stores=value["stores"],
        data=json.loads(value["data"]),
        reason=Reason(value["reason"]) if value["reason"] else None,
        failed_step=StepKind(value["failed_step"]) if value["failed_step"] else None,
        detail=value["detail"],
        result=ResultCode(value["result"]) if value["result"] else None,
        created_s=value["created_s"],
        changed_s=value["changed_s"],
        timeline=tuple((at_s, phase, step) for at_s, phase, step in json.loads(value["timeline"])),
        reported_s=value["reported_s"],
        report_status=value["report_status"],
    )
