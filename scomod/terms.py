# SPDX-License-Identifier: Apache-2.0
"""Terms: how long something agreed on in wall time is still to wait, by a clock that never jumps.

A moment in wall time survives restarts; how far away it is is looked up once in a life
and then counted monotonically, so that setting the clock neither ends nor prolongs what
waits.  A moment further away than the longest term there is can only come from a clock
that was set back: it counts as that far away (I20).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scomod.clock import Clock

CLOCK_IS_SET_S: Final = 1_577_836_800.0  # 2020: a device that says less has no time yet


def dated_s(noted_s: float, now_s: float) -> float:
    """Return when something began; by a clock that was not set, or was set back since: now."""
    return now_s if noted_s < CLOCK_IS_SET_S <= now_s else min(noted_s, now_s)


class Terms:
    """The terms of operations, by operation and name."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ends: dict[tuple[int, object], float] = {}

    def left_s(self, operation_id: int, name: object, until_s: float, longest_s: float) -> float:
        """Return the seconds left until a moment in wall time, 0 when it is over.

        The moment counts when the term, which `name` tells from others, is first met.
        """
        now_s = self._clock.monotonic_s()
        key = operation_id, name
        if key not in self._ends:
            self._ends[key] = now_s + min(max(0.0, until_s - self._clock.wall_s()), longest_s)
        return max(0.0, self._ends[key] - now_s)

    def began_s(self, noted: object) -> float:
        """Return when something began by wall time, now if nothing fit to use was noted.

        What was noted before the clock was set means nothing once it is.
        """
        now_s = self._clock.wall_s()
        if not isinstance(noted, float | int) or noted < CLOCK_IS_SET_S <= now_s:
            return now_s
        return float(noted)

    def forget(self, operation_id: int) -> None:
        """Let go of the terms of an operation."""
        for key in [key for key in self._ends if key[0] == operation_id]:
            del self._ends[key]
