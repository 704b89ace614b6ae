# SPDX-License-Identifier: Apache-2.0
"""Sessions that servers asked for by notification: who at the device hears of it, and when.

    silent      the session begins
    inform      the person is told, if an agent is there, and the session begins
    ask         it begins when the person says yes, within `notification.keep_s`

What is asked for is kept until its session is over, one for each server, the newest: it
outlives the daemon, and a question that nobody has answered is put again in the next
life.  A yes is kept too.  Not here: whether a notification is genuine or new (`wakeup`),
how agents are asked (`interview`).
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from scomod.causes import Word, cause
from scomod.codes import AlertCode
from scomod.dmclient.notification import UiMode
from scomod.dmclient.useralert import UserAlert, Verdict
from scomod.mo import dmacc
from scomod.terms import Terms, dated_s
from scomod.wishes import OPEN_KEY, Wish
from scomod.wording import worded

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine, Iterator, Mapping

    from scomod.causes import Cause
    from scomod.clock import Clock
    from scomod.db import Database
    from scomod.facade import Record
    from scomod.interview import Interview
    from scomod.records import Records
    from scomod.settings import Notification

log = logging.getLogger(__name__)

SILENT: Final = "silent"
INFORM: Final = "inform"
ASK: Final = "ask"
MODES: Final[Mapping[UiMode, str]] = {
    UiMode.BACKGROUND: SILENT,
    UiMode.INFORMATIVE: INFORM,
    UiMode.USER_INTERACTION: ASK,
}

# What a person reads, by mode and by whether the server began it or somebody at the device.
TEXTS: Final[Mapping[tuple[str, bool], str]] = {
    (INFORM, True): worded("This server begins to manage the device."),
    (INFORM, False): worded("This server begins with what was asked for on this device."),
    (ASK, True): worded("This server wants to manage the device now. May it?"),
    (ASK, False): worded(
        "This server is ready for what was asked for on this device. May it begin?"
    ),
}


@dataclass(frozen=True, slots=True)
class Summons:
    """One session asked for; `mode` is "silent", "inform" or "ask", `since_s` wall time."""

    server_id: str
    session_id: str
    mode: str
    is_from_server: bool
    since_s: float


class Summonses:
    """What is asked for of one device; `ring` asks for a session, `start` starts a task."""

    def __init__(
        self,
        policy: Notification,
        clock: Clock,
        store: Records,
        *,
        interview: Callable[[], Interview],
        start: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        ring: Callable[[Wish], None],
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._db = store.db
        self._tree = store.tree
        self._interview = interview
        self._start = start
        self._ring = ring
        self._terms = Terms(clock)
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._begun: set[Summons] = set()

    def mode_of(self, ui_mode: UiMode) -> str:
        """Return what is done about the person."""
        return MODES.get(ui_mode, self._policy.unspecified)

    def keep(self, summons: Summons) -> None:
        """Keep it in place of an earlier one of its server; part of a transaction."""
        self._write({**self._all(), summons.server_id: summons})

    def look(self) -> None:
        """Go on with what an earlier life left, or what waits for an agent that has come."""
        for server_id, summons in self._all().items():
            if summons not in self._begun:
                self.go_on(server_id)

    def go_on(self, server_id: str) -> None:
        """Do next what is to be done about what a server asked for."""
        summons = self._dated(self._all()[server_id])
        if dmacc.by_server(self._tree, server_id) is None:
            self._drop(summons, "its account is gone")
        elif not self._left_s(summons):
            self._drop(summons, "it waited for [notification] keep_s")
        elif summons.mode == ASK:
            self._begin_asking(summons)
        else:
            self._stop_asking(server_id)
            self._begin(summons)

    def over(self, report: Record, session_id: str) -> None:
        """Let go of what a session was asked for by, unless it is tried again; in a transaction."""
        known = self._all()
        summons = known.get(report["server"])
        is_over = report["outcome"] == "ok" or not report["is_retryable"]
        if summons is not None and summons.session_id == session_id and is_over:
            self._write({key: each for key, each in known.items() if each is not summons})

    # -- one of them -------------------------------------------------------------

    def _begin(self, summons: Summons) -> None:
        self._begun.add(summons)
        if summons.mode == INFORM:
            self._start(self._inform(summons))
        self._ring(
            Wish(
                server_id=summons.server_id,
                trigger=AlertCode.SERVER_INITIATED_MANAGEMENT,
                session_id=summons.session_id,
                is_kept=True,
            )
        )

    async def _inform(self, summons: Summons) -> None:
        await self._shown(AlertCode.DISPLAY, summons, self._left_s(summons))

    def _begin_asking(self, summons: Summons) -> None:
        """Ask, unless somebody is being asked already."""
        if summons.server_id not in self._asking:
            self._asking[summons.server_id] = self._start(self._ask(summons))

    def _stop_asking(self, server_id: str) -> None:
        task = self._asking.pop(server_id, None)
        if task is not None:
            task.cancel()

    async def _ask(self, summons: Summons) -> None:
        """Ask the person; the answer is about the newest that the server asked for."""
        verdict = await self._shown(AlertCode.CONFIRM_OR_REJECT, summons, self._left_s(summons))
        del self._asking[summons.server_id]
        summons = self._all().get(summons.server_id, summons)
        if verdict in (Verdict.NO, Verdict.CANCELLED):
            self._drop(summons, "the person declined it")
        elif verdict is Verdict.DONE:
            self._grant(summons)
        elif not self._left_s(summons):
            self._drop(summons, "nobody answered within [notification] keep_s")
        else:
            self._unasked(summons)

    def _unasked(self, summons: Summons) -> None:
        """Do what policy says where nobody can be asked."""
        policy = self._policy.no_agent
        if policy == "accept":
            self._grant(summons)
        elif policy == "decline":
            self._drop(summons, "nobody is there to be asked, [notification] no_agent")
        else:
            log.warning("session with %s waits for a person to be asked", summons.server_id)

    def _grant(self, summons: Summons) -> None:
        granted = replace(summons, mode=SILENT)
        with self._db.transaction():
            self.keep(granted)
        self._begin(granted)

    async def _shown(self, code: AlertCode, summons: Summons, longest_s: float) -> Verdict:
        account = dmacc.by_server(self._tree, summons.server_id)
        answer = await self._interview().ask(
            UserAlert(code=code, text=TEXTS[summons.mode, summons.is_from_server]),
            server_id=summons.server_id,
            server_name=(account.name if account is not None else "") or summons.server_id,
            longest_s=longest_s,
        )
        return answer.verdict

    # -- what is kept --------------------------------------------------------------

    def _dated(self, summons: Summons) -> Summons:
        """Date one anew that is from a clock which was not set, or was set back since."""
        since_s = dated_s(summons.since_s, self._clock.wall_s())
        if since_s != summons.since_s:
            summons = replace(summons, since_s=since_s)
            with self._db.transaction():
                self.keep(summons)
        return summons

    def _left_s(self, summons: Summons) -> float:
        """Return how long it still counts; setting the clock does not change that."""
        longest_s = self._policy.keep_s
        return self._terms.left_s(0, summons, summons.since_s + longest_s, longest_s)

    def _drop(self, summons: Summons, why: str) -> None:
        self._stop_asking(summons.server_id)
        with self._db.transaction():
            known = self._all()
            known.pop(summons.server_id, None)
            self._write(known)
        log.warning("notification of %s dropped: %s", summons.server_id, why)

    def _all(self) -> dict[str, Summons]:
        return _kept(self._db)

    def _write(self, known: Mapping[str, Summons]) -> None:
        facts = {server_id: asdict(each) for server_id, each in known.items()}
        self._db.set_meta(OPEN_KEY, json.dumps(facts) if facts else "")


def summonses(db: Database, policy: Notification) -> Iterator[Cause]:
    """Tell what waits for a person to say yes."""
    for each in _kept(db).values():
        if each.mode == ASK:
            until_s = each.since_s + policy.keep_s
            yield cause(Word.SUMMONS, since_s=each.since_s, until_s=until_s, server=each.server_id)


def _kept(db: Database) -> dict[str, Summons]:
    kept = json.loads(db.meta(OPEN_KEY) or "{}")
    return {server_id: Summons(**facts) for server_id, facts in kept.items()}
