# SPDX-License-Identifier: Apache-2.0
"""The queue of wishes for DM sessions: which is next, and which comes again, and when.

Decides only: no clock, no session, no loop; the worker is `scheduler`.  A wish is "a
session with that server"; a notification's wish carries its session id.  When what failed
is tried again is the rule of `pace`; what comes every so often anyway has time, so its
new tries are spread over a longer span.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Final

from scomod import pace
from scomod.agenda import Due
from scomod.codes import AlertCode
from scomod.value import frozen

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator, Mapping

    from scomod.dmclient.client import SessionReport
    from scomod.settings import Session

OPEN_KEY: Final = "notifications-open"  # in the database: what servers wish, until it is done


@frozen
class Wish:
    """A session that should run; `is_kept` ones are tried again when they fail.

    Before `not_before_s` the server does not want us; `due_s` is when we want it.
    `is_poll` says that it comes every so often, and nobody minds when.
    """

    server_id: str
    trigger: AlertCode = AlertCode.CLIENT_INITIATED_MANAGEMENT
    session_id: str = ""
    is_kept: bool = False
    is_poll: bool = False
    failures: int = 0
    due_s: float = 0.0
    not_before_s: float = 0.0
    waiters: tuple[asyncio.Future[SessionReport], ...] = field(default=(), compare=False)

    @property
    def begin_s(self) -> float:
        """Return when it may run (monotonic)."""
        return max(self.due_s, self.not_before_s)


class Wishes:
    """The wishes of one device, one for a server at most; times are monotonic.

    `has_reports(server_id)` tells that alerts wait for that server.
    """

    def __init__(
        self, limits: Session, random: Callable[[], float], has_reports: Callable[[str], bool]
    ) -> None:
        self._limits = limits
        self._random = random
        self._has_reports = has_reports
        self._wishes: list[Wish] = []
        self._free_s: dict[str, float] = {}  # until when a server does not want us

    def __bool__(self) -> bool:
        return bool(self._wishes)

    def add(self, wish: Wish) -> None:
        """Queue a wish; one that waits for the same server takes it up."""
        free_s = self._free_s.get(wish.server_id, 0.0)
        if free_s > wish.not_before_s and not (wish.waiters or wish.session_id):
            wish = replace(wish, not_before_s=free_s)
        for index, other in enumerate(self._wishes):
            if other.server_id == wish.server_id:
                self._wishes[index] = _merged(other, wish)
                return
        self._wishes.append(wish)

    def of(self, server_id: str) -> Wish | None:
        """Return the wish for a server, None if there is none."""
        return next((wish for wish in self._wishes if wish.server_id == server_id), None)

    def take(self, now_s: float) -> Wish | None:
        """Take out the first wish that may run now."""
        for index, wish in enumerate(self._wishes):
            if wish.begin_s <= now_s:
                return self._wishes.pop(index)
        return None

    def hurry(self, now_s: float) -> None:
        """Have what failed tried again now, as far as its server wants us."""
        for index, wish in enumerate(self._wishes):
            if wish.failures:
                self._wishes[index] = replace(wish, due_s=min(wish.due_s, now_s))

    def begin_s(self) -> float | None:
        """Return when the next wish may run, None if there is none."""
        return min((wish.begin_s for wish in self._wishes), default=None)

    def dues(self) -> Iterator[Due]:
        """Give what waits, and why it waits so long."""
        for wish in self._wishes:
            yield Due(
                at_s=wish.begin_s,
                what="poll" if wish.is_poll else "session",
                why=_why(wish),
                server_id=wish.server_id,
            )

    def kept(self, now_s: float) -> dict[str, Any]:
        """Return what outlives this process, as JSON values; moments as seconds from now."""
        return {
            "wishes": [
                {
                    "server_id": wish.server_id,
                    "trigger": int(wish.trigger),
                    "session_id": wish.session_id,
                    "is_kept": wish.is_kept,
                    "is_poll": wish.is_poll,
                    "failures": wish.failures,
                    "due_s": max(0.0, wish.due_s - now_s),
                    "not_before_s": max(0.0, wish.not_before_s - now_s),
                }
                for wish in self._wishes
            ],
            "free": {key: at_s - now_s for key, at_s in self._free_s.items() if at_s > now_s},
        }

    def take_up(self, kept: Mapping[str, Any], then_s: float) -> None:
        """Take up what was kept at the moment `then_s`; wishes take the place of those here."""
        for key, left_s in kept["free"].items():
            self._free_s[key] = then_s + left_s
        for each in kept["wishes"]:
            wish = Wish(
                **{
                    **each,
                    "trigger": AlertCode(each["trigger"]),
                    "due_s": then_s + each["due_s"],
                    "not_before_s": then_s + each["not_before_s"],
                }
            )
            self._wishes = [other for other in self._wishes if other.server_id != wish.server_id]
            self._wishes.append(wish)

    def over(self, wish: Wish, report: SessionReport, now_s: float) -> float | None:
        """Take note of how a session went; returns when it is tried again, None for never.

        Reports are tried again for ever, other kept wishes a while.
        """
        limits = self._limits
        free_s = now_s + min(report.retry_after_s, limits.retry_after_max_s)
        self._free_s[wish.server_id] = free_s
        must_go_on = self._has_reports(wish.server_id)
        is_worth_it = report.outcome != "ok" and report.is_retryable and wish.is_kept
        if not must_go_on and not (is_worth_it and wish.failures < limits.retry_count):
            return None
        failures = wish.failures + 1
        first_s = limits.poll_retry_wait_s if wish.is_poll else limits.retry_wait_s
        due_s = free_s + self._random() * pace.span_s(failures, first_s, limits.retry_wait_max_s)
        later = replace(wish, failures=failures, due_s=due_s, not_before_s=free_s, waiters=())
        self.add(later)
        return later.begin_s


def _why(wish: Wish) -> str:
    if wish.not_before_s > wish.due_s:
        return f"{wish.server_id} asked to be left alone until then"
    if wish.failures:
        times = "once" if wish.failures == 1 else f"{wish.failures} times"
        return f"the session with {wish.server_id} failed {times} and is tried again"
    return f"a session with {wish.server_id} is wanted"


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
        is_poll=waiting.is_poll and new.is_poll,
        failures=min(waiting.failures, new.failures),
        due_s=min(waiting.due_s, new.due_s),
        not_before_s=0.0 if is_called else max(waiting.not_before_s, new.not_before_s),
        waiters=waiting.waiters + new.waiters,
    )
