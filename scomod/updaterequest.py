# SPDX-License-Identifier: Apache-2.0
"""What the device asks of its servers by itself: requests for updates (scomo §4.6).

A request is a row of the outbox behind which no operation stands: it waits there until
the server has judged it, once for each question.  What comes of it is the server's
affair: an Exec, or nothing.  `SelfCheck` asks in the device's own name, every so often.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from scomod.agenda import Due
from scomod.codes import (
    ALERT_TYPE_FUMO_DEVICE_REQUEST,
    ALERT_TYPE_FUMO_USER_REQUEST,
    ALERT_TYPE_UPDATE_DEVICE_REQUEST,
    ALERT_TYPE_UPDATE_USER_REQUEST,
)
from scomod.facade import Refused
from scomod.outbox import AlertItem, OutboxAlert
from scomod.report import MARK_SUCCESS, escaped

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

    from scomod.clock import Clock
    from scomod.db import Database
    from scomod.mo.inventory import Inventory
    from scomod.operation import Operation
    from scomod.outbox import Outbox
    from scomod.quarantine import Quarantine
    from scomod.settings import Settings

log = logging.getLogger(__name__)

CHECKED_KEY: Final = "self-check"  # when the servers were asked last, wall time
SPREAD: Final = 0.1  # of the interval: a fleet that was switched on together does not ask together


class Kind(StrEnum):
    """Who asks."""

    USER = "user"
    DEVICE = "device"


TYPES: Final[Mapping[str, Mapping[Kind, str]]] = {
    "scomo": {
        Kind.USER: ALERT_TYPE_UPDATE_USER_REQUEST,
        Kind.DEVICE: ALERT_TYPE_UPDATE_DEVICE_REQUEST,
    },
    "fumo": {
        Kind.USER: ALERT_TYPE_FUMO_USER_REQUEST,
        Kind.DEVICE: ALERT_TYPE_FUMO_DEVICE_REQUEST,
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Puts requests into the outbox."""

    db: Database
    outbox: Outbox
    inventory: Inventory
    settings: Settings
    clock: Clock
    quarantine: Quarantine

    def add(self, who: str, component: str, server_id: str) -> tuple[int, str]:
        """Ask a server about a component, "" for whatever there is; returns (alert id, Source).

        The Source is the component's node, or the root of SCOMO with the name in Data.
        `who` asks is one of `Kind`.  What waits already is not asked again.  Raises `Refused`.
        """
        if who not in set(Kind):
            raise Refused(f"who asks is {' or '.join(Kind)}, not {who}")
        kind = Kind(who)
        kind_type = self._type(kind, server_id)
        if kind is Kind.DEVICE and component and (left_s := self.quarantine.blocked_s(component)):
            raise Refused(f"{component} failed lately and is left alone for another {left_s:.0f} s")
        uri = self.inventory.uri_of(component) if component else None
        alert = OutboxAlert(
            operation_id=None,
            server_id=server_id,
            correlator=None,
            source=uri or self.settings.scomo.root,
            type=kind_type,
            mark=MARK_SUCCESS,
            items=(AlertItem(data=_data(component)),),
            created_s=self.clock.wall_s(),
        )
        return self._waiting(alert) or self._insert(alert), alert.source

    def _type(self, kind: Kind, server_id: str) -> str:
        """Return the alert type that the configuration allows."""
        if self.settings.server(server_id).protocol == "1.1":
            raise Refused(f"{server_id} speaks OMA DM 1.1, which has no requests of a device")
        choice = self.settings.scomo.request_alerts
        if choice == "auto":
            choice = "scomo" if self.settings.scomo.version == "1.1" else "off"
        if choice not in TYPES:
            raise Refused("SCOMO 1.0 has no requests: see scomo.request_alerts")
        return TYPES[choice][kind]

    def _waiting(self, alert: OutboxAlert) -> int:
        """Return the id of the same question that waits already, 0 for none."""
        asked = (alert.type, alert.source, alert.items)
        known = (e for e in self.outbox.waiting(alert.server_id) if e.is_request)
        return next((e.id for e in known if (e.type, e.source, e.items) == asked), 0)

    def _insert(self, alert: OutboxAlert) -> int:
        limit = self.settings.request.max_waiting_count
        if sum(each.is_request for each in self.outbox.waiting()) >= limit:
            raise Refused(f"{limit} requests wait already: request.max_waiting_count")
        with self.db.transaction():
            return self.outbox.insert(alert)


def _data(component: str) -> str:
    """Name the component as reports do; the standard leaves Data to us."""
    return f"<Identifier>{escaped(component)}</Identifier>" if component else ""


class SelfCheck:
    """Asks every server for updates, every `interval_s` seconds.

    A server of which the last order (`last(server_id)`) failed is not asked while that
    is in quarantine, lest it order the same again.  `want(server_id)` asks for a session.
    """

    def __init__(
        self,
        requests: Requests,
        *,
        servers: Callable[[], Iterable[str]],
        last: Callable[[str], Operation | None],
        want: Callable[[str], None],
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._requests = requests
        self._db = requests.db
        self._clock = requests.clock
        self._interval_s = requests.settings.request.check_interval_s
        self._servers = servers
        self._last = last
        self._want = want
        self._random = random
        self._sleep = sleep
        self._at_s: float | None = None

    async def run(self) -> None:
        """Check for ever; ends only by being cancelled."""
        while True:
            wait_s = self.due_s()
            self._at_s = self._clock.monotonic_s() + wait_s
            await self._sleep(wait_s)
            self.check()

    def dues(self) -> Iterator[Due]:
        """Give when the servers are asked next, once that is settled."""
        if self._at_s is not None:
            yield Due(at_s=self._at_s, what="check", why="the servers are asked for updates")

    def due_s(self) -> float:
        """Return the seconds until the next check; a clock that was set changes little."""
        last = self._db.meta(CHECKED_KEY)
        left_s = self._interval_s * self._random()
        if last is not None:
            left_s = float(last) + self._interval_s - self._clock.wall_s()
        spread_s = SPREAD * self._interval_s * self._random()
        return min(max(left_s, 0.0), self._interval_s) + spread_s

    def check(self) -> None:
        """Ask the servers now, those that may be asked."""
        for server_id in self._servers():
            if (held_s := self._requests.quarantine.held_s(self._last(server_id))) > 0:
                log.info("%s is not asked for updates for another %.0f s", server_id, held_s)
                continue
            try:
                self._requests.add(Kind.DEVICE, "", server_id)
            except Refused as error:
                log.warning("%s is not asked for updates: %s", server_id, error)
                continue
            self._want(server_id)
        with self._db.transaction():
            self._db.set_meta(CHECKED_KEY, str(self._clock.wall_s()))
