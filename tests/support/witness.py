# SPDX-License-Identifier: Apache-2.0
"""Sees every value that a Status node ever had: what a server could have read at any instant.

A trigger in the device's own database writes down each committed change, so that
no value is missed, however short it stands.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCHEMA = """
CREATE TABLE witness (path TEXT, status INTEGER);
CREATE TRIGGER witness_new AFTER INSERT ON node WHEN NEW.path LIKE '%/Status'
  BEGIN INSERT INTO witness VALUES (NEW.path, CAST(NEW.value AS INTEGER)); END;
CREATE TRIGGER witness_changed AFTER UPDATE ON node WHEN NEW.path LIKE '%/Status'
  BEGIN INSERT INTO witness VALUES (NEW.path, CAST(NEW.value AS INTEGER)); END;
CREATE TRIGGER witness_gone AFTER DELETE ON node WHEN OLD.path LIKE '%/Status'
  BEGIN INSERT INTO witness VALUES (OLD.path, NULL); END;
"""


class Witness:
    """Attached to a database that a daemon has made; another one may have it open."""

    def __init__(self, database: Path) -> None:
        self._database = database
        with self._opened() as connection:
            connection.executescript(SCHEMA)

    def walk(self, item: str) -> list[int | None]:
        """Return the values of `item`/Status in order, each once in a row; None: it went."""
        with self._opened() as connection:
            rows = connection.execute(
                "SELECT status FROM witness WHERE path = ? ORDER BY rowid", (f"{item}/Status",)
            )
            found: list[int | None] = []
            for (status,) in rows:
                if not found or found[-1] != status:
                    found.append(status)
            return found

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(sqlite3.connect(self._database, timeout=30)) as connection:
            yield connection
