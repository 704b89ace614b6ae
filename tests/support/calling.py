# SPDX-License-Identifier: Apache-2.0
"""A device that calls its servers, without network and loop, on clocks that are moved by hand.

Boots and processes come and go; what survives is the database.  Sessions take no time and go
as `outcome` says.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Final

from scomod.knowntime import KnownTime
from scomod.mo import dmacc
from scomod.poll import Polls
from scomod.records import Records
from scomod.settings import Device, Paths, Poll, Settings
from scomod.wishes import Wish, Wishes

if TYPE_CHECKING:
    from pathlib import Path

DAY_S: Final = 86400.0
HOUR_S: Final = 3600.0
SERVER: Final = "com.example.dm"
UPTIME_S: Final = 1000.0


class TwoClocks:
    """Wall time, which can be set, and monotonic time, which begins anew with each boot."""

    def __init__(self, wall_s: float) -> None:
        self.ahead_s = wall_s - UPTIME_S
        self.up_s = UPTIME_S

    def wall_s(self) -> float:
        return self.up_s + self.ahead_s

    def monotonic_s(self) -> float:
        return self.up_s

    def set(self, wall_s: float) -> None:
        self.ahead_s = wall_s - self.up_s


class Caller:
    """One device with one account; `true_s` is the time that it is, whatever its clock says."""

    def __init__(
        self, directory: Path, begin: str, settings: Settings | None = None, **poll: object
    ) -> None:
        self.true_s = stamp(begin)
        self.clock = TwoClocks(self.true_s)
        self.settings = dataclasses.replace(
            settings or Settings(),
            device=Device(id=f"urn:test:{directory.name}"),
            poll=Poll(**poll),  # type: ignore[arg-type]
        )
        self.paths = Paths(directory)
        self.records = Records(self.settings, self.paths)
        self.boots = 1
        self.calls: list[float] = []  # true time
        self.outcome = "ok"
        self.retry_after_s = 0.0
        self.is_retryable = True
        self.start()

    def enrol(self, server_id: str = SERVER) -> None:
        leaves = {
            "AppID": "w7",
            "ServerID": server_id,
            "AppAddr/1/Addr": "https://dm.example/dm",
            "AppAddr/1/AddrType": "URI",
        }
        with self.records.db.transaction():
            dmacc.put_account(
                self.records.tree,
                dmacc.NewAccount(root="./DMAcc", name=server_id, leaves=leaves),
            )

    # -- lives ----------------------------------------------------------------------

    def start(self) -> None:
        """Begin a process; what the one before knew is gone."""
        self.known = KnownTime(self.records.db, self.clock)
        self.wishes = Wishes(self.settings.session, lambda: 0.5, lambda _: False)
        self.polls = Polls(
            self.settings,
            self.clock,
            self.records,
            known=self.known,
            boot=f"boot {self.boots}",
            ring=self.wishes.add,
            is_busy=lambda _: False,
        )

    def restart(self, off_s: float, clock_says: float | None = None) -> None:
        """Switch the device off for a while, and on again: its clock goes on, or says something."""
        self.true_s += off_s
        self.clock.up_s = 0.0
        self.clock.set(self.true_s if clock_says is None else clock_says)
        self.boots += 1
        self.start()

    def crash(self) -> None:
        """Kill the process, read everything from the database again, and begin a new one."""
        self.records.db.close()
        self.records = Records(self.settings, self.paths)
        self.start()

    # -- time -------------------------------------------------------------------------

    def next_s(self) -> float | None:
        """Return when the device is to wake next (monotonic)."""
        moments = [due.at_s for due in self.polls.dues()]
        if (begin_s := self.wishes.begin_s()) is not None:
            moments.append(begin_s)
        return min(moments, default=None)

    def run_until(self, moment: str | float, *, exits: bool = False) -> None:
        """Let time pass; with `exits` the process ends whenever it waits."""
        end_s = stamp(moment) if isinstance(moment, str) else moment
        while True:
            at_s = self.next_s()
            wait_s = None if at_s is None else max(0.0, at_s - self.clock.up_s)
            if wait_s is None or self.true_s + wait_s > end_s:
                break
            if exits:
                self.start()
            self._pass(wait_s)
            self.polls.call()
            while wish := self.wishes.take(self.clock.up_s):
                self._session(wish)
        self._pass(end_s - self.true_s)

    def talk(self) -> None:
        """Hold a session that something else has asked for."""
        self._session(Wish(server_id=SERVER), is_call=False)

    def _pass(self, seconds: float) -> None:
        self.true_s += seconds
        self.clock.up_s += seconds

    def _session(self, wish: Wish, *, is_call: bool = True) -> None:
        if is_call:
            self.calls.append(self.true_s)
        record = {
            "server": wish.server_id,
            "outcome": self.outcome,
            "detail": "" if self.outcome == "ok" else "no way to the host",
            "is_retryable": self.is_retryable,
            "retry_after_s": self.retry_after_s,
        }
        self._pass(7.0)
        if self.outcome == "ok":
            self.known.learn(self.true_s)
        with self.records.db.transaction():
            self.polls.ended(record)
            self.known.keep()

    # -- what was --------------------------------------------------------------------

    def days(self) -> dict[str, int]:
        """Count the calls by day."""
        found: dict[str, int] = {}
        for call_s in self.calls:
            day = time.strftime("%Y-%m-%d", time.localtime(call_s))
            found[day] = found.get(day, 0) + 1
        return found

    def times(self) -> list[str]:
        """Give the calls as times of the day, local."""
        return [time.strftime("%H:%M", time.localtime(call_s)) for call_s in self.calls]


def stamp(text: str) -> float:
    """Return a local time as seconds since the epoch."""
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))
