# SPDX-License-Identifier: Apache-2.0
"""How much was done since the database was made: counts for monitoring, a fact of the database.

Written only inside of transactions that are made anyway: that of a session's end, and that
of an operation's last transition.  So each is counted once, whatever crashes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from scomod.operation import Phase, StepKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scomod.db import Database
    from scomod.facade import Record
    from scomod.operation import Operation

KEY: Final = "tally"
# What is added up of a session's report.
ADDED: Final = {
    "messages": "messages",
    "commands": "commands",
    "sent_bytes": "bytes_sent",
    "received_bytes": "bytes_received",
    "reports": "alerts_delivered",
    "session_seconds": "duration_s",
}


def counts(db: Database) -> dict[str, Any]:
    """Return what was counted; what never happened is absent."""
    known: dict[str, Any] = json.loads(db.meta(KEY) or "{}")
    return known


def count_session(db: Database, report: Record) -> None:
    """Count a session that ended; needs a transaction of the caller."""
    amounts = {name: report.get(key, 0) for name, key in ADDED.items()}
    _add(db, amounts, "sessions", str(report.get("outcome", "failed")))


def count_operation(db: Database, operation: Operation) -> None:
    """Count an operation that is over; needs a transaction of the caller."""
    is_fetched = operation.phase is Phase.SUCCEEDED and StepKind.ACQUIRE in operation.plan
    size = operation.data.get("size") if is_fetched else None
    amounts = {"package_bytes": size} if isinstance(size, int) else {}
    _add(db, amounts, "operations", f"{operation.primitive} {operation.phase}")


def _add(db: Database, amounts: Mapping[str, float], kind: str, word: str) -> None:
    known = counts(db)
    for name, amount in amounts.items():
        if amount:
            known[name] = round(known.get(name, 0) + amount, 3)
    of_kind = known.setdefault(kind, {})
    of_kind[word] = of_kind.get(word, 0) + 1
    db.set_meta(KEY, json.dumps(known))
