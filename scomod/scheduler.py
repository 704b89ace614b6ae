# SPDX-License-Identifier: Apache-2.0
"""Runs DM sessions as they are wished for, one at a time; what is when is decided in `wishes`."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from scomod.alarm import Alarm
from scomod.facade import Unknown
from scomod.log import Event, announce, bound
from scomod.wishes import Wish, Wishes

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from scomod.agenda import Due
    from scomod.clock import Clock
    from scomod.dmclient.client import SessionReport
    from scomod.settings import Session

log = logging.getLogger(__name__)


class Scheduler:
    """The worker that grants wishes.

    `on_over` hears that a session ended, `has_reports(server_id)` tells that alerts wait.
    """

    def __init__(
        self,
        limits: Session,
        clock: Clock,
        run_session: Callable[[Wish], Awaitable[SessionReport]],
        random: Callable[[], float],
        *,
        on_over: Callable[[], None],
        has_reports: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._run_session = run_session
        self._on_over = on_over
        self._has_reports = has_reports
        self._wishes = Wishes(limits, random, has_reports)
        self._alarm = Alarm()
        self.running = ""

    def wish(self, server_id: str) -> Wish | None:
        """Return the session that waits for its time or turn, None if there is none."""
        return self._wishes.of(server_id)

    def dues(self) -> Iterator[Due]:
        """Give the sessions that are wished for; one that runs is not among them."""
        return self._wishes.dues()

    def kept(self) -> dict[str, Any]:
        """Return what outlives this process, as JSON values."""
        return self._wishes.kept(self._clock.monotonic_s())

    def take_up(self, kept: Mapping[str, Any], since_s: float) -> None:
        """Take up what an earlier life kept so many seconds ago."""
        self._wishes.take_up(kept, self._clock.monotonic_s() - since_s)
        self._alarm.ring()

    def want(self, wish: Wish) -> None:
        """Queue a wish; one that waits for the same server takes it up."""
        self._wishes.add(wish)
        self._alarm.ring()

    def hurry(self) -> None:
        """Try again now what failed: the network came up."""
        self._wishes.hurry(self._clock.monotonic_s())
        self._alarm.ring()

    async def run_now(self, server_id: str) -> SessionReport:
        """Run a session soon and return its report."""
        waiter: asyncio.Future[SessionReport] = asyncio.get_running_loop().create_future()
        self.want(Wish(server_id=server_id, waiters=(waiter,)))
        return await waiter

    async def run(self) -> None:
        """Work for ever; ends only by being cancelled."""
        while True:
            self._alarm.silence()
            wish = self._wishes.take(self._clock.monotonic_s())
            if wish is not None:
                await self._grant(wish)
                continue
            begin_s = self._wishes.begin_s()
            wait_s = None if begin_s is None else max(0.0, begin_s - self._clock.monotonic_s())
            await self._alarm.sleep(wait_s)

    async def _grant(self, wish: Wish) -> None:
        self.running = wish.server_id
        try:
            with bound(server=wish.server_id):
                report = await self._run_session(wish)
        except Unknown as error:
            for waiter in wish.waiters:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        finally:
            self.running = ""
            self._on_over()
        for waiter in wish.waiters:
            if not waiter.done():
                waiter.set_result(report)
        if report.outcome != "ok":
            text = "session with %s failed: %s"
            announce(log, Event.SESSION_FAILED, text, wish.server_id, report.detail)
        elif self._has_reports(wish.server_id):
            log.warning("%s has not taken all reports", wish.server_id)
        now_s = self._clock.monotonic_s()
        again_s = self._wishes.over(wish, report, now_s)
        if again_s is not None:
            log.info("session with %s: again in %.1f s", wish.server_id, again_s - now_s)
