# SPDX-License-Identifier: Apache-2.0
"""How fast something comes and how long it will still take: for people to look at.

Pure.  The rate is what came in the last seconds by the clock, not by the pieces: a stall
lowers it while it lasts and some seconds beyond, instead of going unseen between two
pieces.  What began anew is measured anew.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

SPAN_S: Final = 10.0
SAMPLE_S: Final = 0.5  # what comes sooner takes the place of the sample before
STALL_S: Final = 5.0  # nothing for so long is told in place of a rate


class Meter:
    """Measures one thing; `done` is how much of it is there, in octets."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._last_s = 0.0

    def take(self, done: int, now_s: float) -> None:
        """Take how much there is now."""
        samples = self._samples
        if samples and done < samples[-1][1]:
            samples.clear()
        if not samples or done > samples[-1][1]:
            self._last_s = now_s
        if len(samples) > 1 and now_s - samples[-2][0] < SAMPLE_S:
            samples.pop()
        samples.append((now_s, done))
        # one that is older than the span stays: a stall has its place between it and the next
        while len(samples) > 2 and samples[1][0] <= now_s - SPAN_S:  # noqa: PLR2004 - two ends
            samples.popleft()

    def rate(self, now_s: float) -> float:
        """Return the octets a second lately, 0 while that is not known."""
        if not self._samples:
            return 0.0
        (first_s, first), (_, last) = self._samples[0], self._samples[-1]
        passed_s = now_s - first_s
        return (last - first) / passed_s if passed_s > 0 else 0.0

    def stalled_s(self, now_s: float) -> float:
        """Return for how long nothing has come, 0 while that is not worth telling."""
        silent_s = now_s - self._last_s if self._samples else 0.0
        return silent_s if silent_s >= STALL_S else 0.0

    def remaining_s(self, total: int, now_s: float) -> float | None:
        """Return the seconds until all `total` octets are there, None where nobody can say."""
        rate = self.rate(now_s)
        if not total or rate <= 0 or self.stalled_s(now_s):
            return None
        return max(0, total - self._samples[-1][1]) / rate


class Meters:
    """Measures by operation; `now` is a clock that never jumps, in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._known: dict[int, tuple[Meter, int, int]] = {}

    def take(self, operation_id: int, done: int, total: int) -> None:
        """Take how much there is of how much (0: not known) for an operation."""
        meter = self._known[operation_id][0] if operation_id in self._known else Meter()
        meter.take(done, self._now())
        self._known[operation_id] = (meter, done, total)

    def figures(self, operation_id: int) -> dict[str, Any]:
        """Return done, total, rate (octets a second) and remaining (s, where that is known)."""
        if operation_id not in self._known:
            return {}
        meter, done, total = self._known[operation_id]
        now_s = self._now()
        remaining_s = meter.remaining_s(total, now_s)
        found = {"done": done, "total": total, "rate": meter.rate(now_s)}
        return found if remaining_s is None else {**found, "remaining": remaining_s}

    def forget(self, operation_id: int) -> None:
        """Let go of what is known of an operation."""
        self._known.pop(operation_id, None)
