# SPDX-License-Identifier: Apache-2.0
"""Looks at what only a running daemon knows: sessions, moments to come, its database, its clock.

Looks only.  What can be seen without a daemon is `checkdevice`, the sentences are in
`findings`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from scomod import policy
from scomod.clifmt import moment, size
from scomod.engine import NOT_UNDONE
from scomod.errors import StoreError
from scomod.findings import Finding, finding
from scomod.operation import Phase, name_of
from scomod.quarantine import names
from scomod.value import frozen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scomod.agenda import Due
    from scomod.clock import Clock
    from scomod.facade import Record
    from scomod.knowntime import KnownTime
    from scomod.operation import Operation
    from scomod.records import Records
    from scomod.settings import Paths, Settings

REPORT_OLD_S: Final = 86400.0  # a server that was not there for a day is worth a look
BEGUN_COUNT: Final = 2  # so often a step is begun where a daemon was ended once in its middle
MODEM: Final = "modem"  # the key for modems in `ways`


@frozen
class Checkup:
    """Looks at one daemon; `ways` says of each way to be called whether it is open."""

    settings: Settings
    paths: Paths
    clock: Clock
    store: Records
    known: KnownTime
    status: Record
    dues: Callable[[], list[Due]]
    ways: Mapping[str, bool]

    def look(self, database_bytes: int) -> Iterator[Finding]:
        """Look at everything; the database has so many octets."""
        yield self._database(database_bytes)
        looks = (
            *(self._next, self._servers, self._reports, self._operations),
            *(self._agent, self._ways, self._time),
        )
        for each in looks:
            with contextlib.suppress(StoreError):  # that of the database says what is wrong
                yield from each()

    def _next(self) -> Iterator[Finding]:
        dues = self.dues()
        if not dues:
            yield finding("nothing due")
            return
        due = dues[0]
        at_s = self.clock.wall_s() + due.at_s - self.clock.monotonic_s()
        whose = f" with {due.server_id}" if due.server_id else ""
        yield finding("due", what=f"{due.what}{whose}", at=moment(at_s), why=due.why)

    def _servers(self) -> Iterator[Finding]:
        for server in self.status["servers"]:
            last: Record | None = server.get("last_session")
            server_id = server["server_id"]
            if last is None:
                yield finding("no session", server=server_id)
                continue
            at = f" ({moment(last['ended_s'])})" if last.get("ended_s") else ""
            word = "session ok" if last["outcome"] == "ok" else "session failed"
            yield finding(word, server=server_id, at=at, how=last["detail"])
        if not self.status["servers"]:
            yield finding("no account", folder=self.paths.bootstrap_dir)

    def _reports(self) -> Iterator[Finding]:
        waiting = self.store.outbox.waiting()
        if not waiting:
            yield finding("reports taken")
            return
        since_s = min(alert.created_s for alert in waiting)
        is_old = self.clock.wall_s() - since_s > REPORT_OLD_S
        word = "reports old" if is_old else "reports wait"
        yield finding(word, count=len(waiting), since=moment(since_s))

    def _operations(self) -> Iterator[Finding]:
        live = self.store.journal.live()
        yield finding("operations", count=len(live))
        for each in live:
            if each.attempts > BEGUN_COUNT:
                facts = {"id": each.id, "name": name_of(each), "step": each.step}
                yield finding("begun again", count=each.attempts, **facts)
        for each in self._latest():
            if each.phase is Phase.FAILED and NOT_UNDONE in each.detail:
                yield finding("not undone", id=each.id, name=name_of(each), how=each.detail)

    def _latest(self) -> list[Operation]:
        """Return of what is over the last operation with each piece of software."""
        return list(
            {names(each.subject)[0]: each for each in self.store.journal.finished()}.values()
        )

    def _agent(self) -> Iterator[Finding]:
        if self.status["agent"]:
            yield finding("agent")
            return
        confirm = self.settings.confirm
        asks = policy.Mode.ASK in (confirm.default, *(rule.mode for rule in confirm.rule))
        yield finding("no agent" if asks else "no agent needed")

    def _ways(self) -> Iterator[Finding]:
        for way, is_open in self.ways.items():
            if way == MODEM and not is_open:
                yield finding("no modem")
            else:
                yield finding("heard" if is_open else "deaf", way=way)
        if not self.settings.notification.udp:
            yield finding("not wanted", way="UDP (udp in [notification])")
        if MODEM not in self.ways:
            yield finding("not wanted", way="A modem (service in [modem])")

    def _time(self) -> Iterator[Finding]:
        word = "time" if self.known.is_known() else "no time"
        floor = moment(self.known.floor_s())
        yield finding(word, now=moment(self.clock.wall_s()), floor=floor)

    def _database(self, octets: int) -> Finding:
        try:
            self.store.db.check()
        except StoreError as error:
            return finding("database damaged", how=error)
        return finding("database", size=size(octets))
