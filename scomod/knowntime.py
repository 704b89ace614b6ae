# SPDX-License-Identifier: Apache-2.0
"""Whether the clock of the device can be right: a floor for the time, which only rises.

A device without a battery begins in 1970, or wherever it was switched off.  The time is
never earlier than the floor: when this software was made, or what a server that TLS had
authenticated said last.  A clock below that is wrong, and the time is unknown: a state of its
own, of which others draw their conclusions (`wire`, `trust`, `poll`).  A clock that is ahead
cannot be told from one that is right.  Why: docs/adr/0039-what-time-it-is.md.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from scomod import BUILT_S
from scomod.value import frozen

if TYPE_CHECKING:
    from scomod.clock import Clock
    from scomod.db import Database
    from scomod.settings import Time

KEY: Final = "time-floor"
# Servers have clocks of their own, and so much less than theirs is no wrong one.
SLACK_S: Final = 86400.0
# The floor is written when it has risen by so much: a device that is switched off needs it then.
STEP_S: Final = 86400.0


REFUSE: Final = "refuse"


@frozen
class UnsetClock:
    """A clock that cannot be right: what it says, and what it must be after, wall time.

    `is_refused` tells that nothing is to be judged by the floor in its place.
    """

    says_s: float
    floor_s: float
    is_refused: bool

    def __str__(self) -> str:
        says, floor = in_utc(self.says_s), in_utc(self.floor_s)
        return f"the clock of this device is not set: it says {says}, but must be after {floor}"


def believed() -> None:
    """Stand for a clock that is right."""


def in_utc(wall_s: float) -> str:
    """Return a moment as sentences about certificates say it."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(wall_s))


def unset(wall_s: float, policy: Time, floor_s: float = BUILT_S) -> UnsetClock | None:
    """Return what is wrong with a clock, None where it can be right."""
    if wall_s >= floor_s - SLACK_S:
        return None
    is_refused = policy.when_unknown == REFUSE
    return UnsetClock(says_s=wall_s, floor_s=floor_s, is_refused=is_refused)


class KnownTime:
    """The floor for the time of one device."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._kept_s = float(db.meta(KEY) or 0.0)
        self._floor_s = max(BUILT_S, self._kept_s)

    def floor_s(self) -> float:
        """Return the moment before which it cannot be, wall time."""
        return self._floor_s

    def is_known(self) -> bool:
        """Tell whether the clock of the device can be right."""
        return self._clock.wall_s() >= self._floor_s - SLACK_S

    def unset(self, policy: Time, wall_s: float) -> UnsetClock | None:
        """Return what is wrong with a clock that says so, None where it can be right."""
        return unset(wall_s, policy, self._floor_s)

    def now_s(self) -> float:
        """Return the best that is known of the time, which may be much later than that."""
        return max(self._clock.wall_s(), self._floor_s)

    def learn(self, wall_s: float) -> None:
        """Take a moment that somebody whom we trust says has come; earlier ones are known."""
        self._floor_s = max(self._floor_s, wall_s)

    def keep(self) -> None:
        """Keep the floor if that is worth a write; needs a transaction of the caller."""
        if self._floor_s >= max(BUILT_S, self._kept_s) + STEP_S:
            self._db.set_meta(KEY, repr(self._floor_s))
            self._kept_s = self._floor_s
