# SPDX-License-Identifier: Apache-2.0
"""How long one fetch may go on, and how fast it may and must be.

Counts the octets of bodies as they come.  Not a thread or timer: it looks when it is asked,
once a piece, so a peer that sends nothing at all is for the time-outs of the sockets.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from scomod.errors import DownloadError, Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from scomod.clock import Clock
    from scomod.download.job import FetchRequest

PROGRESS_INTERVAL_S: Final = 0.1
NAP_S: Final = 0.1  # a cancelled fetch that waits for its turn ends within this time
MIN_PIECE_BYTES: Final = 512
# A limit below the least rate must not look like a stall, nor may a nap.
STALL_SHARE: Final = 0.5


class Meter:
    """Counts one fetch; `max_rate_bytes` is that of its host, 0 for none."""

    def __init__(
        self,
        *,
        clock: Clock,
        request: FetchRequest,
        progress: Callable[[int, int | None], None],
        is_cancelled: Callable[[], bool],
    ) -> None:
        self._now_s = clock.monotonic_s
        self._progress = progress
        self._is_cancelled = is_cancelled
        self._timeout_s = request.total_timeout_s
        self._stall_s = request.stall_s
        self._min_rate = request.min_rate_bytes
        self._rates = [request.max_rate_bytes] if request.max_rate_bytes else []
        now_s = self._now_s()
        self._deadline_s = now_s + request.total_timeout_s
        self._told_s = self._window_s = self._paid_s = now_s
        self._window_bytes = 0
        self.fetched_bytes = 0

    def limit_rate(self, max_rate_bytes: int) -> None:
        """Go no faster than that either, in octets a second; 0 changes nothing."""
        if max_rate_bytes:
            self._rates.append(max_rate_bytes)

    def begin_body(self) -> None:
        """Start to look at the rate: until now nothing could have come."""
        now_s = self._now_s()
        self._told_s = self._window_s = now_s
        self._paid_s = max(self._paid_s, now_s)
        self._window_bytes = self.fetched_bytes

    def check(self) -> None:
        """Raise `DownloadError` CANCELLED, or TIMEOUT when the time for all is over."""
        if self._is_cancelled():
            raise DownloadError(Reason.CANCELLED, "cancelled")
        if self._now_s() > self._deadline_s:
            text = f"not complete after {self._timeout_s:g} s"
            raise DownloadError(Reason.TIMEOUT, text, is_retryable=True)

    def piece_bytes(self, room_bytes: int) -> int:
        """Return how much to read at once, so that a nap after it is short."""
        if not self._rates:
            return room_bytes
        return min(room_bytes, max(MIN_PIECE_BYTES, int(min(self._rates) * NAP_S)))

    def count(self, piece_bytes: int, done_bytes: int, total_bytes: int | None) -> None:
        """Note a piece that came, tell how far it is, and wait where that was too fast.

        Raises like `check`, and `DownloadError(TIMEOUT)` where too little came for too long.
        """
        self.fetched_bytes += piece_bytes
        now_s = self._now_s()
        if now_s >= self._told_s:
            self._progress(done_bytes, total_bytes)
            self._told_s = now_s + PROGRESS_INTERVAL_S
        if now_s - self._window_s >= self._stall_s:
            self._check_rate(now_s)
        if self._rates:
            self._wait_turn(piece_bytes, now_s)
        self.check()

    def tell(self, done_bytes: int, total_bytes: int | None) -> None:
        """Tell how far it is, at once."""
        self._progress(done_bytes, total_bytes)

    def _check_rate(self, now_s: float) -> None:
        came_bytes = self.fetched_bytes - self._window_bytes
        span_s = now_s - self._window_s
        least = min([self._min_rate, *(STALL_SHARE * rate for rate in self._rates)])
        if came_bytes < least * span_s:
            text = f"{came_bytes} octets in {span_s:.0f} s, {self._min_rate} a second are the least"
            raise DownloadError(Reason.TIMEOUT, text, is_retryable=True)
        self._window_s, self._window_bytes = now_s, self.fetched_bytes

    def _wait_turn(self, piece_bytes: int, now_s: float) -> None:
        """Sleep until the octets that came are paid for; what was slow gains no credit."""
        self._paid_s = max(self._paid_s, now_s - NAP_S) + piece_bytes / min(self._rates)
        while (left_s := self._paid_s - self._now_s()) > 0:
            self.check()
            time.sleep(min(left_s, NAP_S))
