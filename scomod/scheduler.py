"""Decides when a DM session runs: one at a time, wishes coalesced, failures backed off.

A wish is "a session with that server"; a notification's wish carries its
session id.  Retries have full jitter, so that a fleet does not return at once; they
come after the time that a busy server asked for (Retry-After, RFC 9110 §10.2.3).
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import field, replace
from typing import TYPE_CHECKING

from scomod.alarm import Alarm
from scomod.codes import AlertCode
from scomod.facade import Unknown
from scomod.log import Event, announce, bound
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from scomod.clock import Clock
    from scomod.dmclient.client import SessionReport
    from scomod.settings import Session

log = logging.getLogger(__name__)


@frozen
class Wish:
    """A session that should run; `is_kept` ones are tried again when they fail.

    Before `not_before_s` the server does not want us; `due_s` is when we want it.
    """

    server_id: str
    trigger: AlertCode = AlertCode.CLIENT_INITIATED_MANAGEMENT
    session_id: str = ""
    is_kept: bool = False
    failures: int = 0
    due_s: float = 0.0
    not_before_s: float = 0.0
    waiters: tuple[asyncio.Future[SessionReport], ...] = field(default=(), compare=False)

    @property
    def begin_s(self) -> float:
        """Return when it may run (monotonic)."""
        return max(self.due_s, self.not_before_s)


class Scheduler:
    """The queue of wishes and the worker that grants them.

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
        self._limits = limits
        self._clock = clock
        self._run_session = run_session
        self._random = random
        self._on_over = on_over
        self._has_reports = has_reports
        self._wishes: list[Wish] = []
        self._free_s: dict[str, float] = {}  # until when a server does not want us
        self._alarm = Alarm()
        self.running = ""

    @property
    def is_idle(self) -> bool:
        """Tell whether no session runs or is wished for."""
        return not self.running and not self._wishes

    def want(self, wish: Wish) -> None:
        """Queue a wish; one that waits for the same server takes it up."""
        if not (wish.waiters or wish.session_id):
            free_s = max(wish.not_before_s, self._free_s.get(wish.server_id, 0.0))
            wish = replace(wish, not_before_s=free_s)
        for index, other in enumerate(self._wishes):
            if other.server_id == wish.server_id:
                self._wishes[index] = _merged(other, wish)
                break
        else:
            self._wishes.append(wish)
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
            wish = self._next()
            if wish is not None:
                await self._grant(wish)
                continue
            await self._alarm.sleep(self._sleep_s())

    def _next(self) -> Wish | None:
        now = self._clock.monotonic_s()
        for index, wish in enumerate(self._wishes):
            if wish.begin_s <= now:
                return self._wishes.pop(index)
        return None

    def _sleep_s(self) -> float | None:
        if not self._wishes:
            return None
        return max(0.0, min(w.begin_s for w in self._wishes) - self._clock.monotonic_s())

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
        asked_s = min(report.retry_after_s, self._limits.retry_after_max_s)
        self._free_s[wish.server_id] = self._clock.monotonic_s() + asked_s
        if report.outcome != "ok":
            text = "session with %s failed: %s"
            announce(log, Event.SESSION_FAILED, text, wish.server_id, report.detail)
            self._retry(wish, report)
        elif self._has_reports(wish.server_id):
            log.warning("%s has not taken all reports", wish.server_id)
            self._retry(wish, report)

    def _retry(self, wish: Wish, report: SessionReport) -> None:
        """Try again, later and later with jitter: reports for ever, other kept wishes a while."""
        must_go_on = self._has_reports(wish.server_id)
        is_worth_it = wish.is_kept and report.is_retryable
        if not must_go_on and not (is_worth_it and wish.failures < self._limits.retry_count):
            return
        longest_s = self._limits.retry_wait_s * 2.0 ** min(wish.failures, self._limits.retry_count)
        wait_s = longest_s * (0.5 + 0.5 * self._random())
        free_s = self._free_s[wish.server_id]
        later = replace(wish, due_s=free_s + wait_s, not_before_s=free_s, waiters=())
        in_s = later.begin_s - self._clock.monotonic_s()
        log.info("session with %s: again in %.1f s", wish.server_id, in_s)
        self.want(replace(later, failures=wish.failures + 1))


def _merged(waiting: Wish, new: Wish) -> Wish:
    """Return one wish for both: the sooner time, the notification's session id."""
    notified = new if new.session_id else waiting
    # a person goes at once, and so do we when the server itself calls
    is_called = new.waiters or waiting.waiters or (new.session_id and not new.not_before_s)
    return Wish(
        server_id=waiting.server_id,
        trigger=notified.trigger,
        session_id=notified.session_id,
        is_kept=waiting.is_kept or new.is_kept,
        failures=min(waiting.failures, new.failures),
        due_s=min(waiting.due_s, new.due_s),
        not_before_s=0.0 if is_called else max(waiting.not_before_s, new.not_before_s),
        waiters=waiting.waiters + new.waiters,
    )
