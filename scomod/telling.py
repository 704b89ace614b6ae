# SPDX-License-Identifier: Apache-2.0
"""Tells the servers of download descriptors how operations ended (installNotifyURI).

What is to be told lies in the database (`notices`), so that no stop of any kind loses it;
each try is counted before it is made, so that none is made for ever.  A server may hear the
same twice: where the power goes between its answer and our note.  What it answers decides
nothing for the operation.

Woken when an operation has ended and when the daemon starts; else it sleeps.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from scomod import net, pace
from scomod.agenda import Due
from scomod.alarm import Alarm
from scomod.errors import DownloadError
from scomod.notice import body_of, text_of
from scomod.notices import Notices
from scomod.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scomod.clock import Clock
    from scomod.db import Database
    from scomod.notices import Notice
    from scomod.settings import Download

TOLD: Final = "told"
GIVEN_UP: Final = "given up"

log = logging.getLogger(__name__)


class Telling:
    """The driver; `post(url, body)` is one try, in a thread, and raises `DownloadError`.

    `random` gives numbers from 0 to 1; `observer(text)` is told each boundary.
    """

    def __init__(
        self,
        db: Database,
        limits: Download,
        clock: Clock,
        *,
        post: Callable[[str, bytes], None],
        random: Callable[[], float],
        observer: Callable[[str], None],
    ) -> None:
        self._db = db
        self._notices = Notices(db)
        self._limits = limits
        self._clock = clock
        self._terms = Terms(clock)
        self._post = post
        self._random = random
        self._observe = observer
        self._alarm = Alarm()
        self._due_s: dict[int, float] = {}
        self.on_rest: Callable[[], None] = lambda: None

    def wake(self) -> None:
        """Look whether there is something to tell."""
        self._alarm.ring()

    async def run(self) -> None:
        """Tell what there is to tell, for ever; ends only by being cancelled."""
        while True:
            self._alarm.silence()
            waiting = self._bounded(self._notices.waiting())
            due = [notice for notice in waiting if self._wait_s(notice) <= 0]
            if due:
                await self._tell(due[0])
                self.on_rest()
            else:
                await self._alarm.sleep(min(map(self._wait_s, waiting), default=None))

    def dues(self) -> Iterator[Due]:
        """Give when what waits is told, or tried again."""
        now_s = self._clock.monotonic_s()
        for notice in self._notices.waiting():
            times = f"; {notice.tries} tries so far" if notice.tries else ""
            yield Due(
                at_s=now_s + self._wait_s(notice),
                what="notice",
                why=f"{net.shown(notice.url)} is to be told how it ended{times}",
                operation_id=notice.operation_id,
            )

    def _bounded(self, waiting: list[Notice]) -> list[Notice]:
        """Give up what is too much or too old; returns the rest."""
        kept = waiting[-self._limits.max_notices_count :]
        for notice in waiting[: -len(kept)] if kept else ():
            self._settle(notice, f"{GIVEN_UP}: too many others wait")
        for notice in [each for each in kept if self._is_old(each)]:
            self._settle(notice, f"{GIVEN_UP}: it waited too long")
            kept.remove(notice)
        return kept

    def _is_old(self, notice: Notice) -> bool:
        age_s = self._clock.wall_s() - self._terms.began_s(notice.created_s)
        return age_s > self._limits.notice_max_age_s

    def _wait_s(self, notice: Notice) -> float:
        """Return the seconds until the next try; what an earlier life tried in vain waits too."""
        key = notice.operation_id
        if key not in self._due_s:
            self._defer(notice, 0.0)
        return self._due_s[key] - self._clock.monotonic_s()

    def _defer(self, notice: Notice, asked_s: float) -> None:
        wait_s = 0.0
        if notice.tries:
            wait_s = pace.wait_s(notice.tries, self._limits, self._random, asked_s)
        self._due_s[notice.operation_id] = self._clock.monotonic_s() + wait_s

    async def _tell(self, notice: Notice) -> None:
        with self._db.transaction():
            notice = self._notices.count_try(notice)
        self._observe("notice begun")
        try:
            await asyncio.to_thread(self._post, notice.url, body_of(notice))
        except DownloadError as error:
            self._failed(notice, error)
            return
        self._observe("notice sent")
        self._settle(notice, TOLD)

    def _failed(self, notice: Notice, error: DownloadError) -> None:
        if not error.is_retryable or notice.tries >= self._limits.notice_attempts_count:
            self._settle(notice, f"{GIVEN_UP}: {error}")
            return
        self._defer(notice, error.retry_after_s)
        log.info("%s; again in %.0f s", error, self._wait_s(notice))

    def _settle(self, notice: Notice, outcome: str) -> None:
        with self._db.transaction():
            self._notices.settle(notice.operation_id, self._clock.wall_s(), outcome)
        self._due_s.pop(notice.operation_id, None)
        self._observe("notice kept")
        words = f"{notice.status} {text_of(notice.status)}"
        level = logging.INFO if outcome == TOLD else logging.WARNING
        text = "operation %d, %s to %s: %s"
        log.log(level, text, notice.operation_id, words, net.shown(notice.url), outcome)
