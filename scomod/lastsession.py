# SPDX-License-Identifier: Apache-2.0
"""How the last session with each server went, and when: one small fact of the database for each.

Written once after a session, with all that is to be remembered of it.  A moment is kept as
what it was on the monotonic clock of its boot, which decides while that boot lasts, and as
wall time for later ones.  What follows from it for the next call is `poll`'s business.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from scomod.value import frozen

if TYPE_CHECKING:
    from scomod.db import Database
    from scomod.facade import Record

KEY: Final = "last-session:"


@frozen
class Moment:
    """A moment: monotonic in the boot of that name; `wall_s` is 0 if the time was not known."""

    boot: str
    monotonic_s: float
    wall_s: float = 0.0

    def later(self, by_s: float) -> Moment:
        """Return the moment so many seconds after this one, or before it."""
        return Moment(
            boot=self.boot,
            monotonic_s=self.monotonic_s + by_s,
            wall_s=self.wall_s and self.wall_s + by_s,
        )


@frozen
class Last:
    """The last session with a server: how it went (a session record), and when it ended.

    Polls count from `base`; so many sessions failed since, as far as they are tried again.
    """

    report: Record
    at: Moment
    base: Moment | None
    failures: int = 0


class LastSessions:
    """What is kept of the last session with each server."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def of(self, server_id: str) -> Last | None:
        """Return the last session with a server, None before the first."""
        text = self._db.meta(KEY + server_id)
        if text is None:
            return None
        kept: dict[str, Any] = json.loads(text)
        at, base = kept.pop("at"), kept.pop("base")
        return Last(at=Moment(**at), base=Moment(**base) if base else None, **kept)

    def keep(self, last: Last) -> None:
        """Remember a session; needs a transaction of the caller."""
        self._db.set_meta(KEY + str(last.report["server"]), json.dumps(asdict(last)))
