# SPDX-License-Identifier: Apache-2.0
"""When the device calls its servers by itself, and that it does.

How often is said by the server in its account (`Ext/Poll`), else by the configuration.  What
counts is the monotonic time since the last session, whatever that was for; over a restart
of the device the wall time, where both can be right.  Each device has a moment of its own in
the spread and in the windows, which stays the same.  A moment is never drawn anew: a
process that ends and comes back finds what the one before told in `dues`.
Not the session (`scheduler`), not the network (`network`).  docs/waking.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scomod import pace
from scomod.agenda import Due
from scomod.alarm import Alarm
from scomod.lastsession import Last, Moment
from scomod.mo import account as accounts
from scomod.value import frozen
from scomod.wishes import Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.clock import Clock
    from scomod.facade import Record
    from scomod.knowntime import KnownTime
    from scomod.records import Records
    from scomod.settings import Settings

HOUR_S: Final = 3600.0
MARGIN_S: Final = 60.0  # what is nearer than that to the last session is no call of its own
MISSED: Final = "a call was missed while the device was off"
UNKNOWN: Final = "when it was called last is not known"
STARTED: Final = "it is called after every start of the device"


@frozen
class Calling:
    """How one server is called: every so often (0: never), up to so much later, in windows."""

    interval_s: float
    spread_s: float
    windows: tuple[str, ...]


class Polls:
    """Asks for sessions with `ring`; `is_busy(server_id)` tells that one runs."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        store: Records,
        *,
        known: KnownTime,
        boot: str,
        ring: Callable[[Wish], None],
        is_busy: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._policy = settings.poll
        self._clock = clock
        self._store = store
        self._known = known
        self._boot = boot
        self._ring = ring
        self._is_busy = is_busy
        self._asked: set[str] = set()  # whose session is on its way
        self._hurried_s = 0.0
        self._alarm = Alarm()

    async def run(self) -> None:
        """Call for ever; ends only by being cancelled.  A write may change a moment."""
        self._store.db.on_transaction_end(self._alarm.ring)
        while True:
            self._alarm.silence()
            at_s = min((due.at_s for due in self.call()), default=None)
            wait_s = None if at_s is None else max(0.0, at_s - self._clock.monotonic_s())
            await self._alarm.sleep(wait_s)

    def call(self) -> list[Due]:
        """Ask for the sessions that are due now; returns those that are not."""
        now_s, later = self._clock.monotonic_s(), []
        for due in list(self.dues()):
            if due.at_s > now_s:
                later.append(due)
                continue
            self._asked.add(due.server_id)
            self._ring(Wish(server_id=due.server_id, is_poll=True))
        return later

    def dues(self) -> Iterator[Due]:
        """Give when each server will be called, but those whose session is on its way."""
        servers = [account.server_id for account in accounts.accounts(self._store.tree)]
        self._asked.intersection_update(servers)
        for server_id in servers:
            is_coming = server_id in self._asked or self._is_busy(server_id)
            if not is_coming and (due := self._due(server_id)):
                yield due

    @property
    def has_failed(self) -> bool:
        """Tell whether a server waits for a new try of a session that failed."""
        servers = (account.server_id for account in accounts.accounts(self._store.tree))
        found = filter(None, map(self._store.sessions.of, servers))
        return any(each.failures for each in found)

    def hurry(self) -> None:
        """Call now where the last try failed: the network came up."""
        self._hurried_s = self._clock.monotonic_s()
        self._alarm.ring()

    def ended(self, report: Record) -> None:
        """Remember a session, whatever it was for; needs a transaction of the caller."""
        server_id: str = report["server"]
        last, at = self._store.sessions.of(server_id), self._now()
        base: Moment | None = self._base(server_id, last, at)
        failures = 0
        if report["outcome"] != "ok" and report["is_retryable"]:
            failures = 1 + (last.failures if last else 0)
        if 0 < failures <= self._settings.session.retry_count:
            base = last.base if last else None
        else:
            failures = 0
        self._asked.discard(server_id)
        self._store.sessions.keep(Last(report=report, at=at, base=base, failures=failures))

    # -- when -------------------------------------------------------------------------

    def calling(self, server_id: str) -> Calling:
        """Return how a server is called: as it says itself, as is configured for it, as for all."""
        policy, own = self._policy, self._settings.server(server_id)
        interval_s = policy.interval_s if own.poll_interval_s < 0 else own.poll_interval_s
        windows = own.poll_windows or policy.windows
        wish = accounts.poll_of(self._store.tree, server_id)
        if wish.interval_s and interval_s:
            interval_s = max(wish.interval_s, policy.min_interval_s)
        spread_s = min(policy.spread_s, interval_s)
        return Calling(interval_s=interval_s, spread_s=spread_s, windows=wish.windows or windows)

    def _due(self, server_id: str) -> Due | None:
        """Return when a server is to be called next."""
        calling = self.calling(server_id)
        if not calling.interval_s:
            return None
        last = self._store.sessions.of(server_id)
        at_s, why = self._slot(server_id, calling, last)
        if at_s < self._clock.monotonic_s():
            at_s = self._opening_s(server_id, calling, at_s)  # nobody was there when it was
        if last and last.failures and last.at.boot == self._boot:
            again_s = self._again_s(server_id, last)
            if again_s > at_s:
                at_s = self._opening_s(server_id, calling, again_s)
                why = f"{last.failures} in a row failed: {last.report['detail']}"
        return Due(at_s=at_s, what="poll", why=why, server_id=server_id)

    def _slot(self, server_id: str, calling: Calling, last: Last | None) -> tuple[float, str]:
        """Return the moment at which a server is to be called but for failures, and why then."""
        at_s = self._regular_s(server_id, calling, last.base if last else None)
        why = f"it is called every {calling.interval_s / HOUR_S:g} h"
        why += ", in its window" if self._has_windows(calling) else ""
        is_missed = at_s is None or at_s <= self._clock.monotonic_s()
        at_boot = self._policy.at_boot
        if last and last.at.boot == self._boot:
            # a call that nobody knows to be due was tried after the start, and failed
            return (last.at.monotonic_s, UNKNOWN) if at_s is None else (at_s, why)
        if at_boot == "always" or (at_boot == "overdue" and is_missed):
            delay_s = self._phase_s(f"{server_id} {self._boot}", self._policy.boot_delay_s)
            why = STARTED if at_boot == "always" else UNKNOWN if at_s is None else MISSED
            return self._opening_s(server_id, calling, delay_s), why
        if at_s is None or is_missed:
            delay_s = self._phase_s(server_id, calling.spread_s)  # this boot began at 0
            at_s = self._opening_s(server_id, calling, delay_s + calling.interval_s)
        return at_s, why

    def _regular_s(self, server_id: str, calling: Calling, base: Moment | None) -> float | None:
        """Return the moment that follows from the last one, None if that is not known."""
        base_s = self._base_s(base, calling)
        if base_s is None:
            return None
        if self._has_windows(calling):
            return self._window_s(server_id, calling, base_s)
        return base_s + calling.interval_s

    def _base_s(self, base: Moment | None, calling: Calling) -> float | None:
        """Return a moment on the monotonic clock of this boot, None if that cannot be said."""
        if base is None:
            return None
        if base.boot == self._boot:
            return base.monotonic_s
        ago_s = self._clock.wall_s() - base.wall_s
        if not self._known.is_known() or ago_s < -calling.interval_s:
            return None
        return self._clock.monotonic_s() - ago_s

    def _base(self, server_id: str, last: Last | None, at: Moment) -> Moment:
        """Return what the next calls are counted from, after a session that ended just now.

        The moment that was meant, else calls would come later each time; for a session
        that came of something else a moment later by the spread, lest all devices call at once
        that a server has woken at once.
        """
        calling = self.calling(server_id)
        if calling.interval_s and last and last.base and last.at.boot == self._boot:
            late_s = at.monotonic_s - self._slot(server_id, calling, last)[0]
            if 0 <= late_s < calling.interval_s / 2:
                return at.later(-late_s)
        return at.later(self._phase_s(server_id, calling.spread_s))

    def _again_s(self, server_id: str, last: Last) -> float:
        """Return when to try again after the last session failed."""
        limits, since_s = self._settings.session, last.at.monotonic_s
        asked_s = min(float(last.report["retry_after_s"]), limits.retry_after_max_s)
        first_s, longest_s = limits.poll_retry_wait_s, limits.retry_wait_max_s
        span_s = pace.span_s(last.failures, first_s, longest_s)
        if not asked_s and self._hurried_s > since_s:
            return max(self._hurried_s, since_s + limits.retry_wait_s)
        return since_s + asked_s + self._phase_s(f"{server_id} {since_s}", span_s)

    # -- windows ------------------------------------------------------------------------

    def _has_windows(self, calling: Calling) -> bool:
        """Tell whether windows count: nobody knows when they are without the time."""
        return bool(calling.windows) and self._known.is_known()

    def _opening_s(self, server_id: str, calling: Calling, at_s: float) -> float:
        """Return the first moment from one on at which a window is open, both monotonic."""
        if not self._has_windows(calling):
            return at_s
        from scomod import daytime  # noqa: PLC0415 - few have windows

        at_s = max(at_s, self._clock.monotonic_s())
        windows = [daytime.window(each) for each in calling.windows]
        delay_s = self._phase_s(server_id, calling.spread_s)
        return at_s + daytime.opens_in_s(windows, at_s + self._offset_s(), delay_s)

    def _window_s(self, server_id: str, calling: Calling, base_s: float) -> float:
        """Return the moment in a window that is an interval after a base, both monotonic.

        Rather the device's own moment in the window than exactly the interval, rather
        somewhat before the interval is over than long after it.
        """
        from scomod import daytime  # noqa: PLC0415 - few have windows

        offset_s = self._offset_s()
        windows = [daytime.window(each) for each in calling.windows]
        at_s = base_s + calling.interval_s
        delay_s = self._phase_s(server_id, calling.spread_s)
        spans = [
            (start_s - offset_s, end_s - offset_s)
            for start_s, end_s in daytime.spans(windows, at_s + offset_s, delay_s)
        ]
        is_open = any(start_s <= at_s < end_s for start_s, end_s in spans)
        since_s = base_s + (calling.interval_s / 2 if is_open else MARGIN_S)
        before = [start_s for start_s, _ in spans if since_s < start_s <= at_s]
        if before or is_open:
            return max(before, default=at_s)
        return min(start_s for start_s, _ in spans if start_s > at_s)

    def _offset_s(self) -> float:
        return self._clock.wall_s() - self._clock.monotonic_s()

    # -- small things ---------------------------------------------------------------------

    def _now(self) -> Moment:
        return Moment(
            boot=self._boot, monotonic_s=self._clock.monotonic_s(), wall_s=self._known.now_s()
        )

    def _phase_s(self, what: str, period_s: float) -> float:
        """Return the device's own moment in a while, for something."""
        return pace.phase_s(f"{self._store.device_id} {what}", period_s)
