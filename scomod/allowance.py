# SPDX-License-Identifier: Apache-2.0
"""How many octets all downloads of one day may fetch, and have.

A day is one of the calendar, in local time.  While the clock is not set it is a day since
the device was started: a restart of the device begins a new one then, one of the daemon
does not.  What was fetched before the clock was set counts for the day it turns out to be.

One small fact of the database, written at the end of a try and only where there is a
limit; what a try fetched that was killed is counted when its part is found.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

from scomod import daytime
from scomod.terms import CLOCK_IS_SET_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.db import Database

KEY: Final = "download-day"  # what the fact is called in the database
DAY_S: Final = 86400.0


class Allowance:
    """The octets of the day; `limit_bytes` 0 means that there is no limit."""

    def __init__(
        self, db: Database, clock: Clock, boot_id: Callable[[], str], limit_bytes: int
    ) -> None:
        self._db = db
        self._clock = clock
        self._boot_id = boot_id
        self._limit_bytes = limit_bytes

    def left_bytes(self) -> int | None:
        """Return how many octets may still be fetched today, None for any number."""
        if not self._limit_bytes:
            return None
        return max(0, self._limit_bytes - self._spent_bytes(self._day()))

    def spend(self, octets: int) -> None:
        """Note what was fetched."""
        if self._limit_bytes and octets:
            day = self._day()
            self._keep(day, self._spent_bytes(day) + octets)

    def over_in_s(self) -> float:
        """Return the seconds until the next day begins."""
        now_s = self._clock.wall_s()
        if now_s >= CLOCK_IS_SET_S:
            return max(1.0, daytime.at_s(now_s, 1, 0) - now_s)
        return DAY_S - self._clock.monotonic_s() % DAY_S

    def _day(self) -> str:
        now_s = self._clock.wall_s()
        if now_s >= CLOCK_IS_SET_S:
            return time.strftime("%Y-%m-%d", time.localtime(now_s))
        return f"{self._boot_id()} {int(self._clock.monotonic_s() // DAY_S)}"

    def _spent_bytes(self, day: str) -> int:
        kept = json.loads(self._db.meta(KEY) or "{}")
        if kept.get("day") == day:
            return int(kept["bytes"])
        boot = self._boot_id()
        if kept and kept["day"].startswith(boot) and not day.startswith(boot):
            self._keep(day, kept["bytes"])  # the clock was set meanwhile
            return int(kept["bytes"])
        return 0

    def _keep(self, day: str, octets: int) -> None:
        with self._db.transaction():
            self._db.set_meta(KEY, json.dumps({"day": day, "bytes": octets}))
